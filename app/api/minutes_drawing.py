"""The minutes of a governance review as a page that prints, and as Markdown; whatever people wrote is escaped."""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from app.api.drawing import rendered

_MARKS = re.compile(r"[\\`*_{}\[\]|~^$<>&@!]|:(?=//)|(?<=www)\.|^[#+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
_BREAKS = re.compile(r"[^\S ]+")
"""Whatever ends a line somewhere."""


def page(minutes: Mapping[str, Any]) -> str:
    """The minutes as HTML."""
    return rendered("minutes.html.jinja", **minutes) + "\n"


def markdown(minutes: Mapping[str, Any]) -> str:
    """The minutes as Markdown: one line for each thing that was said, so that nobody's words begin a block."""
    return rendered("minutes.md.jinja", **minutes, md=escaped) + "\n"


def escaped(words: str) -> Markup:
    """Words as Markdown that shows them as they are: no mark-up, no HTML, no link, on one line."""
    return Markup(_MARKS.sub(_escape, _BREAKS.sub(" ", words).strip()))  # noqa: S704 - every mark is escaped


def _escape(found: "re.Match[str]") -> str:
    mark = found.group()
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}.get(mark, "\\" + mark)
