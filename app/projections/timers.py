"""What is due when, told by events alone: a timer only asks, and the rule answers."""

import json

from sqlalchemy import and_, delete, select

from app.database.tables import timers
from app.domain.escalation import Raised
from app.domain.moment import to_micros
from app.domain.near_miss import (
    Corrected,
    DetailsCompleted,
    Linked,
    Recorded,
)
from app.domain.report import (
    Check,
)
from app.domain.similarity import key_text
from app.domain.watch import CooldownEnded, CooldownExtended
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (timers,)
COOLDOWN = "cooldown_until"


def cooldown_subject(rule_id: str, key: str) -> str:
    """Which key (its text) of which rule cools down."""
    return json.dumps([rule_id, key], ensure_ascii=False)


def rule_and_key(subject: str) -> tuple[str, str]:
    """The rule's id and the key's text of a cool-down."""
    rule_id, key = json.loads(subject)
    return rule_id, key


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the timers."""
    match told.event:
        case (
            Recorded(similarity_check=check)
            | Corrected(similarity_check=check)
            | DetailsCompleted(similarity_check=check)
            | Linked(similarity_check=check)
        ):
            _defer(context, check)
        case Raised(rule_id=rule_id, key_text=key, historical=False, previous_episode_id=str()):
            _drop(context, cooldown_subject(rule_id, key))
        case CooldownExtended(rule_id, key, _, until):
            _drop(context, cooldown_subject(rule_id, key))
            context.rows.insert(
                timers, (context.organisation, COOLDOWN, cooldown_subject(rule_id, key), to_micros(until))
            )
        case CooldownEnded(rule_id, key):
            _drop(context, cooldown_subject(rule_id, key))
        case _:
            pass


def _defer(context: Context, check: Check) -> None:
    for rule in check.rules:
        if rule.cooldown_until is None:
            continue
        subject = cooldown_subject(rule.rule_id, key_text(tuple(value for _, value in rule.key)))
        standing = context.rows.execute(
            select(timers.c.due_at).where(
                and_(
                    timers.c.organisation == context.organisation,
                    timers.c.kind == COOLDOWN,
                    timers.c.subject == subject,
                )
            )
        ).first()
        if standing is None:
            context.rows.insert(timers, (context.organisation, COOLDOWN, subject, to_micros(rule.cooldown_until)))


def _drop(context: Context, subject: str) -> None:
    context.rows.execute(
        delete(timers).where(
            and_(
                timers.c.organisation == context.organisation,
                timers.c.kind == COOLDOWN,
                timers.c.subject == subject,
            )
        )
    )
