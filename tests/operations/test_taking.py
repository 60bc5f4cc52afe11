"""What care systems send, taken in: once and for ever, revised by its source, together when it was late together."""

import pytest

from app.database.tables import intake_records, intake_rounds, near_misses, sources
from app.domain.decider import Invalid
from app.operations.intake_records import records
from app.operations.job import SourceEventConflict
from app.operations.rebuild import rebuild
from app.projections.inline import tables_of
from tests.care import OMITTED, ON_TIME, REPORT, dose, event, reported, visit
from tests.office import LINK, Office, answers_of, opened


def near_miss_count(office: Office) -> int:
    return len(office.rows(near_misses))


def test_an_event_sent_again_is_a_duplicate_and_with_other_content_a_conflict(database_url: str) -> None:
    with opened(database_url) as office:
        first = office.take(dose("d-1"))

        resent = office.take({**dose("d-1"), "time": "2026-03-02T09:30:00Z", "traceparent": "00-1"})
        with pytest.raises(SourceEventConflict):
            office.take(dose("d-1", tolerance_minutes=45))
        with pytest.raises(SourceEventConflict):
            office.submit(source="urn:provider:acme:emar", source_event_id="d-1")
        elsewhere = office.take(dose("d-1", source="urn:other:emar"))

        assert first["status"] == "accepted"
        assert resent == {**first, "status": "duplicate"}
        assert elsewhere["status"] == "accepted"
        assert elsewhere["near_miss_id"] != first["near_miss_id"]
        assert office.types().count("intake.received") == 2


def test_a_near_miss_that_was_submitted_and_one_that_came_as_an_event_share_their_names(database_url: str) -> None:
    with opened(database_url) as office:
        submitted = office.submit(**REPORT, source="urn:provider:acme:emar", source_event_id="r-1")
        came = office.take(reported("r-2"))

        again = office.take(reported("r-1"))
        posted = office.submit(**REPORT, source="urn:provider:acme:emar", source_event_id="r-2")
        nothing = office.take(dose("d-1", **ON_TIME))

        assert (again["status"], again["near_miss_id"]) == ("duplicate", submitted["id"])
        assert posted["id"] == came["near_miss_id"]
        with pytest.raises(SourceEventConflict):
            office.take(reported("r-1", deviation="late"))
        with pytest.raises(SourceEventConflict):
            office.submit(**REPORT, source="urn:provider:acme:emar", source_event_id="d-1")
        assert nothing["outcome"] == "not_a_near_miss"
        assert near_miss_count(office) == 2


def test_a_newer_word_on_the_same_dose_revises_what_it_made(database_url: str) -> None:
    with opened(database_url) as office:
        planned = office.take(dose("d-1", at="08:01", **{**OMITTED, "status": "held"}))
        made = office.take(dose("d-2", at="08:40", **OMITTED, staff_ref=None))
        office.do(office.correction(made["near_miss_id"], deviation="wrong_dose"))

        revised = office.take(dose("d-3", at="08:50"))
        same = office.take(dose("d-4", at="08:51"))
        older = office.take(dose("d-5", at="08:30", **ON_TIME))
        shown = office.near_miss(made["near_miss_id"])
        taken_back = office.take(dose("d-6", at="09:00", **ON_TIME))
        gone = office.near_miss(made["near_miss_id"])
        anew = office.take(dose("d-7", at="09:10"))

        assert (planned["outcome"], "near_miss_id" in planned) == ("not_a_near_miss", False)
        assert made["outcome"] == "recognised"
        assert (revised["outcome"], revised["near_miss_id"]) == ("revised", made["near_miss_id"])
        assert (same["outcome"], same["reason"]) == ("unchanged", "nothing_new")
        assert (older["outcome"], older["reason"]) == ("superseded", "superseded_by_newer")
        assert (shown["classification"], shown["staff_involved"]) == ("near_miss", [{"ref": "staff-7"}])
        assert shown["deviation"] == "wrong_dose"  # What a person has said stands.
        assert shown["revisions"][1]["revised_by"]["source_event_id"] == "d-3"
        assert shown["awaiting"] == ["contributing_factors"]
        assert (taken_back["outcome"], gone["status"]) == ("withdrawn", "withdrawn")
        assert anew["outcome"] == "recognised"
        assert anew["near_miss_id"] != made["near_miss_id"]


