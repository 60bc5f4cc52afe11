"""What is said to a signal: an answer."""

from typing import ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Text
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body


class SignalAcknowledgement(Body):
    """Somebody answers for the service: what is known of it, and what is going to be done."""

    model_config: ClassVar[ConfigDict] = example(
        {"note": "Two seniors left in January; evening rounds are covered by agency staff until April."}
    )

    note: Text = Field(description="Kept as it is said, and read by those who review the service.")
