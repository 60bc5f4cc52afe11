"""The shapes of answers, for those who read openapi.yaml; what is sent is made in `operations/documents.py`.

They are checked against real answers in `tests/house/test_openapi.py`, to the last field.
"""

from app.api.schemas.answers.actions import Action, ActionList
from app.api.schemas.answers.common import Answered, Health, Problem
from app.api.schemas.answers.near_misses import BatchAnswer, History, NearMiss, NearMissList
from app.api.schemas.answers.notices import Notice, NoticeList
from app.api.schemas.answers.reviews import Escalation, EscalationList, Review, ReviewList
from app.api.schemas.answers.settled import (
    CellMembers,
    Heatmap,
    Policy,
    PolicyVersions,
    Service,
    ServiceList,
    Taxonomy,
    Window,
    WindowExplained,
)

__all__ = [
    "Action",
    "ActionList",
    "Answered",
    "BatchAnswer",
    "CellMembers",
    "Escalation",
    "EscalationList",
    "Health",
    "Heatmap",
    "History",
    "NearMiss",
    "NearMissList",
    "Notice",
    "NoticeList",
    "Policy",
    "PolicyVersions",
    "Problem",
    "Review",
    "ReviewList",
    "Service",
    "ServiceList",
    "Taxonomy",
    "Window",
    "WindowExplained",
]
