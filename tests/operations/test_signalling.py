"""What rises below the threshold, or falls silent, is told once to the managers of its service, and answered once."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.api.problems import document_of
from app.database.tables import followers, signals, trend_checks, trend_watch
from app.domain.decider import NotFound
from app.domain.moment import to_micros
from app.domain.sealed import Reference
from app.domain.service import Locality, RoleHolder
from app.domain.signal import AlreadyAcknowledged
from app.domain.source import Declare
from app.events.sealing import token
from app.operations import quiet, signal_watch, signalling
from app.operations.attending import Attendant
from app.operations.job import Actor, PreconditionFailed
from app.operations.rebuild import rebuild
from app.operations.signal_watch import SignalWatch, see
from app.operations.tick import tick
from app.projections.trend_watch import monday_of
from tests.office import KEY, LINK, Office, answers_of, assert_intact, opened
from tests.operations.hearing import bodies, register
from tests.operations.test_audit import NOW

MANAGER = "manager-2"
ONE_IN_EIGHT = (1, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def goes_by(office: Office, *weeks: int, **particulars: Any) -> None:
    """Weeks with so many near misses each, reported as they happen."""
    for number in weeks:
        happened = [(office.clock() - timedelta(hours=1 + n)).isoformat() for n in range(number)]
        submissions = [office.submission(occurred_at=at, workflow_link=LINK, **particulars) for at in happened]
        answers_of(office.house.try_all(submissions))  # Linked at once: nobody is asked for it week by week.
        office.clock.go_on(days=7)


def lived(office: Office, *weeks: int, **particulars: Any) -> None:
    """The same, and a worker looks at the end of each."""
    for number in weeks:
        goes_by(office, number, **particulars)
        attended(office)


def attended(office: Office, attendant: Attendant | None = None) -> int:
    office.follow()
    return (attendant or Attendant(office.house)).attend()


def told(office: Office) -> list[dict[str, Any]]:
    """Every signal, in the order in which they were told."""
    with office.house.reader(office.organisation) as reader:
        ids = [one.subject for one in office.ledger() if one.type in SIGNALLED]
        return signalling.documents(reader, ids)


SIGNALLED = ("signal.trend_signalled", "signal.drought_signalled")


def kinds(office: Office) -> list[str]:
    return [one["kind"] for one in told(office)]


def answer(office: Office, signal_id: str, note: str = "We know why.", actor: Actor = KEY, **said: Any) -> Any:
    return office.do(
        office.command(
            lambda desk, cause: signalling.acknowledge(desk, cause, signal_id, note, said.get("if_match")),
            signal_id,
            signalling.show,
            actor=actor,
        )
    )


def rising(office: Office) -> dict[str, Any]:
    """A service whose medication near misses have risen, and the signal that was told of it."""
    in_alarm(office)
    attended(office)
    (signal,) = told(office)
    return signal


def in_alarm(office: Office) -> None:
    """A rise that nobody has looked at yet."""
    reported(office, *range(40, 8, -8), *range(8, 0, -1))
    office.follow()


def reported(office: Office, *weeks_ago: int, **particulars: Any) -> None:
    """Near misses of weeks gone by, told today."""
    happened = [(office.clock() - timedelta(weeks=week)).isoformat() for week in weeks_ago]
    answers_of(office.house.try_all([office.submission(occurred_at=at, **particulars) for at in happened]))


# Rising


def test_a_frequency_that_rises_below_the_threshold_is_told_once_to_the_manager_of_its_service(office: Office) -> None:
    """S19: from one in eight weeks to one a week, and never three in fourteen days."""
    its_token = token(office._pepper, "staff", MANAGER)
    office.do(
        office.registration(
            "willow-house",
            role_holders=(RoleHolder("manager", Reference("", "key", its_token), office.clock().date()),),
            localities=(Locality("north", date(2020, 1, 1)),),
        )
    )
    endpoint_id = register(office, "trend.signalled", "reporting.drought")

    goes_by(office, *ONE_IN_EIGHT * 3)
    lived(office, *(1,) * 8)

    (signal,) = told(office)
    assert office.escalations() == []
    assert (signal["kind"], signal["service_id"], signal["incident_type"]) == ("rising", "willow-house", "medication")
    assert (signal["status"], signal["owner"]["role"], signal["locality"]) == ("open", "manager", "north")
    assert (signal["measure"], signal["method"], signal["baseline_weeks"] >= 20) == (
        "count_per_week",
        "poisson_cusum",
        True,
    )
    assert signal["statistic"] >= signal["limit"] == signal["design"]["h"]
    assert signal["since_week"] == "2026-W34"  # The first week of the rise: 24 weeks after Monday, 2 March.
    assert "willow-house have become more frequent since 17 August 2026" in signal["says"]
    (message,) = bodies(office, endpoint_id)
    assert message["type"] == "trend.signalled"
    assert message["data"] == {
        "signal_id": signal["id"],
        "service_id": "willow-house",
        "kind": "rising",
        "incident_type": "medication",
        "status": "open",
        "since": signal["since"],
        "sequence": signal["sequence"],
        "links": {"self": f"/v1/signals/{signal['id']}"},
    }
    event = next(one for one in office.ledger() if one.type == "signal.trend_signalled")
    assert f'"notify":["manager","staff/{its_token}"]' in event.payload
    with office.house.database.read() as connection:
        assert_intact(connection)


@pytest.mark.parametrize("weeks", [ONE_IN_EIGHT * 4, (1, 0, 0, 0) * 9, (2, 0, 1, 1) * 8])
def test_what_is_as_it_always_was_tells_nobody(weeks: tuple[int, ...], office: Office) -> None:
    office.do(office.adoption({"threshold": 9}))

    goes_by(office, *weeks[:-4])
    lived(office, *weeks[-4:])

    assert told(office) == []
    assert not any(one.startswith("signal.") for one in office.types())


def test_what_has_not_been_reported_for_sixteen_weeks_is_too_new_to_rise(office: Office) -> None:
    reported(office, *range(15, 0, -1))

    attended(office)

    assert told(office) == []


def test_what_an_escalation_holds_is_not_told_again_as_a_rise(office: Office) -> None:
    office.do(office.adoption({"threshold": 3, "window": "P60D"}))

    in_alarm(office)
    attended(office)

    (escalation,) = office.open_escalations()
    assert told(office) == []

    office.do(office.review_closure(escalation["review_id"]))
    office.clock.go_on(days=1)
    attended(office)

    assert office.open_escalations() == []
    assert told(office) == []
    with office.house.database.read() as connection:
        settled = office.house.configurations.now(connection, office.organisation)
        seen = see(connection, office.organisation, settled, "willow-house", office.clock(), len(office.ledger()))
    assert seen.alarmed == {"medication": office.clock().toordinal() - 1}


def test_an_escalation_of_long_ago_that_nobody_has_answered_hides_no_rise_of_today(office: Office) -> None:
    reported(office, 30, 30, 30, deviation="allergy")
    in_alarm(office)

    attended(office)

    assert len(office.open_escalations()) == 1
    assert kinds(office) == ["rising"]


def test_a_signal_calls_its_service_by_the_name_in_the_register(office: Office) -> None:
    office.do(office.registration("willow-house", name="Willow House"))

    assert rising(office)["says"].startswith("Medication near misses in Willow House (willow-house) have become more")


def test_what_was_withdrawn_makes_nothing_rise(office: Office) -> None:
    in_alarm(office)
    for one in [one.subject for one in office.ledger() if one.type == "near_miss.recorded"][-5:]:
        office.do(office.withdrawal(one))

    attended(office)

    assert told(office) == []


def test_the_service_s_own_records_are_no_reports(office: Office) -> None:
    reported(office, 0, 0, 0)
    office.follow()
    before = office.rows(trend_watch)
    office.clock.go_on(weeks=4)
    tick(office.house, "worker", NOW)
    assert any('"source":"forewarn"' in one.payload for one in office.ledger())

    office.follow()

    assert office.rows(trend_watch) == before


def test_a_report_of_a_week_gone_by_is_looked_at_at_once_and_one_of_this_week_is_not(office: Office) -> None:
    reported(office, *range(40, 8, -8), 3, 2, 1)
    attendant = Attendant(office.house)
    attended(office, attendant)
    office.submit(occurred_at=office.clock().isoformat())
    office.follow()
    assert SignalWatch(office.house).look(office.organisation) == []

    for days in (8, 16, 22):  # Found in a drawer: of the three weeks before, in which others were told in time.
        office.submit(occurred_at=(office.clock() - timedelta(days=days)).isoformat(), deviation="late")

    assert attended(office, attendant) == 1
    assert kinds(office) == ["rising"]


def test_an_import_of_history_alarms_nobody_about_the_past(office: Office) -> None:
    reported(office, 40, 36, 32, *range(29, 19, -1), 14, as_history=True, intake=True)

    attended(office)

    assert told(office) == []
    assert office.rows(trend_checks) != []


def test_an_import_of_history_that_rises_until_now_is_told(office: Office) -> None:
    reported(office, 40, 30, 22, *range(8, 0, -1), as_history=True, intake=True)

    attended(office)

    assert kinds(office) == ["rising"]


# The share of chance


def test_a_share_of_chance_that_rises_is_told(office: Office) -> None:
    office.do(office.adoption({"threshold": 30}))
    reported(office, *(*range(20, 8, -1),) * 2, recovery_barrier="staff_check")
    attended(office)
    assert told(office) == []

    reported(office, *(*range(8, 0, -1),) * 2, recovery_barrier="chance")
    attended(office)

    (signal,) = told(office)
    assert (signal["kind"], signal["method"]) == ("chance_share", "fisher_exact")
    assert signal["statistic"] < signal["limit"] == 0.01
    assert signal["recent"] > signal["baseline"] == 0
    assert "by chance alone" in signal["says"]


# Silence


def test_a_service_that_falls_silent_is_told_once_for_each_silence(office: Office) -> None:
    endpoint_id = register(office, "reporting.drought")
    goes_by(office, *(1,) * 20)
    lived(office, *(0,) * 8)

    (signal,) = told(office)
    assert (signal["kind"], signal["measure"], signal["baseline"]) == ("drought", "days_without_report", 1)
    assert signal["p"] < signal["limit"] <= 0.01
    assert signal["since"] == "2026-07-13T10:00:00.000000Z"
    assert "No near miss was reported in willow-house for " in signal["says"]
    assert [one["type"] for one in bodies(office, endpoint_id)] == ["reporting.drought"]

    answer(office, signal["id"])
    goes_by(office, 1, *(0,) * 9)
    attended(office)

    assert kinds(office) == ["drought", "drought"]
    assert told(office)[1]["since"] > signal["since"]


def test_a_source_that_falls_silent_while_its_service_reports_is_told_by_its_name(office: Office) -> None:
    office.do(office.adoption({"threshold": 30}))
    for week in range(30):
        if week < 20:
            office.submit(
                source="emar", source_event_id=f"e-{week}", occurred_at=office.clock().isoformat(), workflow_link=LINK
            )
        goes_by(office, 1)
    attended(office)

    (signal,) = told(office)
    assert (signal["kind"], signal["source"]) == ("drought", "emar")
    assert "in willow-house through emar for " in signal["says"]


def test_a_source_whose_silence_was_told_is_not_told_again_as_a_drought(office: Office) -> None:
    command = Declare("emar", "P14D", "willow-house")
    office.do(office.command(lambda desk, cause: quiet.declare(desk, cause, "emar", command, None), "emar"))
    for week in range(20):
        office.submit(
            source="emar", source_event_id=f"e-{week}", occurred_at=office.clock().isoformat(), workflow_link=LINK
        )
        goes_by(office, 0)

    office.follow()
    office.clock.go_on(weeks=12)
    tick(office.house, "worker", NOW)
    attended(office)

    assert "source.silent" in office.types()
    assert told(office) == []


def test_a_drought_is_not_told_when_somebody_reports_while_it_is_noticed(office: Office) -> None:
    goes_by(office, *(1,) * 20)
    office.clock.go_on(weeks=12)
    office.follow()
    (looked,) = SignalWatch(office.house).look(office.organisation)
    office.submit(occurred_at=office.clock().isoformat())

    office.house.ask_all(looked.commands)

    assert len(looked.commands) == 1
    assert told(office) == []


# However many workers, and however they end


def test_two_workers_that_notice_the_same_tell_it_once(office: Office) -> None:
    in_alarm(office)
    looked = [SignalWatch(office.house).look(office.organisation) for _ in range(2)]

    office.house.ask_all([command for found in looked for one in found for command in one.commands])

    assert [len(one.commands) for found in looked for one in found] == [1, 1]
    assert kinds(office) == ["rising"]


def test_a_worker_that_was_killed_before_it_told_or_wrote_down_what_it_noticed_changes_nothing(office: Office) -> None:
    in_alarm(office)
    SignalWatch(office.house).look(office.organisation)  # Killed: nobody was told.
    (looked,) = SignalWatch(office.house).look(office.organisation)
    office.house.ask_all(looked.commands)  # Killed: told, and not written down.
    assert office.rows(trend_checks) == []

    assert attended(office) == 0

    assert kinds(office) == ["rising"]
    assert [row[1] for row in office.rows(trend_checks)] == ["willow-house"]
    assert SignalWatch(office.house).look(office.organisation) == []


def test_many_services_are_looked_at_so_many_at_once_and_each_once_a_day(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_watch, "AT_ONCE", 2)
    for n in range(5):
        office.submit(service_id=f"service-{n}", occurred_at="2026-02-03")
    attendant = Attendant(office.house)
    seen: list[int] = []

    for _ in range(4):
        attended(office, attendant)
        seen.append(len(office.rows(trend_checks)))
    office.clock.go_on(days=1)
    (first, *_) = SignalWatch(office.house).look(office.organisation)

    assert seen == [2, 4, 5, 5]
    assert first.service_id == "service-0"


def test_nobody_looks_while_what_is_counted_is_far_behind(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    in_alarm(office)
    monkeypatch.setattr(signal_watch, "PAGE", 0)
    office.submit(service_id="elsewhere")

    assert SignalWatch(office.house).look(office.organisation) == []


# Answered


def test_somebody_answers_for_the_service_and_their_words_are_sealed(office: Office) -> None:
    signal = rising(office)
    manager = office.person(MANAGER)

    answered = answer(office, signal["id"], "Two seniors left in January.", manager)

    assert (answered["status"], answered["version"]) == ("acknowledged", 2)
    assert answered["acknowledgement"]["note"] == "Two seniors left in January."
    assert answered["acknowledgement"]["by"] == MANAGER
    assert "Two seniors" not in "".join(one.payload for one in office.ledger())
    assert {name: answered[name] for name in ("says", "statistic", "since")} == {
        name: signal[name] for name in ("says", "statistic", "since")
    }

    assert answer(office, signal["id"], "Two seniors left in January.", manager) == answered
    for note, actor in (("Something else.", manager), ("Two seniors left in January.", KEY)):
        with pytest.raises(AlreadyAcknowledged) as refusal:
            answer(office, signal["id"], note, actor)
        assert document_of(refusal.value)["status"] == 409
    assert office.types().count("signal.acknowledged") == 1


def test_what_nobody_knows_is_not_answered_and_what_has_changed_neither(office: Office) -> None:
    signal = rising(office)

    with pytest.raises(NotFound):
        answer(office, "sig_none")
    with pytest.raises(PreconditionFailed):
        answer(office, signal["id"], if_match=7)

    assert told(office)[0]["status"] == "open"


def test_an_answer_holds_for_eight_weeks_and_what_goes_on_rising_is_told_again(office: Office) -> None:
    office.do(office.adoption({"threshold": 9}))
    first = rising(office)
    answer(office, first["id"])

    goes_by(office, *(1, 2, 1, 2, 1, 2, 1))
    lived(office, 2)
    assert kinds(office) == ["rising"]
    lived(office, 1)

    again = told(office)[1]
    assert (again["kind"], again["status"]) == ("rising", "open")
    assert monday_of(date.fromisoformat(again["since"][:10]).toordinal()) > monday_of(
        date.fromisoformat(first["raised_at"][:10]).toordinal()
    )


def test_what_is_not_answered_is_carried_into_a_governance_review_as_it_was_known_then(office: Office) -> None:
    signal = rising(office)
    then, until = len(office.ledger()), to_micros(office.clock()) + 1
    raised_at = next(row[9] for row in office.rows(signals))
    answer(office, signal["id"])

    with office.house.reader(office.organisation) as reader:
        assert signalling.unanswered(reader, None, until) == []
    with office.house.reader(office.organisation, then) as reader:
        (carried,) = signalling.unanswered(reader, ["willow-house"], until)
        assert (carried["id"], carried["status"]) == (signal["id"], "open")
        assert "acknowledgement" not in carried
        assert signalling.unanswered(reader, ["ash-court"], until) == []
        assert signalling.unanswered(reader, None, raised_at) == []
        assert signalling.show(reader, signal["id"]) == signal
    with office.house.reader(office.organisation, signal["sequence"] - 1) as reader:
        assert signalling.unanswered(reader, None, until) == []
        with pytest.raises(NotFound):
            signalling.show(reader, signal["id"])


# Made anew


def test_what_is_known_of_signals_is_made_of_the_ledger_again(office: Office) -> None:
    answer(office, rising(office)["id"])
    office.do(office.correction(office.submit()["id"], service_id="ash-court", occurred_at="2026-01-01"))
    attended(office)
    before = {table: office.rows(table) for table in (signals, trend_watch)}

    rebuild(office.house, office.organisation, "signals")
    rebuild(office.house, office.organisation, "trend_watch")

    assert {table: office.rows(table) for table in (signals, trend_watch)} == before
    assert [row[1:3] for row in before[trend_watch]] == [("ash-court", ""), ("willow-house", "")]


def test_following_event_by_event_keeps_the_rows_that_following_at_once_keeps(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        office.submit(source="emar" if n % 2 else None, source_event_id=f"e-{n}" if n % 2 else None)
    office.do(office.correction(office.submit()["id"], occurred_at="2026-01-01"))
    office.follow()
    at_once = office.rows(trend_watch)
    with office.house.database.write() as connection:
        connection.execute(delete(trend_watch))
        connection.execute(update(followers).where(followers.c.name == "trend_watch").values(position=0))
    monkeypatch.setattr("app.operations.follow.PAGE", 1)

    office.follow()

    assert office.rows(trend_watch) == at_once
