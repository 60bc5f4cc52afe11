"""The shapes of answers, for those who read openapi.yaml; what is sent is made in `operations/documents.py`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answered(BaseModel):
    """A part of an answer; fields may be added later, so clients take what they do not know."""

    model_config = ConfigDict(extra="allow")


class Fault(Answered):
    """One thing wrong with a request."""

    pointer: str = Field(description="JSON pointer into the body, or /query/NAME.")
    code: str
    detail: str


class Gate(Answered):
    """One condition that a closure misses."""

    code: str
    detail: str
    ids: list[str]


class Problem(Answered):
    """RFC 9457: what was refused, and what to do."""

    type: str = Field(
        description="A URI that ends in the problem's code.", examples=["urn:forewarn:problem:validation"]
    )
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] | None = None
    gates: list[Gate] | None = None


class RuleChecked(Answered):
    """What one rule said of the record."""

    rule_id: str
    mode: Literal["shadow"] | None = Field(None, description="A rule in shadow is evaluated and opens nothing.")
    key: dict[str, str | float | None]
    window: str = Field(description="ISO 8601 duration.")
    threshold: int
    count: float = Field(description="With the record itself.")
    matched_ids: list[str] = Field(
        description="The others in the window, in event-time order; at most the newest 1,000."
    )
    outcome: Literal[
        "below_threshold",
        "escalated",
        "attached",
        "related",
        "cooling_down",
        "unkeyed",
        "not_counted",
        "would_escalate",
    ]
    historical: bool | None = None
    cooldown_until: str | None = None


class SimilarityCheck(Answered):
    """The check without which nothing is recorded (S2)."""

    checked_at: str
    policy_version: int
    rules: list[RuleChecked]


class NearMiss(Answered):
    """A near miss, its check, and where it stands; what was submitted stands in it as submitted."""

    id: str
    sequence: int
    status: Literal[
        "awaiting_details", "awaiting_workflow_link", "linked", "in_review", "closed", "withdrawn", "duplicate"
    ]
    version: int
    source: str | None = None
    source_event_id: str | None = None
    occurred_at: str
    time_zone: str
    service_id: str | None = None
    locality: str | None = None
    incident_type: str
    deviation: str | None = None
    classification: str
    contributing_factors: list[str] | None = None
    staff_involved: list[dict[str, Any]] | None = None
    person_ref: str | dict[str, bool] | None = None
    narrative: str | dict[str, bool] | None = None
    attributes: dict[str, str | float] | None = None
    recorded_at: str
    taxonomy_version: int
    shift_bracket: str | None
    frequency: float = Field(description="The largest count among the rules that count it; 1 when none does.")
    similarity_check: SimilarityCheck
    escalation_ids: list[str]
    workflow_link: dict[str, Any] | None = None
    awaiting: list[str] | None = None
    flags: list[str] | None = None
    revisions: list[dict[str, Any]]


class NearMissList(Answered):
    """A page of near misses."""

    items: list[NearMiss]
    next_cursor: str | None


class BatchItem(Answered):
    """One item's answer."""

    status: int
    near_miss: NearMiss | None = None
    problem: Problem | None = None


class BatchAnswer(Answered):
    """The answers of a batch, in order."""

    items: list[BatchItem]


class History(Answered):
    """The events of one record, in order."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class Member(Answered):
    """A near miss that an escalation holds."""

    near_miss_id: str
    kind: Literal["member", "related", "withdrawn"]


class Deadline(Answered):
    """What is due when."""

    kind: str
    due_at: str


class Escalation(Answered):
    """A crossing of a rule's threshold, and where it stands."""

    id: str
    sequence: int
    rule_id: str
    policy_version: int
    key: dict[str, str | float | None]
    service_id: str | None = None
    status: str
    level: int
    epoch: int
    owner: str | None = None
    raised_at: str
    crossed_at: str
    detected_late: bool
    detection_delay: str
    members: list[Member]
    flags: list[str]
    review_id: str | None = None
    previous_episode_id: str | None = None
    next_deadlines: list[Deadline]
    version: int


class EscalationList(Answered):
    """A page of escalations, newest first."""

    items: list[Escalation]
    next_cursor: str | None


class Review(Answered):
    """A manager review about underlying causes."""

    id: str
    sequence: int
    escalation_id: str
    status: str
    opened_at: str
    causes: list[dict[str, Any]]
    system_risk: dict[str, Any] | None = None
    safeguarding: dict[str, Any] | None = None
    actions: list[dict[str, Any]]
    countersignature: dict[str, Any] | None = None
    closure: dict[str, Any] | None = None
    version: int


class ReviewList(Answered):
    """A page of reviews, newest first."""

    items: list[Review]
    next_cursor: str | None


class Service(Answered):
    """A service of the register."""

    id: str
    name: str
    service_type: str
    version: int


class ServiceList(Answered):
    """A page of services."""

    items: list[Service]
    next_cursor: str | None


class Taxonomy(Answered):
    """The organisation's words."""

    version: int


class Policy(Answered):
    """The policy in force."""

    version: int
    rules: list[dict[str, Any]]
    time_zone: str


class PolicyVersions(Answered):
    """Every version that was ever in force, newest first."""

    items: list[Policy]
    next_cursor: str | None


class Window(Answered):
    """Where one key of one rule stands now."""

    rule_id: str
    key: dict[str, str | float | None]
    count: float
    threshold: int
    distance: float
    next_expiry: str | None
    state: str
    policy_version: int


class HeatmapCell(Answered):
    """One cell of a heatmap."""

    row: str | None
    column: str | None
    count: int


class Heatmap(Answered):
    """Counts by two axes; total = cells + unlinked."""

    rows: list[str | None]
    columns: list[str | None]
    cells: list[HeatmapCell]
    total: int
    unlinked: int
    as_of_sequence: int


class CellMembers(Answered):
    """The near misses of one cell."""

    items: list[str]
    next_cursor: str | None


class Health(Answered):
    """How the service is."""

    status: str
