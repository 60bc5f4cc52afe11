"""Writes openapi.yaml from the application: `python -m tools.openapi`. A test compares the two."""

from pathlib import Path
from typing import Any

import yaml

from app.main import create_app

FILE = Path(__file__).resolve().parents[1] / "openapi.yaml"
HEAD = "# Written by `python -m tools.openapi` from the application; do not edit it by hand.\n"


class Dumper(yaml.SafeDumper):
    """Writes text of several lines as it reads, and everything out in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


Dumper.add_representer(str, Dumper.text)


def rendered() -> str:
    """The document as the file holds it."""
    document = create_app().openapi()
    return HEAD + yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
