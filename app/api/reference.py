"""The API's reference at /docs: Swagger UI, served from here, so that it works where no other host can be reached.

The page may load nothing from elsewhere and run no script but the two files beside it: its policy says so.
"""

from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent / "static"
ASSETS = {
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "start.js": ("start.js", "text/javascript"),
    "icon.png": ("swagger-ui/favicon-32x32.png", "image/png"),
}
"""What the page loads: the name in its address → the file, and its media type."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Styles may stand in the page, for Swagger UI writes some there; scripts may not."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>forewarn: API reference</title>
<link rel="icon" type="image/png" href="docs/icon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same without it.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


@router.get("/docs")
async def read_reference() -> Response:
    """The page."""
    return HTMLResponse(PAGE, headers=HEADERS)


@router.get("/docs/{asset}")
async def read_asset(asset: str) -> Response:
    """A file that the page loads."""
    if asset not in ASSETS:
        raise HTTPException(404)
    file, media_type = ASSETS[asset]
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=3600"}
    return FileResponse(STATIC / file, media_type=media_type, headers=headers)
