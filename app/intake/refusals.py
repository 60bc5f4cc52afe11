"""What is refused of a stranger's payload, whatever it is written in."""

from app.domain.decider import Fault, Invalid


class PayloadNotUnderstood(Invalid):
    """The payload is not one that the mapping understands (422); the first of `errors` says so, the others point at
    what is missing in it.
    """

    def __init__(self, *faults: Fault) -> None:
        detail = "Send the payload as the vendor does, or have the mapping mended: what is missing is named beside."
        super().__init__(Fault("", "payload-not-understood", detail), *faults)
