"""What an organisation has settled: its policy, its words, its services, its rules of recognition.

Remembered until the ledger says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from app.database.tables import ledgers, services
from app.domain import adoption, duplicate_rule, recognition_document, service, taxonomy
from app.domain.duplicate_rule import DuplicateRule
from app.domain.policy import Policy
from app.domain.recognition_rules import Recognition
from app.domain.service import Service
from app.domain.shifts import Hours
from app.domain.taxonomy import Taxonomy
from app.domain.zones import zone
from app.events.codec import decode
from app.events.store import read_stream, read_streams

POLICY_STREAM = "policy/current"
TAXONOMY_STREAM = "taxonomy/current"
RECOGNITION_STREAM = "recognition/current"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The policy in force, the taxonomy, the service register, and the rules by which near misses are recognised.

    `aliases` leads to a service's own id.
    """

    policy: Policy
    policy_events: int
    taxonomy: Taxonomy
    taxonomy_events: int
    services: Mapping[str, Service]
    aliases: Mapping[str, str]
    shift_tables: Mapping[str, Sequence[Hours]]
    zone: ZoneInfo
    recognition: Recognition
    recognition_events: int
    duplicate_rule: DuplicateRule
    duplicate_rule_events: int

    def service_of(self, service_id: str | None) -> tuple[str | None, Service]:
        """The service's own id, whichever of its names was used, and what the register says of it."""
        if service_id is None or service_id in self.services:
            return service_id, self.services.get(service_id or "", service.UNREGISTERED)
        own = self.aliases.get(service_id, service_id)
        return own, self.services.get(own, service.UNREGISTERED)


class Configurations:
    """What this process remembers of organisations; true as long as the head's `configured_at` has not moved."""

    def __init__(self) -> None:
        self._remembered: dict[str, tuple[int, Configuration]] = {}

    def remembered(self, organisation: str) -> tuple[int, Configuration] | None:
        """What is remembered, and at which `configured_at` it was true."""
        return self._remembered.get(organisation)

    def at(self, connection: Connection, organisation: str, configured_at: int) -> Configuration:
        """The configuration that `configured_at` (of the head) stands for."""
        known = self._remembered.get(organisation)
        if known is None or known[0] != configured_at:
            known = (configured_at, load(connection, organisation))
            self._remembered[organisation] = known
        return known[1]

    def now(self, connection: Connection, organisation: str) -> Configuration:
        """The configuration as a reader's connection sees it."""
        configured_at = connection.execute(
            select(ledgers.c.configured_at).where(ledgers.c.organisation == organisation)
        ).scalar_one()
        return self.at(connection, organisation, configured_at)

    def forget(self) -> None:
        """After a rollback nothing remembered can be trusted."""
        self._remembered.clear()


def load(connection: Connection, organisation: str, up_to: int | None = None) -> Configuration:
    """The configuration, folded from the ledger as known at a sequence."""
    policy = adoption.INITIAL
    policies = read_stream(connection, organisation, POLICY_STREAM, up_to)
    for envelope in policies[-1:]:
        policy = adoption.evolve(policy, decode(envelope))
    words = taxonomy.FIRST
    extensions = read_stream(connection, organisation, TAXONOMY_STREAM, up_to)
    for envelope in extensions:
        words = taxonomy.evolve(words, decode(envelope))
    recognition = recognition_document.INITIAL
    recognitions = read_stream(connection, organisation, RECOGNITION_STREAM, up_to)
    for envelope in recognitions[-1:]:
        recognition = recognition_document.evolve(recognition, decode(envelope))
    duplicates = duplicate_rule.INITIAL
    duplicate_rules = read_stream(connection, organisation, duplicate_rule.STREAM, up_to)
    for envelope in duplicate_rules[-1:]:
        duplicates = duplicate_rule.evolve(duplicates, decode(envelope))
    ids = connection.execute(select(services.c.service_id).where(services.c.organisation == organisation)).scalars()
    register: dict[str, Service] = {}
    aliases: dict[str, str] = {}
    for stream, envelopes in read_streams(connection, organisation, [f"service/{one}" for one in ids], up_to).items():
        for envelope in envelopes[-1:]:
            service_id = stream.removeprefix("service/")
            register[service_id] = service.evolve(service.UNREGISTERED, decode(envelope))
            particulars = register[service_id].particulars
            aliases |= dict.fromkeys(particulars.aliases if particulars else (), service_id)
    return Configuration(
        policy,
        len(policies),
        words,
        len(extensions),
        register,
        aliases,
        _tables(policy),
        zone(policy.time_zone),
        recognition,
        len(recognitions),
        duplicates,
        len(duplicate_rules),
    )


def policy_at(connection: Connection, organisation: str, version: int) -> Policy | None:
    """A version of the policy that was in force once, or is; None when there never was one of that number."""
    if version == adoption.INITIAL.version:
        return adoption.INITIAL
    for envelope in read_stream(connection, organisation, POLICY_STREAM):
        adopted = decode(envelope)
        if adopted.policy_version == version:
            return adoption.evolve(adoption.INITIAL, adopted)
    return None


def _tables(policy: Policy) -> dict[str, tuple[Hours, ...]]:
    return {
        service_id: tuple(
            Hours(row["bracket"], time.fromisoformat(row["from"]), time.fromisoformat(row["to"])) for row in rows
        )
        for service_id, rows in policy.shifts.items()
    }
