"""What readers are shown of near misses, escalations, reviews and actions: folded from the ledger, as of a sequence.

The answer to a command and every later replay of it are made by the same functions, so they are the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, select

from app.database.tables import escalation_members, escalations, events, near_misses, standing, subjects
from app.domain import escalation, near_miss, review
from app.domain.moment import parse_moment
from app.domain.sealed import Reference
from app.domain.zones import zone
from app.events.codec import told as decoded
from app.events.envelope import Told, instant
from app.events.store import read_stream, read_streams
from app.events.vault import Opener, Vault
from app.operations.action_document import action_document
from app.operations.configuration import Configuration, load
from app.operations.documents import (
    clear,
    escalation_document,
    keyed,
    keys_in,
    near_miss_document,
    review_document,
)

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one organisation on one connection, as known at ledger sequence `as_of` (now when None)."""

    connection: Connection
    vault: Vault
    organisation: str
    as_of: int | None = None

    def near_misses(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The near misses of these ids that exist, in the order asked."""
        streams = self._streams("near_miss", ids)
        memberships = self._memberships(list(streams))
        opener = self.opener(streams.values())
        shown: list[dict[str, Any]] = []
        for near_miss_id in ids:
            told = streams.get(near_miss_id)
            if not told:
                continue
            state = near_miss.UNRECORDED
            for one in told:
                state = near_miss.evolve(state, one.event)
            standing = memberships.get(near_miss_id, [])
            shown.append(
                near_miss_document(
                    near_miss_id,
                    state,
                    told,
                    [escalation_id for escalation_id, _ in standing],
                    in_review=any(is_open for _, is_open in standing),
                    opened=opener,
                )
            )
        return shown

    def escalations(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The escalations of these ids that exist, in the order asked."""
        streams = self._streams("escalation", ids)
        states = {one: _fold(told, escalation.UNRAISED, escalation.evolve) for one, told in streams.items()}
        times = self._event_times({member for state in states.values() for member in state.members})
        names = self.names({one for state in states.values() for one in (*state.acknowledged_by, *state.contacts)})
        return [escalation_document(one, states[one], streams[one], times, names) for one in ids if one in streams]

    def reviews(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The reviews of these ids that exist, in the order asked."""
        streams = self._streams("review", ids)
        states = {one: _fold(told, review.UNOPENED, review.evolve) for one, told in streams.items()}
        actions = self._streams("action", [one for state in states.values() for one in state.actions])
        outcomes = self._streams("outcome", [one for one, state in states.items() if state.actions])
        factors = self._factors({told[0].event.escalation_id for told in streams.values()})
        names = self.names({one.envelope.actor for told in streams.values() for one in told})
        opener = self.opener([*streams.values(), *actions.values()])
        shown: list[dict[str, Any]] = []
        for review_id in ids:
            if (told := streams.get(review_id)) is None:
                continue
            state, escalation_id = states[review_id], told[0].event.escalation_id
            followed_up = outcomes.get(review_id, ())
            agreed = [
                action_document(one, actions[one], escalation_id, opener, followed_up)
                for one in state.actions
                if one in actions
            ]
            shown.append(review_document(review_id, state, told, agreed, factors[escalation_id], names, opener))
        return shown

    def actions(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The actions of these ids that exist, in the order asked."""
        streams = self._streams("action", ids)
        reviews = self._streams("review", [one for told in streams.values() if (one := told[0].event.review_id)])
        outcomes = self._streams("outcome", list(reviews))
        opener = self.opener(streams.values())
        shown: list[dict[str, Any]] = []
        for action_id in ids:
            if (told := streams.get(action_id)) is None:
                continue
            its_review = reviews.get(told[0].event.review_id)
            escalation_id = its_review[0].event.escalation_id if its_review else None
            followed_up = outcomes.get(told[0].event.review_id, ())
            shown.append(action_document(action_id, told, escalation_id, opener, followed_up))
        return shown

    def settled(self) -> Configuration:
        """What the organisation has settled, read from the ledger itself.

        A command's answer is made before its head is written: what is remembered by the head may be of before it.
        """
        return load(self.connection, self.organisation, self.as_of)

    def names(self, actors: Iterable[str]) -> dict[str, str]:
        """Who acted, or is asked, under the reference that the organisation knows them by: `staff/<token>` → it.

        Whoever was erased, or is no person, is not in it.
        """
        tokens = sorted({one.removeprefix("staff/") for one in actors if one.startswith("staff/")})
        subject = subjects.c
        found: dict[str, Reference] = {}
        for start in range(0, len(tokens), 500):
            chosen = select(subject.token, subject.key_id, subject.sealed).where(
                subject.organisation == self.organisation, subject.token.in_(tokens[start : start + 500])
            )
            for row in self.connection.execute(chosen):
                found[f"staff/{row.token}"] = Reference(row.sealed, row.key_id, row.token)
        opener = self.opener_of(found.values())
        opened = {actor: opener(reference) for actor, reference in found.items()}
        return {actor: ref for actor, ref in opened.items() if isinstance(ref, str)}

    def standing_in(self, near_miss_id: str) -> list[tuple[str, bool]]:
        """The escalations that hold a near miss, and whether each is open."""
        return self._memberships([near_miss_id]).get(near_miss_id, [])

    def closings(self, escalation_ids: Iterable[str]) -> dict[str, int | None]:
        """When each of these escalations was closed (microseconds), as the reader knows them; None of one that is open.

        Monitoring that ends was closed when it began.
        """
        found: dict[str, int | None] = {}
        for escalation_id, told in self._streams("escalation", list(escalation_ids)).items():
            state, closed_at = escalation.UNRAISED, None
            for one in told:
                state = escalation.evolve(state, one.event)
                closed_at = None if state.rest is None else closed_at or one.envelope.recorded_at
            found[escalation_id] = closed_at
        return found

    def history(self, stream: str, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """The events of a stream after a version, in order, with their words opened; at most so many."""
        found = read_stream(self.connection, self.organisation, stream, self.as_of, after, limit)
        told = [decoded(envelope) for envelope in found]
        opener = self.opener([told])
        return [
            {
                "sequence": one.envelope.sequence,
                "type": f"forewarn.{one.envelope.type}.v{one.envelope.schema_version}",
                "version": one.envelope.version,
                "occurred_at": instant(one.envelope.occurred_at),
                "recorded_at": instant(one.envelope.recorded_at),
                "actor": one.envelope.actor,
                "correlation_id": one.envelope.correlation_id,
                "data": keyed(clear(one.event, opener)),
            }
            for one in told
        ]

    def _streams(self, kind: str, ids: Sequence[str]) -> dict[str, list[Told[Any]]]:
        told = self.told([f"{kind}/{one}" for one in ids])
        return {stream.split("/", 1)[1]: events for stream, events in told.items() if events}

    def told(self, streams: Sequence[str]) -> dict[str, list[Told[Any]]]:
        found = read_streams(self.connection, self.organisation, streams, self.as_of)
        return {stream: [decoded(envelope) for envelope in envelopes] for stream, envelopes in found.items()}

    def opener(self, streams: Iterable[Iterable[Told[Any]]]) -> Opener:
        """What opens everything sealed in these events."""
        return self.opener_of(one.event for told in streams for one in told)

    def opener_of(self, values: Iterable[Any]) -> Opener:
        """What opens everything sealed in these values."""
        keys = {key for value in values for key in keys_in(value)}
        return self.vault.opener(self.connection, self.organisation, keys)

    def _memberships(self, ids: Sequence[str]) -> dict[str, list[tuple[str, bool]]]:
        member, raised = escalation_members.c, escalations.c
        chosen = (
            select(member.near_miss_id, member.escalation_id, raised.is_open)
            .join(
                escalations,
                and_(raised.organisation == member.organisation, raised.escalation_id == member.escalation_id),
            )
            .where(member.organisation == self.organisation, member.kind != "withdrawn")
            .order_by(raised.sequence)
        )
        chosen = chosen.where(*standing(escalation_members, self.as_of))
        rows = [
            row
            for start in range(0, len(ids), 500)
            for row in self.connection.execute(chosen.where(member.near_miss_id.in_(ids[start : start + 500])))
        ]
        # The table knows how an escalation stands, and not how it stood: it may have been closed, and opened again.
        stood = None if self.as_of is None else self.closings({row.escalation_id for row in rows})
        found: dict[str, list[tuple[str, bool]]] = {}
        for row in rows:
            is_open = bool(row.is_open) if stood is None else stood[row.escalation_id] is None
            found.setdefault(row.near_miss_id, []).append((row.escalation_id, is_open))
        return found

    def _factors(self, escalation_ids: Iterable[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Escalation → member → the contributing factors that it names."""
        streams = self._streams("escalation", list(escalation_ids))
        states = {one: _fold(told, escalation.UNRAISED, escalation.evolve) for one, told in streams.items()}
        members = {one: [it for it, kind in state.members.items() if kind == "member"] for one, state in states.items()}
        told = self._streams("near_miss", list({it for them in members.values() for it in them}))
        records = {one: _fold(events, near_miss.UNRECORDED, near_miss.evolve) for one, events in told.items()}
        reports = {one: record.report for one, record in records.items() if record.report is not None and record.counts}
        return {
            one: {it: reports[it].contributing_factors for it in them if it in reports} for one, them in members.items()
        }

    def _event_times(self, ids: set[str]) -> dict[str, tuple[int, int]]:
        chosen = select(near_misses.c.near_miss_id, near_misses.c.occurred_at, near_misses.c.sequence)
        wanted = sorted(ids)
        times: dict[str, tuple[int, int]] = {}
        for start in range(0, len(wanted), 500):
            of_these = and_(
                near_misses.c.organisation == self.organisation,
                near_misses.c.near_miss_id.in_(wanted[start : start + 500]),
            )
            times |= {row[0]: (row[1], row[2]) for row in self.connection.execute(chosen.where(of_these))}
        return times if self.as_of is None else times | self._times_before(times)

    def _times_before(self, times: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """When it had happened as far as was known, of those of which something else was said since."""
        row, streams = events.c, [f"near_miss/{one}" for one in times]
        changed: set[str] = set()
        for start in range(0, len(streams), 500):
            since = select(row.stream).where(
                row.organisation == self.organisation,
                row.stream.in_(streams[start : start + 500]),
                row.sequence > self.as_of,
                row.type.in_(("near_miss.corrected", "near_miss.details_completed")),
            )
            changed |= {one.removeprefix("near_miss/") for one in self.connection.execute(since).scalars()}
        known: dict[str, tuple[int, int]] = {}
        for one, told in self._streams("near_miss", sorted(changed)).items():
            state = _fold(told, near_miss.UNRECORDED, near_miss.evolve)
            if state.report is not None:
                known[one] = parse_moment(state.report.occurred_at, zone(state.report.zone)).at, times[one][1]
        return known


def _fold(told: Sequence[Told[Any]], state: S, evolve: Callable[[S, Any], S]) -> S:
    for one in told:
        state = evolve(state, one.event)
    return state
