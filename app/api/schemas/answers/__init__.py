"""The shapes of answers, for those who read openapi.yaml; what is sent is made in `operations/documents.py`.

They are checked against real answers in `tests/house/test_openapi.py`, to the last field.
"""

from app.api.schemas.answers.actions import Action, ActionList
from app.api.schemas.answers.adapters import AdapterList, Preview
from app.api.schemas.answers.assurance import Assurance
from app.api.schemas.answers.backtests import Backtest, ShadowEpisodeList
from app.api.schemas.answers.common import Answered, Health, Problem
from app.api.schemas.answers.duplicates import DuplicateProposal, DuplicateProposalList, DuplicateRule
from app.api.schemas.answers.evidence import EvidencePack, EvidencePackList
from app.api.schemas.answers.governance import GovernanceReview, GovernanceReviewList
from app.api.schemas.answers.intake import (
    EventBatchAnswer,
    EventTaken,
    IntakeRecord,
    IntakeRecordList,
    IntakeRecordRead,
    IntakeRecordReplayed,
)
from app.api.schemas.answers.ledger import CloudEvent, LedgerPage
from app.api.schemas.answers.near_misses import BatchAnswer, History, NearMiss, NearMissList
from app.api.schemas.answers.notices import Notice, NoticeList
from app.api.schemas.answers.outcomes import ActionOutcome
from app.api.schemas.answers.quiet import DenominatorList, DenominatorsStated, Source, SourceList
from app.api.schemas.answers.recognition import Recognition, RecognitionVersions
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
from app.api.schemas.answers.signals import Signal, SignalList
from app.api.schemas.answers.traces import Trace
from app.api.schemas.answers.transparency import (
    Checkpoint,
    CheckpointList,
    ConsistencyProof,
    InclusionProof,
    SigningKeys,
)
from app.api.schemas.answers.trends import Trends
from app.api.schemas.answers.webhooks import (
    Delivery,
    DeliveryAttemptList,
    DeliveryList,
    EventTypeList,
    WebhookEndpoint,
    WebhookEndpointGiven,
    WebhookEndpointList,
)
from app.api.schemas.answers.workflow import PlanDeviations, StageSuggestions

__all__ = [
    "Action",
    "ActionList",
    "ActionOutcome",
    "AdapterList",
    "Answered",
    "Assurance",
    "Backtest",
    "BatchAnswer",
    "CellMembers",
    "Checkpoint",
    "CheckpointList",
    "CloudEvent",
    "ConsistencyProof",
    "Delivery",
    "DeliveryAttemptList",
    "DeliveryList",
    "DenominatorList",
    "DenominatorsStated",
    "DuplicateProposal",
    "DuplicateProposalList",
    "DuplicateRule",
    "Escalation",
    "EscalationList",
    "EventBatchAnswer",
    "EventTaken",
    "EventTypeList",
    "EvidencePack",
    "EvidencePackList",
    "GovernanceReview",
    "GovernanceReviewList",
    "Health",
    "Heatmap",
    "History",
    "InclusionProof",
    "IntakeRecord",
    "IntakeRecordList",
    "IntakeRecordRead",
    "IntakeRecordReplayed",
    "LedgerPage",
    "NearMiss",
    "NearMissList",
    "Notice",
    "NoticeList",
    "PlanDeviations",
    "Policy",
    "PolicyVersions",
    "Preview",
    "Problem",
    "Recognition",
    "RecognitionVersions",
    "Review",
    "ReviewList",
    "Service",
    "ServiceList",
    "ShadowEpisodeList",
    "Signal",
    "SignalList",
    "SigningKeys",
    "Source",
    "SourceList",
    "StageSuggestions",
    "Taxonomy",
    "Trace",
    "Trends",
    "WebhookEndpoint",
    "WebhookEndpointGiven",
    "WebhookEndpointList",
    "Window",
    "WindowExplained",
]
