"""What holds of the whole tree: tests that read the project's files.

The project's files are those that git would commit: what it ignores (measurements, databases, caches) makes no promise.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"

_NOT_OURS = {".git", ".venv", ".hypothesis", ".pytest_cache", ".ruff_cache", ".import_linter_cache", "__pycache__"}
_BUILT = {Path("build"), Path("dist"), Path("bench/results")}


def modules(folder: Path) -> list[Path]:
    """Every Python module under a folder that says something."""
    return sorted(path for path in folder.rglob("*.py") if path.read_text(encoding="utf-8").strip())


def texts(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every text file that git would commit with what it says; without git all but what tools and runs leave behind."""
    for path in sorted(_of_git(root) or _of_folder(root, Path())):
        try:
            yield path, (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # A database, a picture: no promise is made in it.


def _of_git(root: Path) -> list[Path]:
    """What is tracked or new and not ignored; nothing where git is not, or knows nothing of this folder."""
    listing = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(listing, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    paths = {Path(name) for name in listed.decode("utf-8").split("\0") if name}
    return [path for path in paths if (root / path).is_file()]  # A deleted one is listed until that is committed.


def _of_folder(root: Path, folder: Path) -> Iterator[Path]:
    for path in (root / folder).iterdir():
        within = path.relative_to(root)
        if path.name in _NOT_OURS or within in _BUILT:
            continue
        if path.is_dir():
            yield from _of_folder(root, within)
        else:
            yield within
