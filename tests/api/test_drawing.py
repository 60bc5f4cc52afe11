"""Pages and pictures: whatever is put into one, it stays what it is."""

from xml.etree import ElementTree as ET

import pytest
from jinja2 import UndefinedError

from app.api import drawing
from app.api.drawing import HTML, drawn


@pytest.mark.parametrize("name", ["<b>&\"'", "U+FFFE \ufffe and \uffff", "bell \x07 and \x0b", "ünï 😀 \u202e"])
def test_whatever_a_thing_is_called_the_picture_stays_well_formed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = drawing._TEMPLATES.from_string('<svg xmlns="http://www.w3.org/2000/svg"><title>{{ name }}</title></svg>')

    (title,) = ET.fromstring(template.render(name=name))

    assert title.text is not None
    assert title.text[0] == name[0]


def test_what_a_template_was_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        drawing._TEMPLATES.from_string("{{ nothing }}").render()


def test_a_browser_runs_nothing_of_a_page() -> None:
    assert "default-src 'none'" in drawn(HTML, "<p>").headers["content-security-policy"]
