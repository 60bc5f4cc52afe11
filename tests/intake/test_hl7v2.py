"""HL7 v2 messages are read by the delimiters that they state, whatever ends their lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.intake.hl7v2 import parse
from app.intake.refusals import PayloadNotUnderstood
from tests.cases import CASES

FIXTURE = (CASES / "fixtures" / "hl7v2_ras_o17_not_administered.synthetic.hl7").read_bytes().decode()
MSH = r"MSH|^~\&|EMAR|HOME|HUB|HUB|20261120091500||RAS^O17|M1|P|2.5.1"


def test_a_field_is_found_by_its_number() -> None:
    document = parse(FIXTURE)

    assert document["MSH"][0]["9"] == [{"1": "RAS", "2": "O17", "3": "RAS_O17"}]
    assert document["PID"][0]["3"] == [{"1": "CLIENT-0042", "4": "CAREHOME1"}]
    assert document["orders"][0]["RXA"][0]["20"] == [{"1": "NA"}]
    assert document["offset"] == "+0000"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r"])
def test_segments_end_with_any_line_end(end: str) -> None:
    assert parse(FIXTURE.replace("\r", end)) == parse(FIXTURE)


def test_the_frame_of_the_lower_layer_is_taken_off() -> None:
    assert parse(f"\x0b{FIXTURE}\x1c\r") == parse(FIXTURE)


def test_what_follows_an_order_belongs_to_it() -> None:
    document = parse(f"{MSH}\rPID|1||C-1\rORC|RE|1\rRXA|0\rRXA|1\rORC|RE|2\rRXA|2")

    assert [[one["1"] for one in order["RXA"]] for order in document["orders"]] == [
        [[{"1": "0"}], [{"1": "1"}]],
        [[{"1": "2"}]],
    ]
    assert "offset" not in document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a \T\ b", "a & b"),
        (r"\F\\S\\R\\E\\T\ ", "|^~\\& "),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\loud\N\ ", "loud "),
        (r"caf\XC3A9\ ", "café "),
        (r"\Zown\ ", r"\Zown\ "),
        (r"a \ alone", r"a \ alone"),
        (r"\X00\ ", " "),
    ],
)
def test_escape_sequences_stand_for_what_they_mean(written: str, meant: str) -> None:
    document = parse(f"{MSH}\rNTE|1||{written}|")

    assert document["NTE"][0]["3"] == [{"1": meant}]


def test_repetitions_components_and_subcomponents_are_parted_as_the_message_says() -> None:
    document = parse("MSH$*!?%$EMAR$HOME\rPID$1$$A*B!C%D*\r")

    assert document["PID"][0]["3"] == [{"1": "A", "2": "B"}, {"1": {"1": "C", "2": "D"}}]


def test_empty_and_deleted_values_are_left_out() -> None:
    assert parse(f'{MSH}\rPID|1||""||^^\r')["PID"] == [{"1": [{"1": "1"}]}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PID|1",
        "MSH",
        "MSH||||||",
        "MSH|^^~&|EMAR",
        "MSH|ABCD|EMAR",
        f"{MSH}\rno segment|1",
        f"{MSH}\r{MSH}",
        f"{MSH}\rNTE|\x00",
        MSH + "\rNTE|1" * 2001,
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(PayloadNotUnderstood):
        parse(text)


@given(st.text() | st.text('|^~\\&\rMSHORC1"').map(lambda rest: MSH + "\r" + rest))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    try:
        document = parse(text)
    except PayloadNotUnderstood:
        return
    assert "MSH" in document
