"""What an organisation says of itself: its services and its words."""

from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Day, Identifier, Name, Role
from app.api.schemas.validation import Body
from app.domain.taxonomy import Change, Extend

# Services

SERVICE_EXAMPLE: dict[str, Any] = {
    "name": "Willow House",
    "service_type": "care_home",
    "regulator_location_id": "1-1000000001",
    "time_zone": "Europe/London",
    "aliases": ["WILLOW-01"],
    "localities": [{"locality": "north", "from": "2024-04-01"}],
    "role_holders": [{"role": "manager", "ref": "manager-2", "from": "2025-01-06"}],
}


class Period(Body):
    """From a day until before another; without `to` it still lasts."""

    since: Day = Field(alias="from")
    until: Day | None = Field(None, alias="to")

    @property
    def first_day(self) -> date:
        return date.fromisoformat(self.since)

    @property
    def end(self) -> date | None:
        return date.fromisoformat(self.until) if self.until else None


class LocalityPeriod(Period):
    """Where the service belongs."""

    locality: Identifier


class RoleHolder(Period):
    """Who holds a role for the service."""

    role: Role
    ref: Identifier = Field(description="Reference of the person; sealed when stored.")


class ServiceRegistration(Body):
    """The whole entry of a service: what is left out is no longer so."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [SERVICE_EXAMPLE]})

    name: Name
    service_type: Identifier = Field(description="`care_home`, `home_care` or another; gives the default shifts.")
    regulator_location_id: Identifier | None = None
    time_zone: Identifier | None = Field(None, description="An IANA name; left out, the policy's zone.")
    aliases: Annotated[list[Identifier], Field(max_length=50)] | None = None
    localities: Annotated[list[LocalityPeriod], Field(max_length=200)] | None = None
    role_holders: Annotated[list[RoleHolder], Field(max_length=500)] | None = None


# The taxonomy


class TermChange(Body):
    """A code to add or to change; what is left out stays as it is."""

    code: Identifier
    label: Name | None = Field(None, description="What people read; a new code needs one.")
    incident_type: Identifier | None = Field(None, description="Only for deviations and workflow stages.")
    retired: bool | None = Field(None, description="True: refused for new records, readable for ever.")


Terms = Annotated[list[TermChange], Field(max_length=1000)]


class TaxonomyChanges(Body):
    """Any of the lists; codes that are not named stay."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "incident_types": [{"code": "falls", "label": "Falls"}],
                    "deviations": [{"code": "unwitnessed", "label": "Unwitnessed", "incident_type": "falls"}],
                }
            ]
        }
    )

    incident_types: Terms | None = None
    classifications: Terms | None = None
    deviations: Terms | None = None
    workflow_stages: Terms | None = None
    contributing_factors: Terms | None = None
    recovery_barriers: Terms | None = None
    cause_codes: Terms | None = None
    closure_codes: Terms | None = None

    def command(self) -> Extend:
        """The domain's command."""
        return Extend(
            {
                name: [Change(term.code, term.label, term.incident_type, term.retired) for term in terms]
                for name, terms in self
                if terms is not None
            }
        )
