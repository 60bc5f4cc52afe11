"""Promises that the whole tree keeps: nothing of one machine in it, one asker of the clock, nothing left open.

They hold of what git would commit: measurements and databases that lie about, ignored by git, break none.
"""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import APP, ROOT, modules, texts

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TARGETS = ["setup", "run", "test", "soak", "check", "bench", "lock", "clean"]

REGISTRY = re.compile(r"(pypi|pythonhosted|npmjs|debian)\.(org|com|net)")
MACHINE = re.compile(r"(^|[^a-zA-Z.])/(work|tmp|farm|root|home)/[a-z]", re.MULTILINE)
ADDRESS = re.compile(r"[a-z]+://")
PINNED = re.compile(r"^[a-z0-9][a-z0-9._-]*==\S+.* \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", re.MULTILINE)
LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")

ASKS_THE_CLOCK = {
    *(f"{owner}.{ask}" for owner in ("datetime", "date", "dt") for ask in ("now", "utcnow", "today")),
    *(f"time.{ask}" for ask in ("time", "time_ns", "gmtime", "localtime", "ctime")),
    *(f"func.{ask}" for ask in ("now", "current_timestamp", "current_date", "clock_timestamp")),
}


def test_no_file_names_a_package_registry() -> None:
    assert [str(path) for path, text in texts() if REGISTRY.search(text)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [(str(path), found.group()) for path, text in texts() for found in MACHINE.finditer(text)] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="There is no git.")
def test_what_git_ignores_makes_no_promise(tmp_path: Path) -> None:
    lie_about(tmp_path, "new.md", "bench/results/a.json", "bench/kept.json")
    (tmp_path / "bench/.gitignore").write_text("/results/\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    assert told(tmp_path) == {"new.md", "bench/.gitignore", "bench/kept.json"}


def test_without_git_what_runs_leave_behind_makes_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lie_about(tmp_path, "new.md", "bench/results/a.json", "build/a.py", "app/build/a.py", "app/__pycache__/a.txt")

    assert told(tmp_path) == {"new.md", "app/build/a.py"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_every_package_by_hash_and_gives_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")

    unpinned = [line for line in PINNED.sub("", text).splitlines() if not line.lstrip().startswith("#")]

    assert unpinned == []
    assert ADDRESS.search(text) is None


def test_both_locks_agree_to_the_version() -> None:
    runtime, development = pins("runtime.txt"), pins("dev.txt")

    assert runtime
    assert runtime.items() <= development.items()


@pytest.mark.parametrize("target", TARGETS)
def test_make_has_the_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("module", modules(APP), ids=lambda path: str(path.relative_to(APP)))
def test_a_module_says_what_lives_in_it(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", modules(APP), ids=lambda path: str(path.relative_to(APP)))
def test_a_module_leaves_nothing_open(module: Path) -> None:
    assert LEFT_OPEN.findall(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "module", [path for path in modules(APP) if path != APP / "clock.py"], ids=lambda path: str(path.relative_to(APP))
)
def test_only_the_clock_asks_what_time_it_is(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))

    assert {name for node in ast.walk(tree) for name in names(node)} & ASKS_THE_CLOCK == set()


def lie_about(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("A text.", encoding="utf-8")


def told(folder: Path) -> set[str]:
    return {path.as_posix() for path, _ in texts(folder)}


def pins(lock: str) -> dict[str, str]:
    """Package → version of a lock."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def names(node: ast.AST) -> Iterator[str]:
    """The last two parts of an attribute (`datetime.now`); module and name of an import (`from time import time`)."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
            yield f"{owner}.{name}"
        case ast.ImportFrom(module=str(owner), names=imported):
            yield from (f"{owner}.{alias.name}" for alias in imported)
