"""The table cases that come with the design, and where further ones can be laid: `FOREWARN_CASES`."""

import json
import os
from pathlib import Path
from typing import Any

CASES = Path(os.environ.get("FOREWARN_CASES", Path(__file__).parent / "cases"))
SHARED = Path(__file__).resolve().parents[2] / "shared"


def load(name: str) -> Any:
    """The JSON document of one case file, by its name inside the cases directory."""
    return json.loads((CASES / name).read_text(encoding="utf-8"))
