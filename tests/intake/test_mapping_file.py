"""The mapping file is read strictly: whatever nobody knows is refused, and every fault is found at once."""

import re

import pytest

from app.domain.decider import Invalid
from app.domain.taxonomy import Change
from app.intake.mapping_file import parse_mapping
from app.intake.mappings import RowMapping
from tests.house import ROOT


def pointers(text: str) -> set[str]:
    with pytest.raises(Invalid) as refused:
        parse_mapping(text)
    return {fault.pointer for fault in refused.value.faults}


def test_an_empty_file_changes_nothing() -> None:
    assert parse_mapping("") == RowMapping()


def test_the_example_of_the_documentation_is_a_mapping_file() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "importing.md").read_text("utf-8"), re.DOTALL)

    mapping = parse_mapping(example)

    assert mapping.stages == ("stage_allowed",)
    assert mapping.codes == {"incident_type": {"dose_late": "medication"}, "deviation": {"dose_late": "late"}}
    assert mapping.extend is True


def test_terms_are_added_by_code_or_with_a_label() -> None:
    mapping = parse_mapping(
        """
        [taxonomy]
        incident_types = ["falls", { code = "skin", label = "Skin integrity" }]
        deviations = [{ incident_type = "falls", code = "near_fall" }]
        """
    )

    assert mapping.added == {
        "incident_types": (Change("falls", "Falls"), Change("skin", "Skin integrity")),
        "deviations": (Change("near_fall", "Near fall", "falls"),),
    }
    assert mapping.extend is False


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("feilds = {}", "/feilds"),
        ('[fields]\nservice = "raw.ward"', "/fields/service"),
        ("[fields]\nservice_id = 7", "/fields/service_id"),
        ('time_zone = "Europe/Atlantis"', "/time_zone"),
        ('time_zone = "../zone"', "/time_zone"),
        ('stage = "handover"', "/stage"),
        ("stage = []", "/stage"),
        ('[unknown]\nservice_id = "unknown"', "/unknown/service_id"),
        ("[unknown]\nservice_id = [[]]", "/unknown/service_id"),
        ('[codes.ward]\na = "b"', "/codes/ward"),
        ("[codes.incident_type]\na = 1", "/codes/incident_type/a"),
        ('[[skip]]\nfield = "a"\nvalues = ["b"]', "/skip/0/reason"),
        ('[[skip]]\nfield = "a"\nreason = "b"', "/skip/0/values"),
        ('[taxonomy]\nextend = "yes"', "/taxonomy/extend"),
        ('[taxonomy]\nwards = ["a"]', "/taxonomy/wards"),
        ('[taxonomy]\ndeviations = ["late"]', "/taxonomy/deviations/0"),
        ('[taxonomy]\nincident_types = [" "]', "/taxonomy/incident_types/0"),
        ("not toml", ""),
    ],
)
def test_what_nobody_knows_is_refused_where_it_stands(text: str, pointer: str) -> None:
    assert pointer in pointers(text)


def test_every_fault_is_found_at_once() -> None:
    assert pointers('sources = "a"\nstage = "b"\n[taxonomy]\nextend = 1') == {"/sources", "/stage", "/taxonomy/extend"}
