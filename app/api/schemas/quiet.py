"""How much there was to do, which sources are expected to speak, and when two records are one occurrence."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, cast

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Day, Duration, Identifier, Name
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body
from app.domain.decider import Fault
from app.domain.denominator import MOST
from app.domain.occurrence import Denominator

# Denominators

AMOUNTS = ("doses_due", "visits_scheduled", "resident_days")
MOST_ITEMS = 1000
Amount = Annotated[int, Field(ge=1, le=MOST)]


class DenominatorItem(Body):
    """How much there was to do in a service on a day of the organisation's time zone; at least one amount.

    Nothing to do is no denominator: leave it out.
    """

    service_id: Identifier
    date: Day
    doses_due: Amount | None = None
    visits_scheduled: Amount | None = None
    resident_days: Amount | None = None


class Denominators(Body):
    """Up to 1,000 rows; of a service and a day the later one stands, and what it leaves out is no longer known."""

    model_config: ClassVar[ConfigDict] = example(
        {
            "items": [
                {"service_id": "willow-house", "date": "2026-03-01", "doses_due": 212, "resident_days": 38},
                {"service_id": "rowan-homecare", "date": "2026-03-01", "visits_scheduled": 164},
            ]
        }
    )

    items: Annotated[list[DenominatorItem], Field(min_length=1, max_length=MOST_ITEMS)]

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        """A row without an amount says nothing."""
        items = document.get("items")
        for index, item in enumerate(cast("list[object]", items) if isinstance(items, list) else ()):
            if isinstance(item, dict) and all(cast("dict[str, Any]", item).get(name) is None for name in AMOUNTS):
                yield Fault(f"/items/{index}", "missing", f"Give at least one of {', '.join(AMOUNTS)}.")

    def stated(self) -> list[Denominator]:
        """The rows as care systems' events have them."""
        return [Denominator(**item.model_dump()) for item in self.items]


# Sources


class SourceDeclaration(Body):
    """How often a source is expected to speak; null: not at all. What is left out is no longer so."""

    model_config: ClassVar[ConfigDict] = example(
        {"expected_every": "P1D", "service_id": "willow-house", "description": "The eMAR of the ground floor."}
    )

    expected_every: Duration | None = Field(description="ISO 8601, at least PT1M: a silence this long is told.")
    service_id: Identifier | None = Field(None, description="Whose managers are told.")
    description: Name | None = None
