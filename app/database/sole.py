"""SQLite is served by one process: whoever serves holds a lock on a file beside the database."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class AlreadyServed(Exception):
    """Another process serves this database; `str()` says what to do."""


@contextmanager
def holding(database: Path) -> Generator[None]:
    """Hold the lock while the block runs; the kernel gives it back however the process ends."""
    path = database.with_name(f"{database.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServed(
                f"Another process serves {database.name} already: stop it first, or use PostgreSQL for several."
            ) from None
        yield
    finally:
        os.close(descriptor)
