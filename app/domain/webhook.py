"""What can be told to other systems: each type of message once, with what it says.

A receiver may rely on these names, so none is ever renamed. Urgent ones are tried again within seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebhookType:
    """A sentence about what has happened, and whether somebody is waiting for an answer."""

    says: str
    urgent: bool = False


TEST = "forewarn.test"

TYPES: dict[str, WebhookType] = {
    "near_miss.recorded": WebhookType("A near miss was recorded, with its similarity check."),
    "escalation.raised": WebhookType("A rule's threshold was reached: the contact of level 0.", urgent=True),
    "escalation.member_added": WebhookType("Another near miss came to an escalation.", urgent=True),
    "escalation.level_entered": WebhookType("A level of the ladder is asked.", urgent=True),
    "escalation.acknowledged": WebhookType("Somebody took an escalation on.", urgent=True),
    "escalation.chain_exhausted": WebhookType("No level of the ladder answered: the backstop is asked.", urgent=True),
    "review.overdue": WebhookType("A review was not closed by its deadline.", urgent=True),
    "review.closed": WebhookType("A review was closed."),
    "governance_review.overdue": WebhookType("A governance review missed its cadence.", urgent=True),
    "governance_review.closed": WebhookType("A governance review was closed."),
    "action.overdue": WebhookType("An action was not done by its deadline.", urgent=True),
    "action.outcome_assessed": WebhookType("What came of an action was assessed."),
    "source.silent": WebhookType("A source that is expected to speak has gone quiet."),
    "trend.signalled": WebhookType("A frequency is rising below the threshold."),
    "reporting.drought": WebhookType("Less is reported than is to be expected: silence is a signal."),
    "ledger.checkpoint": WebhookType("The ledger's head was signed."),
    "endpoint.degraded": WebhookType("Another endpoint is failing, and will be held if it goes on."),
    "endpoint.held": WebhookType("Another endpoint is held: its messages wait until a person enables it."),
    TEST: WebhookType("A person asked for it, to see whether messages arrive; whatever the endpoint wants."),
}
