"""What every decision shares: a command asks, an event tells, a refusal names its rule.

A stream module offers `decide(command, state, now) -> list[event]` and `evolve(state, event) -> state`.
`decide` raises `Refused`; `evolve` never does, for history is believed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: a JSON pointer (RFC 6901), a code and a sentence that says what to do."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition that a closure still misses, with the ids that it is missed for."""

    code: str
    detail: str
    ids: tuple[str, ...] = ()


class Refused(Exception):
    """A command that a rule refuses. `code` is the problem code of the API contract, `detail` says what to do."""

    code = "refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Invalid(Refused):
    """The request names something that is missing, unknown or out of range (422)."""

    code = "validation"

    def __init__(self, *faults: Fault) -> None:
        super().__init__("Correct what `errors` names and send the request again.")
        self.faults = faults


class NotFound(Refused):
    """Nothing of that id belongs to the organisation (404)."""

    code = "not-found"


class GateNotMet(Refused):
    """A closure whose conditions are not all met; every one that is missing is named at once (409)."""

    code = "gate-not-met"

    def __init__(self, *gates: Gate) -> None:
        super().__init__("Meet every condition that `gates` names, then close again.")
        self.gates = gates
