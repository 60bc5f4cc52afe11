"""What draws the pages and pictures of an evidence pack, for the worker that builds it a floor below."""

from collections.abc import Mapping
from typing import Any

from app.api.drawing import rendered
from app.api.minutes_drawing import markdown
from app.api.minutes_drawing import page as minutes_page
from app.api.trend_picture import picture
from app.operations.pack_building import Pictures


def _trends(found: Mapping[str, Any]) -> str:
    return rendered("trend.svg.jinja", **picture(found, None))


def _index(context: Mapping[str, Any]) -> str:
    return rendered("evidence.html.jinja", **context) + "\n"


PICTURES = Pictures(_trends, minutes_page, markdown, _index)
