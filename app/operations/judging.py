"""From what the rules say of one change to the events that say it: the check, and what becomes of escalations."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from app.domain import escalation, judgement, review
from app.domain.escalation import Escalation, Member
from app.domain.moment import DAY, from_micros
from app.domain.policy import Policy
from app.domain.report import (
    Check,
    RuleChecked,
)
from app.domain.similarity import key_text
from app.events.store import Draft
from app.operations.memory import Memory

MOST_MATCHED = 1000
"""Ids of similar records that a check keeps, the newest; `count` is exact all the same."""


def check_of(found: judgement.Judgement, policy: Policy, now: int) -> Check:
    """The similarity check as it is recorded (S2)."""
    return Check(
        from_micros(now),
        policy.version,
        tuple(
            RuleChecked(
                rule.rule_id,
                rule.key,
                rule.window,
                rule.threshold,
                rule.count,
                rule.matched_ids[-MOST_MATCHED:],
                rule.outcome,
                None if rule.mode == "active" else rule.mode,
                True if rule.historical else None,
                None if rule.cooldown_until is None else from_micros(rule.cooldown_until),
                True if rule.outcome == "related" and not rule.counted else None,
            )
            for rule in found.checks
        ),
    )


def drafts_of(
    effects: Sequence[judgement.Effect], memory: Memory, policy: Policy, command_id: str, now: int
) -> list[Draft]:
    """The events that the effects make, stream by stream; the memory is told of them."""
    drafts: list[Draft] = []
    grown: dict[str, tuple[Escalation, list[escalation.Event]]] = {}
    for effect in effects:
        match effect:
            case judgement.Raise() | judgement.RaiseHistorical():
                drafts += _raise(effect, memory, policy, command_id, now)
            case _:
                state, events = grown.get(effect.escalation_id) or (memory.state(effect.escalation_id)[0], [])
                for command in _commands(effect, state):
                    decided = escalation.decide(command, state, from_micros(now))
                    for event in decided:
                        state = escalation.evolve(state, event)
                    events += decided
                grown[effect.escalation_id] = (state, events)
    for escalation_id, (_, events) in grown.items():
        if events:
            drafts.append(Draft(f"escalation/{escalation_id}", memory.state(escalation_id)[1], events))
            memory.grew(escalation_id, events)
    return drafts


def escalation_id_of(command_id: str, rule_id: str, text: str) -> str:
    """The id of the escalation that a command opens for a key: the same however often the command is tried."""
    return "esc_" + uuid5(UUID(command_id), f"escalation {rule_id} {text}").hex


def duration(micros: int) -> str:
    """ISO 8601, in days and seconds."""
    days, rest = divmod(micros, DAY)
    seconds = f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".")
    if days and rest:
        return f"P{days}DT{seconds}S"
    return f"P{days}D" if days else f"PT{seconds}S"


def _raise(
    effect: judgement.Raise | judgement.RaiseHistorical, memory: Memory, policy: Policy, command_id: str, now: int
) -> Iterable[Draft]:
    rule = policy.rule(effect.rule_id)
    assert rule is not None
    text = key_text(tuple(value for _, value in effect.key))
    escalation_id = escalation_id_of(command_id, effect.rule_id, text)
    historical = isinstance(effect, judgement.RaiseHistorical)
    review_id = None if historical else escalation_id.replace("esc_", "rev_")
    service_id = dict(effect.key).get("service_id")
    command = escalation.Raise(
        effect.rule_id,
        effect.policy_version,
        effect.key,
        text,
        rule.threshold,
        str(rule.window),
        tuple(Member(near_miss_id, "member") for near_miss_id in effect.members),
        from_micros(effect.crossed_at),
        service_id if isinstance(service_id, str) else None,
        review_id,
        None if isinstance(effect, judgement.RaiseHistorical) else effect.previous_episode_id,
        False if isinstance(effect, judgement.RaiseHistorical) else effect.detected_late,
        None if isinstance(effect, judgement.RaiseHistorical) else duration(effect.delay),
        historical,
    )
    at = from_micros(now)
    raised = escalation.decide(command, escalation.UNRAISED, at)
    yield Draft(f"escalation/{escalation_id}", 0, raised)
    if review_id is None:
        memory.raised_historical(effect.rule_id, text, escalation_id, effect.members)
    else:
        memory.raised(effect.rule_id, text, escalation_id, effect.members)
        opened = review.decide(review.Open(escalation_id), review.UNOPENED, at)
        yield Draft(f"review/{review_id}", 0, opened)


def _commands(effect: judgement.Effect, state: Escalation) -> Iterable[escalation.Command]:
    match effect:
        case judgement.Attach(near_miss_ids=ids, kind=kind):
            for near_miss_id in ids:
                if kind == "related" and state.members.get(near_miss_id) == "member":
                    yield escalation.Demote(near_miss_id)
                else:
                    yield escalation.Attach(near_miss_id, kind)
        case judgement.AttachHistorical(near_miss_ids=ids):
            yield from (escalation.Attach(near_miss_id, "member") for near_miss_id in ids)
        case judgement.Detach(near_miss_id=near_miss_id):
            yield escalation.WithdrawMember(near_miss_id)
        case judgement.SupportLost():
            yield escalation.LoseSupport()
        case judgement.SupportRegained():
            yield escalation.RegainSupport()
        case judgement.Raise() | judgement.RaiseHistorical():
            raise AssertionError("a raise has no former state")
