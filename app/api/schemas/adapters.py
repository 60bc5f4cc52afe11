"""A payload as its vendor sends it: what stands in it is for the adapter to say."""

from typing import Any, ClassVar

from pydantic import ConfigDict

from app.api.schemas.validation import Body

EXAMPLE: dict[str, Any] = {
    "alayacare_visit_id": 1000,
    "status": "missed",
    "start_at": "2026-03-02T08:00:00Z",
    "end_at": "2026-03-02T08:30:00Z",
}


class VendorPayload(Body):
    """Whatever the vendor says; the example is one of `alayacare-visit`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", strict=True, frozen=True, json_schema_extra={"minProperties": 1, "examples": [EXAMPLE]}
    )
