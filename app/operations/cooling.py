"""The end of a cool-down: what was deferred while it lasted is judged then, and nothing of it is dropped."""

from uuid import NAMESPACE_URL, uuid5

from app.domain.episodes import Hearing, cooling_until
from app.domain.judgement import Defer
from app.domain.moment import from_micros
from app.domain.patterns import cooldown_over
from app.domain.similarity import Key
from app.domain.watch import CooldownEnded, CooldownExtended, Deferred
from app.events.codec import decode
from app.events.store import Draft, read_all
from app.operations.desk import Desk
from app.operations.judging import drafts_of, escalation_id_of
from app.operations.memory import key_of
from app.operations.timing import timer_cause
from app.projections.timers import COOLDOWN, cooldown_subject, due_of, rule_and_key


def fire(desk: Desk, subject: str) -> None:
    """Let the cool-down of a rule's key end."""
    memory = desk.memory
    memory.forget()
    rule_id, key_text = rule_and_key(subject)
    due_at = due_of(desk.rows, desk.organisation, COOLDOWN, subject)
    assert due_at is not None
    stream, version = _watch(desk, subject)
    cause = timer_cause(desk.organisation, COOLDOWN, subject, due_at, version)
    policy, now, zone = desk.configuration.policy, due_at, desk.configuration.zone  # As it would be told in time.
    rule, key = policy.rule(rule_id), key_of(key_text)
    closed = memory.closed(rule, key) if rule is not None else None
    if rule is not None and rule.mode == "active":
        until = cooling_until(Hearing(policy, rule, memory, now, zone), closed)
        if until is not None:  # The policy has lengthened the cool-down since.
            extended = CooldownExtended(rule_id, key_text, from_micros(due_at), from_micros(until))
            desk.append(cause, [Draft(stream, version, [extended])])
            return
    deferred = deferred_on(desk, rule_id, key, closed.sequence) if closed is not None else ()
    raised = cooldown_over(policy, memory, rule_id, key, now, zone, deferred)
    escalation_id = escalation_id_of(cause.command_id, rule_id, key_text) if raised else None
    ended = CooldownEnded(rule_id, key_text, from_micros(due_at), escalation_id)
    drafts = [Draft(stream, version, [ended])]
    if raised is not None:
        drafts += drafts_of(desk, [raised], cause.command_id, scheduled_at=from_micros(due_at))
    desk.append(cause, drafts)
    memory.forget()


def put_off(desk: Desk, found: Defer) -> Draft:
    """What a policy found on a key that cools down waits for the end of it."""
    stream, version = _watch(desk, cooldown_subject(found.rule_id, found.key_text))
    deferred = Deferred(found.rule_id, found.key_text, found.near_miss_ids, from_micros(found.until))
    return Draft(stream, version, [deferred])


def deferred_on(desk: Desk, rule_id: str, key: Key, since: int) -> frozenset[str]:
    """Records that a change, or a policy, brought to the key while it cooled down."""
    found: set[str] = set()
    pages = read_all(desk.connection, desk.organisation, up_to=desk.head.position, after=since, types=_BRINGING)
    for page in pages:
        for envelope in page:
            event = decode(envelope)
            if isinstance(event, Deferred):
                found.update(event.near_miss_ids if (event.rule_id, key_of(event.key_text)) == (rule_id, key) else ())
                continue
            for checked in event.similarity_check.rules:
                is_key = checked.rule_id == rule_id and tuple(value for _, value in checked.key) == key
                if is_key and checked.outcome == "cooling_down":
                    found.add(envelope.subject)
    return frozenset(found)


def _watch(desk: Desk, subject: str) -> tuple[str, int]:
    """The stream of a cool-down, and its version."""
    stream = f"watch/{uuid5(NAMESPACE_URL, subject)}"
    return stream, len(desk.read(stream))


_BRINGING = (
    "near_miss.corrected",
    "near_miss.details_completed",
    "near_miss.linked",
    "near_miss.duplicate_undone",
    "watch.deferred",
)
