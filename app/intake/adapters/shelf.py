"""The adapters of a process: those that are shipped, and the operator's own beside or in place of them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from app.domain.decider import Invalid
from app.intake.adapters.adapter import Adapter
from app.intake.adapters.document import parse_adapter

Adapters = Mapping[str, Adapter]
"""Name → adapter."""


class MappingRefused(Exception):
    """A mapping file cannot be used; `str()` names the file and what is wrong in it."""


def shelf(own: Path | None = None) -> Adapters:
    """Every adapter by its name. A file of the directory `own` stands over the shipped one of its name."""
    found = dict(_shipped())
    if own is not None:
        if not own.is_dir():
            raise MappingRefused(f"FOREWARN_MAPPINGS names {own}, which is no directory.")
        found |= dict(_read((file.name, file.read_bytes()) for file in sorted(own.glob("*.toml"))))
    return MappingProxyType(dict(sorted(found.items())))


@cache
def _shipped() -> Adapters:
    folder = resources.files("app.intake.adapters").joinpath("shipped")
    return dict(_read((file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".toml")))


def _read(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, Adapter]]:
    for name, content in files:
        try:
            adapter = parse_adapter(content.decode("utf-8"))
        except UnicodeDecodeError:
            raise MappingRefused(f"{name} is not UTF-8.") from None
        except Invalid as refusal:
            faults = "; ".join(f"{fault.pointer or 'the file'}: {fault.detail}" for fault in refusal.faults)
            raise MappingRefused(f"The mapping {name} cannot be used. {faults}") from None
        if name != f"{adapter.name}.toml":
            raise MappingRefused(f"The mapping {name} is named {adapter.name} inside: let both say the same.")
        yield adapter.name, adapter