def test_a_newer_word_that_says_less_takes_nothing_back(database_url: str) -> None:
    with opened(database_url) as office:
        omitted = office.take(dose("d-1", at="08:40", **OMITTED))
        late = office.take(visit("v-1", at="08:45"))
        missed = office.take(visit("v-2", at="08:46", visit_id="v-9", status="missed", actual_start=None))

        given = office.take(dose("d-2", at="09:00", administered_at=None))
        done = office.take(visit("v-3", at="09:00", status="completed", actual_start=None))
        approved = office.take(visit("v-4", at="09:00", visit_id="v-9", status="completed", actual_start=None))

        for before, after in ((omitted, given), (late, done), (missed, approved)):
            assert (after["outcome"], after["reason"]) == ("unchanged", "says_less")
            assert after["near_miss_id"] == before["near_miss_id"]
            assert office.near_miss(before["near_miss_id"])["status"] == "awaiting_details"


def test_what_people_ended_no_source_begins_again_and_what_nobody_understands_changes_nothing(
    database_url: str,
) -> None:
    with opened(database_url) as office:
        made = office.take(dose("d-1", at="08:40"))

        unknown = office.take(dose("d-2", at="08:50", status="weird"))
        after_it = office.take(dose("d-3", at="08:55", **OMITTED))
        office.do(office.withdrawal(made["near_miss_id"]))
        left = office.take(dose("d-4", at="09:00", **OMITTED, reason="asleep"))

        assert (unknown["outcome"], unknown["near_miss_id"]) == ("unmapped", made["near_miss_id"])
        assert after_it["outcome"] == "revised"
        assert (left["outcome"], left["reason"]) == ("unchanged", "already_withdrawn")
        assert near_miss_count(office) == 1


def test_what_one_of_two_systems_takes_back_stands_by_the_word_of_the_other(database_url: str) -> None:
    with opened(database_url) as office:
        master = office.take(dose("d-1", **OMITTED))["near_miss_id"]
        office.do(office.duplicate(office.take(reported("r-1"))["near_miss_id"], master))

        taken_back = office.take(dose("d-2", at="09:00", **ON_TIME))

        assert taken_back["outcome"] == "withdrawn"
        assert office.near_miss(master)["status"] == "awaiting_details"


def test_a_source_that_takes_back_what_raised_an_escalation_closes_nothing(database_url: str) -> None:
    with opened(database_url) as office:
        for number in range(3):
            office.take(dose(f"d-{number}", person_ref=f"resident-{number}", **OMITTED))
        (raised,) = office.open_escalations()

        office.take(dose("d-9", at="09:30", person_ref="resident-2", **ON_TIME))

        (standing,) = office.open_escalations()
        assert len(raised["members"]) == 3
        assert [one["kind"] for one in standing["members"]].count("withdrawn") == 1
        assert "support_below_threshold" in standing["flags"]


def test_twenty_late_doses_of_one_round_are_one_near_miss_of_twenty_persons(database_url: str) -> None:
    with opened(database_url) as office:
        round_ = [
            dose(f"d-{n}", person_ref=f"resident-{n}", scheduled_at=f"2026-03-02T08:{n:02}:00Z") for n in range(20)
        ]
        jobs = [office.event(one) for one in round_]
        taken = [answer.body for answer in answers_of(office.house.try_all(jobs))]
        (near_miss_id,) = {one["near_miss_id"] for one in taken}

        second_drug = office.take(dose("d-20", person_ref="resident-3", medication="Keppra"))
        next_round = office.take(
            dose(
                "d-21",
                person_ref="resident-1",
                scheduled_at="2026-03-02T12:00:00Z",
                administered_at="2026-03-02T12:40:00Z",
            ),
        )
        shown = office.near_miss(near_miss_id)

        assert [one["outcome"] for one in taken] == ["recognised", *["joined"] * 19]
        assert second_drug["near_miss_id"] == near_miss_id
        assert (shown["persons_affected"], len(shown["further_persons"])) == (20, 19)
        assert len(shown["other_sources"]) == 20
        assert shown["frequency"] == 1
        assert next_round["outcome"] == "recognised"
        assert next_round["near_miss_id"] != near_miss_id
        assert len(office.rows(intake_records)) == 22
        assert len(office.rows(intake_rounds)) == 2


