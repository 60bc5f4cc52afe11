"""The door for what a file brings: the one that systems pass over HTTP, with every check of a document."""

from datetime import datetime
from typing import Any

from app.api import strict_json
from app.api.schemas import IntakeSubmission, validate
from app.operations.importing import Entrance


def intake(document: object, now: datetime) -> dict[str, Any]:
    """What intake makes of a document: valid, what it leaves out left out."""
    return validate(IntakeSubmission, document, now).model_dump(exclude_none=True)


INTAKE = Entrance(strict_json.parse, intake)
"""What is imported passes the door that systems pass over HTTP."""
