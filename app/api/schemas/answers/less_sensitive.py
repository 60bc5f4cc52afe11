"""What a policy would have lost of the reviews before it."""

from pydantic import Field

from app.api.schemas.answers.common import Answered, Duration, Instant, Key


class LostReview(Answered):
    """A review that one policy called for and another would not have opened."""

    rule_id: str
    key: Key
    crossed_at: Instant
    near_miss_ids: list[str] = Field(description="Those in the window at the crossing, at most 20.")


class LessSensitive(Answered):
    """The reviews of the time before it that a policy would not have opened."""

    lost: int
    looked_back: Duration = Field(description="P180D, or less where so much could not be counted at once.")
    episodes: list[LostReview] = Field(description="The latest 20.")