def test_a_round_is_told_in_any_order_and_begins_anew_once_its_near_miss_was_withdrawn(database_url: str) -> None:
    def due(minute: int) -> dict[str, str]:
        return {"person_ref": f"resident-{minute}", "scheduled_at": f"2026-03-02T08:{minute:02}:00Z"}

    with opened(database_url) as office:
        first = office.take(dose("d-1", **due(20)))
        earlier = office.take(dose("d-2", **due(5)))
        office.do(office.withdrawal(first["near_miss_id"]))

        anew = office.take(dose("d-3", **due(10)))
        with_it = office.take(dose("d-4", **due(0)))

        assert earlier["near_miss_id"] == first["near_miss_id"]
        assert anew["outcome"] == "recognised"
        assert with_it["near_miss_id"] == anew["near_miss_id"] != first["near_miss_id"]


def test_what_a_source_says_no_more_is_taken_out(database_url: str) -> None:
    with opened(database_url) as office:
        saved = office.take(dose("d-1", at="08:40", saved_by_alert_at="2026-03-02T08:30:00Z"))
        before = office.near_miss(saved["near_miss_id"])

        office.take(dose("d-2", at="08:50"))

        after = office.near_miss(saved["near_miss_id"])
        assert (before["recovery_barrier"], before["deviation"]) == ("system_alert", "omitted")
        assert after["deviation"] == "late"
        assert after.keys() & {"recovery_barrier", "discovered_at"} == set()


def test_one_of_a_round_is_taken_back_or_turns_out_graver_and_the_others_stand(database_url: str) -> None:
    with opened(database_url) as office:
        for name in "abc":
            office.take(dose(f"d-{name}", person_ref=name))
        (near_miss,) = office.rows(near_misses)
        near_miss_id = near_miss[1]

        alike = office.take(dose("d-b2", at="08:50", person_ref="b", administered_at="2026-03-02T08:45:00Z"))
        first = office.take(dose("d-a2", at="08:50", person_ref="a", **ON_TIME))
        after_first = office.near_miss(near_miss_id)
        graver = office.take(dose("d-b3", at="08:55", person_ref="b", **OMITTED))
        after_graver = office.near_miss(near_miss_id)
        last = office.take(dose("d-c2", at="08:55", person_ref="c", **ON_TIME))

        assert (alike["outcome"], alike["reason"]) == ("unchanged", "part_of_a_round")
        assert (first["outcome"], after_first["status"]) == ("withdrawn", "awaiting_details")
        assert (after_first["person_ref"], after_first["further_persons"]) == ("b", ["c"])
        assert (graver["outcome"], graver["near_miss_id"] == near_miss_id) == ("recognised", False)
        assert (after_graver["person_ref"], after_graver["persons_affected"]) == ("c", 1)
        assert office.near_miss(graver["near_miss_id"])["classification"] == "no_harm_incident"
        assert (last["outcome"], office.near_miss(near_miss_id)["status"]) == ("withdrawn", "withdrawn")


def test_what_the_rota_knew_completes_the_workflow_link(database_url: str) -> None:
    with opened(database_url) as office:
        made = office.take(visit("v-1/1", travel=None))
        near_miss_id = made["near_miss_id"]
        before = office.near_miss(near_miss_id)
        later = office.take(visit("v-1/2", at="09:30", status="completed"))
        after = office.near_miss(near_miss_id)
        prefill = after["workflow_prefill"]
        own = {"staff_allocation": {"planned": 2, "actual": 1}}

        linked = office.do(office.link(near_miss_id, stage_affected="travel", stage_allowed="plan", mapped_against=own))

        assert later["outcome"] == "revised"
        assert set(before["workflow_prefill"]) == {"scheduling", "staff_allocation"}
        assert (before.get("stage_affected"), after["stage_affected"]) == (None, "travel")
        assert prefill["travel_time"] == {"planned_minutes": 15, "actual_minutes": 48}
        assert linked["workflow_link"]["mapped_against"] == {**prefill, **own}
        assert linked["workflow_link"]["system_used"] == LINK["system_used"]


def test_harm_is_a_reference_that_nobody_is_chased_for(database_url: str) -> None:
    with opened(database_url) as office:
        office.do(office.adoption({}))
        for number in range(3):
            office.take(dose(f"d-{number}", person_ref=f"resident-{number}", **OMITTED))
        harm = {"service_id": "willow-house", "incident_type": "medication", "harm": "severe"}

        taken = office.take(event("i-1", "incident", {**harm, "occurred_at": "2026-03-02", "reference": "IR-7"}))

        shown = office.near_miss(taken["near_miss_id"])
        (escalation,) = office.open_escalations()
        assert (taken["outcome"], shown["classification"]) == ("harm_incident", "harm_incident")
        assert (shown["next_deadlines"], shown.get("awaiting")) == ([], None)
        assert {one["near_miss_id"]: one["kind"] for one in escalation["members"]}[shown["id"]] == "related"
        assert "escalation.re_alarmed" in office.types()


