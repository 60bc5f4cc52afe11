"""The minutes of a governance review as a page that prints, and as Markdown; whatever people wrote is escaped."""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from app.api.drawing import rendered

_MARKS = re.compile(r"[\\`*_{}\[\]|~^$<>&@!]|:(?=//)|(?<=www)\.|^[#+=-]|^\d+[.)]")
"""What means something in Markdown; at the start of a line a heading, a rule, a list, a numbered one too."""

_BREAKS = re.compile(r"[^\S ]+")
"""Whatever ends a line somewhere."""


def page(minutes: Mapping[str, Any]) -> str:
    """The minutes as HTML."""
    return rendered("minutes.html.jinja", **minutes) + "\n"


def markdown(minutes: Mapping[str, Any]) -> str:
    """The minutes as Markdown: its lines are the ones that people wrote, and nobody's words begin a block."""
    return rendered("minutes.md.jinja", **minutes, md=escaped, lines=lines) + "\n"


def escaped(words: str) -> Markup:
    """Words as Markdown that shows them as they are: no mark-up, no HTML, no link, on one line."""
    return Markup(_MARKS.sub(_escape, _BREAKS.sub(" ", words).strip()))  # noqa: S704 - every mark is escaped


def lines(words: str, indent: int = 0) -> Markup:
    """Words as Markdown that shows them as they are, line by line and in paragraphs. `indent`: of all but the first
    line, so that they stay in the item of a list.
    """
    paragraphs: list[list[Markup]] = [[]]
    for line in map(escaped, words.splitlines()):
        if line:
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    hard, gap = f"\\\n{' ' * indent}", f"\n\n{' ' * indent}"
    return Markup(gap.join(hard.join(one) for one in paragraphs if one))  # noqa: S704 - every line is escaped


def _escape(found: "re.Match[str]") -> str:
    mark = found.group()
    if mark[0].isdigit():
        return f"{mark[:-1]}\\{mark[-1]}"
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}.get(mark, "\\" + mark)
