"""The register of services: the whole entry at once, and where a service belonged on a day."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from app.domain.decider import Invalid
from app.domain.sealed import Reference
from app.domain.service import (
    UNREGISTERED,
    Locality,
    Particulars,
    Register,
    Registered,
    RoleHolder,
    Service,
    decide,
    evolve,
    locality_at,
)

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
MOVED = date(2025, 4, 1)
OKAFOR = Reference(sealed="bm9uY2Ux", key="k-1", token="t-1")

WILLOW = Particulars(
    name="Willow House",
    service_type="care_home",
    time_zone="Europe/London",
    localities=(Locality("south", MOVED), Locality("north", date(2020, 1, 1), MOVED)),
    role_holders=(RoleHolder("manager", OKAFOR, date(2025, 1, 6)),),
)
REGISTERED = evolve(UNREGISTERED, Registered(WILLOW))


def test_a_service_is_registered_with_all_that_is_known_of_it() -> None:
    assert decide(Register(WILLOW), UNREGISTERED, TUESDAY) == [Registered(WILLOW)]


def test_registering_the_same_again_changes_nothing() -> None:
    sealed_anew = replace(OKAFOR, sealed="bm9uY2Uy")
    again = replace(WILLOW, role_holders=(RoleHolder("manager", sealed_anew, date(2025, 1, 6)),))

    assert decide(Register(again), REGISTERED, TUESDAY) == []


def test_another_holder_of_a_role_is_a_change() -> None:
    successor = replace(OKAFOR, token="t-2", key="k-2")
    changed = replace(WILLOW, role_holders=(RoleHolder("manager", successor, date(2025, 1, 6)),))

    assert decide(Register(changed), REGISTERED, TUESDAY) == [Registered(changed)]


CONTRADICTIONS = {
    "an unknown time zone": (replace(WILLOW, time_zone="Europe/Atlantis"), "/time_zone", "unknown-time-zone"),
    "a path as a time zone": (replace(WILLOW, time_zone="../../etc/passwd"), "/time_zone", "unknown-time-zone"),
    "a folder as a time zone": (replace(WILLOW, time_zone="Europe"), "/time_zone", "unknown-time-zone"),
    "two localities on one day": (
        replace(WILLOW, localities=(Locality("south", MOVED), Locality("north", date(2020, 1, 1)))),
        "/localities/0/from",
        "overlap",
    ),
    "a locality that ends on its first day": (
        replace(WILLOW, localities=(Locality("north", MOVED, MOVED),)),
        "/localities/0/to",
        "out-of-order",
    ),
    "a role that ends before it begins": (
        replace(WILLOW, role_holders=(RoleHolder("manager", OKAFOR, MOVED, date(2025, 3, 1)),)),
        "/role_holders/0/to",
        "out-of-order",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_an_entry_that_contradicts_itself_is_refused_where_it_does(name: str) -> None:
    particulars, pointer, code = CONTRADICTIONS[name]

    with pytest.raises(Invalid) as refused:
        decide(Register(particulars), UNREGISTERED, TUESDAY)

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


@pytest.mark.parametrize(
    ("day", "locality"),
    [
        (date(2019, 12, 31), None),
        (date(2020, 1, 1), "north"),
        (date(2025, 3, 31), "north"),
        (MOVED, "south"),
        (date(2030, 1, 1), "south"),
    ],
)
def test_a_service_belongs_to_the_locality_of_that_day(day: date, locality: str | None) -> None:
    in_other_order = replace(WILLOW, localities=WILLOW.localities[::-1])

    assert locality_at(REGISTERED, day) == locality
    assert locality_at(Service(in_other_order), day) == locality


def test_a_service_that_nobody_registered_belongs_nowhere() -> None:
    assert locality_at(Service(), MOVED) is None
