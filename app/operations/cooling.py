"""The end of a cool-down: what was deferred while it lasted is judged then, and nothing of it is dropped."""

from uuid import NAMESPACE_URL, uuid5

from app.domain.episodes import Hearing, cooling_until
from app.domain.moment import from_micros
from app.domain.patterns import cooldown_over
from app.domain.similarity import Key
from app.domain.watch import CooldownEnded, CooldownExtended
from app.events.codec import decode
from app.events.store import Draft, read_all
from app.operations.desk import Desk
from app.operations.judging import drafts_of, escalation_id_of
from app.operations.memory import key_of
from app.operations.timing import timer_cause
from app.projections.timers import COOLDOWN, due_of, rule_and_key


def fire(desk: Desk, subject: str) -> None:
    """Let the cool-down of a rule's key end."""
    memory = desk.memory
    memory.forget()
    rule_id, key_text = rule_and_key(subject)
    due_at = due_of(desk.rows, desk.organisation, COOLDOWN, subject)
    assert due_at is not None
    stream = f"watch/{uuid5(NAMESPACE_URL, subject)}"
    version = len(desk.read(stream))
    cause = timer_cause(desk.organisation, COOLDOWN, subject, due_at, version)
    policy, now, zone = desk.configuration.policy, desk.micros, desk.configuration.zone
    rule, key = policy.rule(rule_id), key_of(key_text)
    closed = memory.closed(rule, key) if rule is not None else None
    if rule is not None and rule.mode == "active":
        until = cooling_until(Hearing(policy, rule, memory, now, zone), closed)
        if until is not None:  # The policy has lengthened the cool-down since.
            extended = CooldownExtended(rule_id, key_text, from_micros(due_at), from_micros(until))
            desk.append(cause, [Draft(stream, version, [extended])])
            return
    deferred = _deferred(desk, rule_id, key, closed.sequence) if closed is not None else ()
    raised = cooldown_over(policy, memory, rule_id, key, now, zone, deferred)
    escalation_id = escalation_id_of(cause.command_id, rule_id, key_text) if raised else None
    ended = CooldownEnded(rule_id, key_text, from_micros(due_at), escalation_id)
    drafts = [Draft(stream, version, [ended])]
    if raised is not None:
        drafts += drafts_of(desk, [raised], cause.command_id)
    desk.append(cause, drafts)
    memory.forget()


def _deferred(desk: Desk, rule_id: str, key: Key, since: int) -> frozenset[str]:
    """Records that a change brought to the key while it cooled down."""
    found: set[str] = set()
    pages = read_all(desk.connection, desk.organisation, up_to=desk.head.position, after=since, types=_BRINGING)
    for page in pages:
        for envelope in page:
            for checked in decode(envelope).similarity_check.rules:
                is_key = checked.rule_id == rule_id and tuple(value for _, value in checked.key) == key
                if is_key and checked.outcome == "cooling_down":
                    found.add(envelope.subject)
    return frozenset(found)


_BRINGING = ("near_miss.corrected", "near_miss.details_completed", "near_miss.linked")
