"""Every event's name on disk: a promise, kept on one page. Rename in Python only; change shapes by upcasting."""

from typing import Any, NamedTuple

from app.domain import (
    action,
    adoption,
    chase,
    denominator,
    duplicate_rule,
    endpoint,
    escalation,
    intake,
    near_miss,
    organisation,
    recognition_document,
    review,
    service,
    source,
    taxonomy,
    watch,
)


class Entry(NamedTuple):
    """What a name stands for today: the class, and the newest schema version."""

    event: type[Any]
    schema_version: int = 1


CATALOGUE: dict[str, Entry] = {
    "organisation.opened": Entry(organisation.Opened),
    "organisation.key_created": Entry(organisation.KeyCreated),
    "organisation.key_revoked": Entry(organisation.KeyRevoked),
    "service.registered": Entry(service.Registered),
    "taxonomy.extended": Entry(taxonomy.Extended),
    "policy.adopted": Entry(adoption.Adopted),
    "recognition.adopted": Entry(recognition_document.Adopted),
    "near_miss.recorded": Entry(near_miss.Recorded),
    "near_miss.corrected": Entry(near_miss.Corrected),
    "near_miss.details_completed": Entry(near_miss.DetailsCompleted),
    "near_miss.linked": Entry(near_miss.Linked),
    "near_miss.withdrawn": Entry(near_miss.Withdrawn),
    "near_miss.marked_duplicate": Entry(near_miss.MarkedDuplicate),
    "near_miss.duplicate_dismissed": Entry(near_miss.DuplicateDismissed),
    "near_miss.duplicate_undone": Entry(near_miss.DuplicateUndone),
    "near_miss.source_added": Entry(near_miss.SourceAdded),
    "near_miss.source_removed": Entry(near_miss.SourceRemoved),
    "near_miss.person_added": Entry(near_miss.PersonAdded),
    "near_miss.person_removed": Entry(near_miss.PersonRemoved),
    "near_miss.closed": Entry(near_miss.Closed),
    "near_miss.reopened": Entry(near_miss.Reopened),
    "near_miss.details_overdue": Entry(chase.DetailsOverdue),
    "near_miss.workflow_link_overdue": Entry(chase.WorkflowLinkOverdue),
    "intake.received": Entry(intake.Received),
    "intake.replayed": Entry(intake.Replayed),
    "watch.cooldown_ended": Entry(watch.CooldownEnded),
    "watch.cooldown_extended": Entry(watch.CooldownExtended),
    "watch.deferred": Entry(watch.Deferred),
    "escalation.raised": Entry(escalation.Raised),
    "escalation.member_added": Entry(escalation.MemberAdded),
    "escalation.member_demoted": Entry(escalation.MemberDemoted),
    "escalation.member_withdrawn": Entry(escalation.MemberWithdrawn),
    "escalation.support_lost": Entry(escalation.SupportLost),
    "escalation.support_regained": Entry(escalation.SupportRegained),
    "escalation.level_entered": Entry(escalation.LevelEntered),
    "escalation.step_skipped": Entry(escalation.StepSkipped),
    "escalation.ack_overdue": Entry(escalation.AckOverdue),
    "escalation.chain_exhausted": Entry(escalation.ChainExhausted),
    "escalation.contact_failed": Entry(escalation.ContactFailed),
    "escalation.escalated_manually": Entry(escalation.EscalatedManually),
    "escalation.handed_over": Entry(escalation.HandedOver),
    "escalation.re_alarmed": Entry(escalation.ReAlarmed),
    "escalation.policy_reassigned": Entry(escalation.PolicyReassigned),
    "escalation.snoozed": Entry(escalation.Snoozed),
    "escalation.snooze_ended": Entry(escalation.SnoozeEnded),
    "escalation.acknowledged": Entry(escalation.Acknowledged),
    "escalation.additional_ack": Entry(escalation.AdditionallyAcknowledged),
    "escalation.ack_reminded": Entry(escalation.AckReminded),
    "escalation.ack_confirmed": Entry(escalation.AckConfirmed),
    "escalation.ack_expired": Entry(escalation.AckExpired),
    "escalation.review_begun": Entry(escalation.ReviewBegun),
    "escalation.action_agreed": Entry(escalation.ActionAgreed),
    "escalation.review_overdue": Entry(escalation.ReviewOverdue),
    "escalation.dismissed_again": Entry(escalation.DismissedAgain),
    "escalation.monitoring_begun": Entry(escalation.MonitoringBegun),
    "escalation.closed": Entry(escalation.Closed),
    "escalation.merged": Entry(escalation.Merged),
    "escalation.reopened": Entry(escalation.Reopened),
    "review.opened": Entry(review.Opened),
    "review.started": Entry(review.Started),
    "review.causes_identified": Entry(review.CausesIdentified),
    "review.system_risk_determined": Entry(review.SystemRiskDetermined),
    "review.safeguarding_considered": Entry(review.SafeguardingConsidered),
    "review.action_agreed": Entry(review.ActionAgreed),
    "review.countersigned": Entry(review.Countersigned),
    "review.closed": Entry(review.Closed),
    "review.reopened": Entry(review.Reopened),
    "review.merged": Entry(review.Merged),
    "action.agreed": Entry(action.Agreed),
    "action.progressed": Entry(action.Progressed),
    "action.completed": Entry(action.Completed),
    "action.cancelled": Entry(action.Cancelled),
    "action.effectiveness_checked": Entry(action.EffectivenessChecked),
    "action.overdue": Entry(action.ActionOverdue),
    "denominator.stated": Entry(denominator.Stated),
    "duplicate_rule.adopted": Entry(duplicate_rule.Adopted),
    "source.declared": Entry(source.Declared),
    "source.heard": Entry(source.Heard),
    "source.silent": Entry(source.Silent),
    "source.spoke_again": Entry(source.SpokeAgain),
    "endpoint.registered": Entry(endpoint.Registered),
    "endpoint.changed": Entry(endpoint.Changed),
    "endpoint.secret_rotated": Entry(endpoint.SecretRotated),
    "endpoint.degraded": Entry(endpoint.Degraded),
    "endpoint.recovered": Entry(endpoint.Recovered),
    "endpoint.held": Entry(endpoint.Held),
    "endpoint.enabled": Entry(endpoint.Enabled),
    "endpoint.recovery_asked": Entry(endpoint.RecoveryAsked),
    "endpoint.replay_asked": Entry(endpoint.ReplayAsked),
    "endpoint.tested": Entry(endpoint.Tested),
    "endpoint.deleted": Entry(endpoint.Deleted),
}

NAMES: dict[type[Any], tuple[str, int]] = {
    entry.event: (name, entry.schema_version) for name, entry in CATALOGUE.items()
}

CONFIGURATION = frozenset(
    {"service.registered", "taxonomy.extended", "policy.adopted", "recognition.adopted", "duplicate_rule.adopted"}
)
"""Events after which what a process remembers of an organisation's rules is no longer true."""
