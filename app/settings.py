"""What the surroundings may decide: environment variables with the prefix `FOREWARN_`."""

import re
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

from app.domain.moment import Span

OFF = "off"
_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour)")


class Settings(BaseSettings):
    """The service's settings; a value that cannot be used is refused at start with a sentence."""

    model_config = SettingsConfigDict(env_prefix="FOREWARN_", extra="ignore", frozen=True)

    database_url: str = "sqlite:///forewarn.db"
    """`sqlite:///path` or `postgresql://user:password@host/name`."""
    environment: Literal["development", "production", "test"] = "development"
    master_key: str | None = None
    """Base64 of 32 bytes; wraps the keys of personal data."""
    bootstrap_api_key: str | None = None
    """The first organisation's admin key: 32 to 128 visible ASCII characters."""
    clock: str | None = None
    """`file:PATH`, for tests only: the instant is read from the file at every ask."""
    rate_limit: str | None = None
    """For example `600/minute`, per key; off unless set."""
    queue_limit: int = 1024
    """Commands that may wait for the writer; one more is answered 503 with Retry-After."""
    command_deadline: float = 30.0
    """Seconds a command may wait before it is answered 503 and not carried out."""
    mappings: str = ""
    """A directory of mapping files (*.toml) that stand beside the shipped adapters, or over those of their name."""
    webhook_allow_networks: str = ""
    """CIDRs, separated by commas, that webhooks may reach although they are not global."""
    streams_per_key: int = 10
    """Streams of the ledger that one key may have open in one process."""
    nats_url: str | None = None
    """Servers of NATS, separated by commas, that the ledger is passed on to; `nats://` or `tls://`."""
    nats_credentials: Path | None = None
    """A file with the credentials for them."""
    ledger_name: str = "forewarn"
    """What the ledgers are called in signed checkpoints: `NAME/organisations/ID`. It stays as it was first chosen."""
    checkpoint_every: str = "PT1H"
    """How often a ledger in which something happened is signed (ISO 8601); `off`: only when somebody asks."""
    expected_checkpoints: Path | None = None
    """A file with signed notes, or a directory of such files: what the ledgers must be to be served."""
    evidence_kept: str = "P90D"
    """How long the bytes of an evidence pack are kept once it is ready (ISO 8601); `off`: for good."""

    @field_validator("bootstrap_api_key")
    @classmethod
    def _visible_ascii(cls, key: str | None) -> str | None:
        if key is not None and not re.fullmatch(r"[!-~]{32,128}", key):
            raise ValueError("FOREWARN_BOOTSTRAP_API_KEY takes 32 to 128 visible ASCII characters.")
        return key

    @field_validator("rate_limit")
    @classmethod
    def _a_rate(cls, rate: str | None) -> str | None:
        if rate and not _RATE.fullmatch(rate):
            raise ValueError("FOREWARN_RATE_LIMIT reads like 600/minute (second, minute or hour).")
        return rate or None

    @field_validator("webhook_allow_networks")
    @classmethod
    def _networks(cls, networks: str) -> str:
        try:
            for one in filter(str.strip, networks.split(",")):
                ip_network(one.strip())
        except ValueError as error:
            raise ValueError(
                f"FOREWARN_WEBHOOK_ALLOW_NETWORKS takes CIDRs separated by commas, like 10.0.0.0/8: {error}."
            ) from error
        return networks

    @field_validator("nats_url")
    @classmethod
    def _nats_servers(cls, url: str | None) -> str | None:
        if url and not all(re.fullmatch(r"(nats|tls)://[^\s/]\S*", one.strip()) for one in url.split(",")):
            raise ValueError("FOREWARN_NATS_URL takes nats://host:4222 or tls://host:4222, several parted by commas.")
        if url and find_spec("nats") is None:
            raise ValueError("FOREWARN_NATS_URL needs the package nats-py: install forewarn[nats].")
        return url or None

    @field_validator("nats_credentials")
    @classmethod
    def _nats_credentials_there(cls, file: Path | None) -> Path | None:
        if file is not None and not file.is_file():
            raise ValueError("FOREWARN_NATS_CREDENTIALS names a file with credentials, and there is none of that name.")
        if file is not None and find_spec("nkeys") is None:
            raise ValueError("FOREWARN_NATS_CREDENTIALS needs the package nkeys: install nats-py[nkeys].")
        return file

    @field_validator("ledger_name")
    @classmethod
    def _a_name_in_notes(cls, name: str) -> str:
        if not re.fullmatch(r"[!-*,-~]{1,128}", name):
            raise ValueError("FOREWARN_LEDGER_NAME takes 1 to 128 visible ASCII characters, no plus among them.")
        return name

    @field_validator("checkpoint_every")
    @classmethod
    def _a_pace(cls, every: str) -> str:
        if every != OFF and _elapsed(every) is None:
            raise ValueError("FOREWARN_CHECKPOINT_EVERY takes off, or PT1M and more, without months, like PT1H.")
        return every

    @field_validator("evidence_kept")
    @classmethod
    def _a_time_to_keep(cls, kept: str) -> str:
        if kept != OFF and _elapsed(kept) is None:
            raise ValueError("FOREWARN_EVIDENCE_KEPT takes off, or PT1M and more, without months, like P90D.")
        return kept

    @field_validator("expected_checkpoints")
    @classmethod
    def _expectations_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.exists():
            raise ValueError("FOREWARN_EXPECTED_CHECKPOINTS names a file or a directory; there is none of that name.")
        return path

    @model_validator(mode="after")
    def _test_clock_only_in_tests(self) -> "Settings":
        if self.clock and (self.environment != "test" or not self.clock.startswith("file:")):
            raise ValueError("FOREWARN_CLOCK=file:PATH is accepted only with FOREWARN_ENVIRONMENT=test.")
        return self

    @cached_property
    def url(self) -> URL:
        """The database as SQLAlchemy names it: psycopg drives PostgreSQL."""
        url = make_url(self.database_url)
        match url.get_backend_name():
            case "postgresql":
                return url.set(drivername="postgresql+psycopg")
            case "sqlite":
                return url.set(drivername="sqlite")
            case other:
                raise ValueError(f"FOREWARN_DATABASE_URL takes sqlite:///path or postgresql://…, not {other}.")

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """Which of the two databases this is."""
        return "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, or None for PostgreSQL."""
        if self.dialect != "sqlite" or not self.url.database:
            return None
        return Path(self.url.database)

    @property
    def checkpoint_interval(self) -> timedelta | None:
        """How often a ledger is signed; None unless somebody asks."""
        return None if self.checkpoint_every == OFF else _elapsed(self.checkpoint_every)

    @property
    def evidence_interval(self) -> timedelta | None:
        """How long the bytes of a pack are kept; None for good."""
        return None if self.evidence_kept == OFF else _elapsed(self.evidence_kept)

    @property
    def nats_servers(self) -> list[str]:
        """The servers of NATS; none unless it is used."""
        return [one.strip() for one in self.nats_url.split(",")] if self.nats_url else []

    @property
    def rate(self) -> tuple[int, float] | None:
        """Requests allowed per key, and the seconds they are allowed in."""
        if self.rate_limit is None:
            return None
        count, unit = self.rate_limit.split("/")
        return int(count), {"second": 1.0, "minute": 60.0, "hour": 3600.0}[unit]


def _elapsed(every: str) -> timedelta | None:
    """A duration of a minute or more that is as long whenever it begins."""
    try:
        span = Span.parse(every)
    except ValueError:
        return None
    elapsed = timedelta(days=span.days, microseconds=span.microseconds)
    return None if span.months or elapsed < timedelta(minutes=1) else elapsed
