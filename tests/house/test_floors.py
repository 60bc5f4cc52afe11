"""The ground floor stands on the standard library alone, and on none of its doors to the world outside."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import APP, modules

DOORS_OUT = {"asyncio", "http", "io", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "time"}


@pytest.mark.parametrize("module", modules(APP / "domain"), ids=lambda path: path.name)
def test_a_domain_module_imports_the_standard_library_and_the_domain_only(module: Path) -> None:
    imported = set(imports(module))

    strangers = {name for name in imported if name.partition(".")[0] not in {*sys.stdlib_module_names, "app"}}
    upstairs = {name for name in imported if name.startswith("app.") and not name.startswith("app.domain")}

    assert strangers == set()
    assert upstairs == set()


@pytest.mark.parametrize("module", modules(APP / "domain"), ids=lambda path: path.name)
def test_a_domain_module_has_no_clock_no_input_and_no_chance(module: Path) -> None:
    assert {name.partition(".")[0] for name in imports(module)} & DOORS_OUT == set()


def imports(module: Path) -> Iterator[str]:
    """The full name of everything that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=name, level=0) if name:
                yield name
