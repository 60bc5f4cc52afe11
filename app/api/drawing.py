"""Pages and pictures, made from the templates beside this file: everything that is put into one is escaped.

A picture is SVG that needs nothing else: no script, no font, no style from elsewhere.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may have, however they are written."""


def _writable(value: Any) -> Any:
    if not isinstance(value, str) or _NO_XML.search(value) is None:
        return value
    cleaned = _NO_XML.sub("\ufffd", value)
    return Markup(cleaned) if isinstance(value, Markup) else cleaned  # noqa: S704 - it was markup before.


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_writable,
    trim_blocks=True,
    lstrip_blocks=True,
)

SVG = "image/svg+xml"
HTML = "text/html"
MARKDOWN = "text/markdown"


def rendered(template: str, **context: Any) -> str:
    """The template with what is put into it; a name that it knows and was not given is an error."""
    return _TEMPLATES.get_template(template).render(context)


def drawn(media_type: str, text: str) -> Response:
    """The answer that shows it. Whatever is in it, a browser runs nothing of it."""
    return Response(
        text,
        media_type=media_type,
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )
