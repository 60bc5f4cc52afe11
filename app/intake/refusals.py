"""What is refused of a stranger's payload, whatever it is written in."""

from app.domain.decider import Fault, Invalid


class PayloadNotUnderstood(Invalid):
    """The payload is not one that the mapping understands; `errors` points at what is missing in it (422)."""

    code = "payload-not-understood"

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*faults)
        self.detail = "Send the payload as the vendor does, or have the mapping mended: `errors` names what is missing."
