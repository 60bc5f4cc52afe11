"""From what the rules say of one change to the events that say it: the check, and what becomes of escalations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from uuid import UUID, uuid5

from app.domain import escalation, judgement, near_miss, review
from app.domain.escalation import Member
from app.domain.gravity import gravity
from app.domain.moment import DAY, from_micros
from app.domain.policy import Policy
from app.domain.report import (
    Check,
    RuleChecked,
)
from app.domain.similarity import Facts, gravity_of, key_text
from app.events.codec import decode
from app.events.store import Draft, read_streams
from app.operations.asking import reach_of, terms_in
from app.operations.desk import Desk
from app.operations.standings import Known

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
    desk: Desk,
    effects: Sequence[judgement.Effect],
    command_id: str,
    changed: Facts | None = None,
    scheduled_at: datetime | None = None,
) -> list[Draft]:
    """The events that the effects make, stream by stream; the memory is told of them.

    `changed`: the near miss that was judged, as it will be; the ledger does not show it yet. `scheduled_at`: of the
    timer that asked.
    """
    memory = desk.memory
    drafts: list[Draft] = []
    grown: dict[str, tuple[Known, list[escalation.Event]]] = {}
    for effect in effects:
        match effect:
            case judgement.Raise() | judgement.RaiseHistorical():
                drafts += _raise(effect, desk, command_id, changed, scheduled_at)
            case _:
                if effect.escalation_id not in grown:
                    version = memory.version(effect.escalation_id)
                    grown[effect.escalation_id] = (_standing(desk, effect.escalation_id, version), [])
                before, events = grown[effect.escalation_id]
                state = before.state
                for command in _commands(effect, before, desk, changed):
                    decided = escalation.decide(command, state, from_micros(desk.micros))
                    for event in decided:
                        state = escalation.evolve(state, event)
                    events += decided
                grown[effect.escalation_id] = (before._replace(state=state), events)
    for escalation_id, (standing, events) in grown.items():
        if events:
            stream, version = f"escalation/{escalation_id}", memory.version(escalation_id)
            drafts.append(Draft(stream, version, events))
            memory.grew(escalation_id, events)
            known = standing._replace(version=version + len(events))
            desk.standings.keep(desk.organisation, escalation_id, known)
    return drafts


def alarm_again(desk: Desk, changed: Facts, escalation_ids: Iterable[str]) -> list[Draft]:
    """The events of open escalations in which a near miss stands that turned out to be graver than it was said."""
    drafts: list[Draft] = []
    for escalation_id in escalation_ids:
        known = _standing(desk, escalation_id)
        kind = known.state.members.get(changed.near_miss_id, "withdrawn")
        if kind != "withdrawn":
            attach = escalation.Attach(changed.near_miss_id, kind, gravity_of(changed), _is_harm(changed))
            drafts.append(_draft(desk, escalation_id, known, attach))
    return drafts


def take_out(desk: Desk, near_miss_id: str, escalation_ids: Iterable[str]) -> list[Draft]:
    """The events of escalations that hold a near miss, which is none any more, for another reason than its key."""
    withdraw = escalation.WithdrawMember(near_miss_id)
    return [_draft(desk, one, _standing(desk, one), withdraw) for one in escalation_ids]


def _draft(desk: Desk, escalation_id: str, known: Known, command: escalation.Command) -> Draft:
    decided = escalation.decide(command, known.state, from_micros(desk.micros))
    return Draft(f"escalation/{escalation_id}", known.version, decided)


def _standing(desk: Desk, escalation_id: str, version: int | None = None) -> Known:
    known = desk.escalation(escalation_id, version)
    assert known is not None, "an escalation that the rules were told of"
    return known


def gravities(
    desk: Desk, ids: Iterable[str], known: Mapping[str, int] | None = None, changed: Facts | None = None
) -> dict[str, int]:
    """How grave each near miss is: as it is known, or told by its stream; the one being changed as it will be."""
    weights = {one: known[one] for one in ids if one in known} if known else {}
    if changed is not None:
        weights[changed.near_miss_id] = gravity_of(changed)
    others = [f"near_miss/{one}" for one in ids if one not in weights]
    for stream, envelopes in read_streams(desk.connection, desk.organisation, others).items() if others else ():
        state = near_miss.UNRECORDED
        for envelope in envelopes:
            state = near_miss.evolve(state, decode(envelope))
        assert state.report is not None
        weights[stream.removeprefix("near_miss/")] = gravity(state.report.classification, state.report.potential_harm)
    return {one: weights[one] for one in ids}


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
    effect: judgement.Raise | judgement.RaiseHistorical,
    desk: Desk,
    command_id: str,
    changed: Facts | None,
    scheduled_at: datetime | None,
) -> Iterable[Draft]:
    policy, memory, now = desk.configuration.policy, desk.memory, from_micros(desk.micros)
    rule = policy.rule(effect.rule_id)
    assert rule is not None
    text = key_text(tuple(value for _, value in effect.key))
    escalation_id = escalation_id_of(command_id, effect.rule_id, text)
    service_id = dict(effect.key).get("service_id")
    crossing = escalation.Raise(
        effect.rule_id,
        effect.policy_version,
        effect.key,
        text,
        rule.threshold,
        str(rule.window),
        tuple(Member(near_miss_id, "member") for near_miss_id in effect.members),
        from_micros(effect.crossed_at),
        service_id if isinstance(service_id, str) else None,
    )
    if isinstance(effect, judgement.RaiseHistorical):
        raised = escalation.decide(replace(crossing, historical=True), escalation.UNRAISED, now)
        memory.raised_historical(effect.rule_id, text, escalation_id, effect.members)
        yield Draft(f"escalation/{escalation_id}", 0, raised)
        return
    review_id = escalation_id.replace("esc_", "rev_")
    weights = gravities(desk, effect.members, memory.gravities(effect.rule_id, text), changed)
    command = replace(
        crossing,
        review_id=review_id,
        previous_episode_id=effect.previous_episode_id,
        detected_late=effect.detected_late,
        detection_delay=duration(effect.delay),
        terms=terms_in(desk, rule, policy),
        gravity=max(weights.values(), default=0) or None,
        scheduled_at=scheduled_at,
        reach=reach_of(desk, crossing.service_id),
    )
    raised = escalation.decide(command, escalation.UNRAISED, now)
    memory.raised(effect.rule_id, text, escalation_id, effect.members, len(raised))
    state = reduce(escalation.evolve, raised, escalation.UNRAISED)
    opened = raised[0]
    assert isinstance(opened, escalation.Raised)
    desk.standings.keep(desk.organisation, escalation_id, Known(len(raised), opened, state))
    yield Draft(f"escalation/{escalation_id}", 0, raised)
    yield Draft(f"review/{review_id}", 0, review.decide(review.Open(escalation_id), review.UNOPENED, now))


def _commands(
    effect: judgement.Effect, known: Known, desk: Desk, changed: Facts | None
) -> Iterable[escalation.Command]:
    match effect:
        case judgement.Attach(near_miss_ids=ids, kind=kind):
            at_hand = desk.memory.gravities(known.raised.rule_id, known.raised.key_text)
            weights = gravities(desk, ids, at_hand, changed)
            # The gravest first, so that people are asked again once for all that joins at one time.
            for near_miss_id in sorted(ids, key=lambda one: -weights[one]):
                if kind == "related" and known.state.members.get(near_miss_id) == "member":
                    yield escalation.Demote(near_miss_id)
                else:
                    is_harm = changed is not None and changed.near_miss_id == near_miss_id and _is_harm(changed)
                    yield escalation.Attach(near_miss_id, kind, weights[near_miss_id], is_harm)
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


def _is_harm(facts: Facts) -> bool:
    return facts.values.get("classification") == "harm_incident"
