"""What holds of the whole tree: tests that read the project's files."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"

_NOT_OURS = {".git", ".venv", ".hypothesis", ".pytest_cache", ".ruff_cache", ".import_linter_cache", "__pycache__"}
_BUILT = {"build", "dist"}


def modules(folder: Path) -> list[Path]:
    """Every Python module under a folder that says something."""
    return sorted(path for path in folder.rglob("*.py") if path.read_text(encoding="utf-8").strip())


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project with what it says; what tools leave behind and data apart."""
    yield from _texts(ROOT, _NOT_OURS | _BUILT)


def _texts(folder: Path, left_out: set[str]) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()):
        if path.name in left_out:
            continue
        if path.is_dir():
            yield from _texts(path, _NOT_OURS)
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # A database, a picture: no promise is made in it.
