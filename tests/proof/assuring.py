"""What an assurance is asked in tests: over a ledger as it stands, over one that somebody took events out of."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.domain.moment import to_micros
from app.proof.assurance import assure
from app.proof.events import Event, from_envelope
from tests.office import Office

REPEATED, LINKED, USED = "repeated_near_misses_escalated", "linked_to_workflow", "used_in_governance"


def events_of(office: Office) -> list[Event]:
    return [from_envelope(one) for one in office.ledger()]


def reported(events: Iterable[Event], at: int, **asked: Any) -> dict[str, Any]:
    return assure(events, **{"since": None, "until": None, "at": at, **asked})


def assured(office: Office, **asked: Any) -> dict[str, Any]:
    """The report on an office as of its clock."""
    return reported(events_of(office), to_micros(office.clock()), **asked)


def named(report: dict[str, Any], name: str) -> dict[str, Any]:
    """One of a report's validations."""
    (found,) = [one for one in report["validations"] if one["id"] == name]
    return found


def reasons(validation: dict[str, Any]) -> list[str]:
    return [one["reason"] for one in validation["exceptions"]]


def without(events: Iterable[Event], escalation_id: str) -> list[Event]:
    """The ledger as if an escalation had never been raised: neither that nor anything of its review stands there."""
    review = f"review/{escalation_id.replace('esc_', 'rev_')}"
    stream = f"escalation/{escalation_id}"
    return [one for one in events if one.stream != review and (one.stream, one.type) != (stream, "escalation.raised")]


def raisings(events: Sequence[Event]) -> list[Event]:
    return [one for one in events if one.type == "escalation.raised"]


def check_agreement(events: Sequence[Event]) -> int:
    """The second implementation finds exactly what the service raised, and misses whatever is taken away from it; how
    many crossings there were.
    """
    end = events[-1].recorded_at
    report = named(reported(events, end), REPEATED)
    told = [one for one in raisings(events) if not one.data.get("historical")]
    assert [one["escalation_id"] for one in report["crossings"]] == [one.subject for one in told]
    assert [one["crossed_at"] for one in report["crossings"]] == [one.data["crossed_at"] for one in told]
    assert all(one["recomputed"] for one in report["crossings"])
    assert not {"review_missing", "timer_without_event", "determination_missing"}.intersection(reasons(report))
    for one in raisings(events):
        suppressed = named(reported(without(events, one.subject), end), REPEATED)
        missing = [each for each in suppressed["exceptions"] if each["reason"] == "review_missing"]
        assert [each["ids"] for each in missing] == [[each["near_miss_id"] for each in one.data["members"]]]
        assert missing[0]["detail"]["rule_id"] == one.data["rule_id"]
        assert suppressed["confirmed"] in (False, None)
    return len(told)
