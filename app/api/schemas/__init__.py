"""The bodies of requests: what each may say, checked in one go (`validate`)."""

from app.api.schemas.near_misses import (
    Batch,
    Closure,
    Corrections,
    Details,
    IntakeSubmission,
    Submission,
    Withdrawal,
)
from app.api.schemas.register import ServiceRegistration, TaxonomyChanges
from app.api.schemas.reviews import (
    ActionAgreed,
    Causes,
    Countersignature,
    Reopening,
    ReviewClosure,
    Safeguarding,
    Start,
    SystemRisk,
    WorkflowLinks,
)
from app.api.schemas.validation import Body, validate
from app.api.schemas.workflow import WorkflowLink

__all__ = [
    "ActionAgreed",
    "Batch",
    "Body",
    "Causes",
    "Closure",
    "Corrections",
    "Countersignature",
    "Details",
    "IntakeSubmission",
    "Reopening",
    "ReviewClosure",
    "Safeguarding",
    "ServiceRegistration",
    "Start",
    "Submission",
    "SystemRisk",
    "TaxonomyChanges",
    "Withdrawal",
    "WorkflowLink",
    "WorkflowLinks",
    "validate",
]
