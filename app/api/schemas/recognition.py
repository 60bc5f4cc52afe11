"""The rules of recognition, for those who read openapi.yaml; `app.domain.recognition_document` itself checks them."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.validation import Body

Meaning = Literal["delivered", "late", "not_delivered", "none"]

RECOGNITION_EXAMPLE: dict[str, Any] = {
    "time_critical_medicines": [
        {"group": "insulin", "names": ["insulin", "novorapid", "lantus"]},
        {"group": "parkinsons", "names": ["co-careldopa", "co-beneldopa", "sinemet", "madopar"]},
        {"group": "anticoagulants", "names": ["apixaban", "warfarin"]},
    ],
    "late_after": "PT15M",
    "visit_window": "PT20M",
    "dose_statuses": {"skipped": "not_delivered"},
    "reason": "Our eMAR says skipped for a dose that was not given; apixaban cannot wait either.",
}


class TimeCriticalMedicines(Body):
    """Medicines for which minutes count."""

    group: str = Field(description="What they are together.")
    names: list[str] = Field(description="Names, brands or codes, each matched word by word, whatever the letter case.")


class RecognitionDocument(Body):
    """The whole of the rules; what is left out takes its default."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [RECOGNITION_EXAMPLE]})

    time_critical_medicines: list[TimeCriticalMedicines] | None = Field(
        None, description="Left out: insulins, and medicines for Parkinson's and for epilepsy."
    )
    late_after: str = Field(
        "PT10M", description="From how late on a time-critical dose is a near miss although inside its tolerance."
    )
    tolerance: str = Field("PT60M", description="Of a dose that states none.")
    time_critical_tolerance: str = Field("PT30M", description="Of a time-critical dose that states none.")
    visit_window: str = Field("PT15M", description="How late a visit may start.")
    round_within: str = Field("PT60M", description="Late doses of one hand due within this are one near miss.")
    run_within: str = Field("PT4H", description="Late visits of one person due within this are one near miss.")
    dose_statuses: dict[str, Meaning] = Field(
        default_factory=dict[str, Meaning],
        description="Code → meaning, over those that care.emar.administration.v1 has: a source's own codes too.",
    )
    visit_statuses: dict[str, Meaning] = Field(
        default_factory=dict[str, Meaning],
        description="Code → meaning, over those that care.rostering.visit.v1 has: a source's own codes too.",
    )
    reason: str | None = Field(None, description="Why the rules were changed.")
