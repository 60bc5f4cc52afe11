"""Ids that are made before the first try: what a command records hangs on its own id, however often it is tried."""

import random
from uuid import UUID


def new_command_id(micros: int) -> str:
    """A UUID version 7 (RFC 9562): milliseconds first, so that what is recorded together is stored together.

    An id is no secret. Asking the system for its random bits would hand the interpreter to another thread each time.
    """
    value = random.getrandbits(128) & ~(0xFFFF_FFFF_FFFF << 80)
    value |= (micros // 1000 & 0xFFFF_FFFF_FFFF) << 80
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def near_miss_id_of(command_id: str) -> str:
    """The id of the near miss that a command records."""
    return "nm_" + command_id.replace("-", "")
