"""Vendors' payloads become events of ours, by mappings that are data (docs/intake.md)."""

from app.intake.adapters.adapter import Adapter
from app.intake.adapters.engine import MOST_ITEMS, again, apply, each_payload
from app.intake.adapters.item import Options, Part
from app.intake.adapters.shelf import Adapters, MappingRefused, shelf
from app.intake.refusals import PayloadNotUnderstood

__all__ = [
    "MOST_ITEMS",
    "Adapter",
    "Adapters",
    "MappingRefused",
    "Options",
    "Part",
    "PayloadNotUnderstood",
    "again",
    "apply",
    "each_payload",
    "shelf",
]
