"""How grave a near miss is, compared with another: never for a count, only for asking people again.

Repetition matters more than outcome, so gravity changes no threshold; but who acknowledged a pattern of small things
is asked anew when a graver one joins it.
"""

HARM_DONE = 2
"""What did reach somebody weighs at least as much as what could have been severe."""

_OF_HARM = {"moderate": 1, "severe": 2, "death": 3}


def gravity(classification: str, potential_harm: str | None) -> int:
    """From 0 (low, or not stated) to 3 (death)."""
    weight = _OF_HARM.get(potential_harm or "", 0)
    return max(weight, HARM_DONE) if classification == "harm_incident" else weight