def test_a_report_that_is_not_valid_is_refused_with_pointers_and_nothing_is_kept(database_url: str) -> None:
    with opened(database_url) as office:
        bad = [
            reported("r-1", contributing_factors=[7]),
            reported("r-2", occurred_at=None),
            event("x-1", "weather", {}),
            {**dose("d-1"), "source": "forewarn"},
        ]
        faults = []
        for sent in bad:
            with pytest.raises(Invalid) as refused:
                office.take(sent)
            faults.append([(one.pointer, one.code) for one in refused.value.faults])

        assert faults == [
            [("/data/contributing_factors/0", "wrong-type")],
            [("/data/occurred_at", "missing")],
            [("/type", "unknown-event-type")],
            [("/source", "reserved")],
        ]
        assert office.rows(intake_records) == []
        assert office.rows(sources) == []


def test_codes_that_nobody_here_knows_never_lose_a_report(database_url: str) -> None:
    with opened(database_url) as office:
        taken = office.take(
            reported(
                "r-1",
                incident_type="mischief",
                deviation="odd",
                classification="serious",
                contributing_factors=["bad luck", "workload"],
                recovery_barrier="an angel",
                potential_harm="enormous",
                workflow_link={"stage_allowed": "nowhere"},
            )
        )
        bare = office.take(reported("r-2", contributing_factors=["bad luck"]))

        record = office.near_miss(taken["near_miss_id"])
        with office.house.reader(office.organisation) as reader:
            (kept,) = records(reader, [taken["intake_record_id"]])
        assert (record["incident_type"], record["deviation"], record["classification"]) == (
            "other",
            "other",
            "near_miss",
        )
        assert (record["contributing_factors"], record["similarity_check"]["rules"][0]["count"]) == (["workload"], 1)
        assert {(one["field"], one["code"]) for one in kept["unmapped"]} == {
            ("incident_type", "mischief"),
            ("deviation", "odd"),
            ("classification", "serious"),
            ("contributing_factors", "bad luck"),
            ("recovery_barrier", "an angel"),
            ("potential_harm", "enormous"),
            ("stage_allowed", "nowhere"),
        }
        assert office.near_miss(bare["near_miss_id"])["awaiting"] == ["contributing_factors"]


def test_what_our_own_rules_make_invalid_is_kept_as_not_understood(database_url: str) -> None:
    with opened(database_url) as office:
        taken = office.take(dose("d-1", at="08:45", scheduled_at="2027-03-02T08:00:00Z", **OMITTED))

        assert (taken["outcome"], taken["reason"]) == ("not_understood", "submission_not_valid")
        assert near_miss_count(office) == 0


def test_twenty_at_once_are_one_record_and_a_rebuild_is_equal(database_url: str) -> None:
    with opened(database_url) as office:
        answers = answers_of(office.house.try_all([office.event(dose("d-1")) for _ in range(20)]))
        office.take(dose("d-2", person_ref="b"))
        office.take(dose("d-3", at="08:50", person_ref="b", **ON_TIME))
        office.take(dose("d-4", person_ref="c", **ON_TIME))
        office.take(reported("r-1"))
        before = {name: {table: office.rows(table) for table in tables_of(name)} for name in ("intake", "register")}

        for name in before:
            rebuild(office.house, office.organisation, name)

        assert [answer.body["status"] for answer in answers].count("accepted") == 1
        assert len({answer.body["intake_record_id"] for answer in answers}) == 1
        for name, tables in before.items():
            assert {table: office.rows(table) for table in tables_of(name)} == tables


def test_nothing_personal_stands_in_the_ledger_in_clear(database_url: str) -> None:
    with opened(database_url) as office:
        office.take(dose("d-1", reason="Mrs Abernathy was in the garden", colour="resident-31 wore blue"))
        office.take(dose("d-2", person_ref="resident-32"))

        written = "\n".join(one.payload for one in office.ledger())

        for word in ("resident-31", "resident-32", "staff-7", "Abernathy", "blue"):
            assert word not in written
        assert "colour" in written
