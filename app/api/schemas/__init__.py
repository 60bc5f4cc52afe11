"""The bodies of requests: what each may say, checked in one go (`validate`)."""

from app.api.schemas.actions import ActionCancellation, ActionCompletion, ActionProgress, EffectivenessCheck
from app.api.schemas.duplicates import (
    DuplicateConfirmation,
    DuplicateDismissal,
    DuplicateRuleDocument,
    DuplicateUndoing,
)
from app.api.schemas.escalations import Acknowledgement, HandOver, ManualEscalation, Merge, PolicyMove, Snooze
from app.api.schemas.events import EventSent
from app.api.schemas.evidence import EvidencePackRequest
from app.api.schemas.governance import (
    GovernanceAssessment,
    GovernanceClosure,
    GovernanceDecision,
    GovernanceMinutes,
    GovernanceOpening,
    GovernanceRecommendation,
)
from app.api.schemas.near_misses import (
    Batch,
    Closure,
    Corrections,
    Details,
    IntakeSubmission,
    Submission,
    Withdrawal,
)
from app.api.schemas.quiet import Denominators, SourceDeclaration
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
from app.api.schemas.signals import SignalAcknowledgement
from app.api.schemas.validation import Body, must_say, validate
from app.api.schemas.webhooks import EndpointChanges, EndpointRecovery, EndpointRegistration, NothingToSay
from app.api.schemas.workflow import WorkflowLink

__all__ = [
    "Acknowledgement",
    "ActionAgreed",
    "ActionCancellation",
    "ActionCompletion",
    "ActionProgress",
    "Batch",
    "Body",
    "Causes",
    "Closure",
    "Corrections",
    "Countersignature",
    "Denominators",
    "Details",
    "DuplicateConfirmation",
    "DuplicateDismissal",
    "DuplicateRuleDocument",
    "DuplicateUndoing",
    "EffectivenessCheck",
    "EndpointChanges",
    "EndpointRecovery",
    "EndpointRegistration",
    "EventSent",
    "EvidencePackRequest",
    "GovernanceAssessment",
    "GovernanceClosure",
    "GovernanceDecision",
    "GovernanceMinutes",
    "GovernanceOpening",
    "GovernanceRecommendation",
    "HandOver",
    "IntakeSubmission",
    "ManualEscalation",
    "Merge",
    "NothingToSay",
    "PolicyMove",
    "Reopening",
    "ReviewClosure",
    "Safeguarding",
    "ServiceRegistration",
    "SignalAcknowledgement",
    "Snooze",
    "SourceDeclaration",
    "Start",
    "Submission",
    "SystemRisk",
    "TaxonomyChanges",
    "Withdrawal",
    "WorkflowLink",
    "WorkflowLinks",
    "must_say",
    "validate",
]
