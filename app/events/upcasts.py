"""How a payload of an older schema becomes one of the next: (name, version) → dict to dict, one step each."""

from collections.abc import Callable
from typing import Any

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: dict[tuple[str, int], Upcast] = {}
