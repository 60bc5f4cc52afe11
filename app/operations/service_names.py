"""All that records may call a service: its own id, and every other name that the register ever gave it.

A record keeps the name that it came with where the register did not know it yet, so what is about a service is found
under each. A name that belongs to another service now is none of its own: it was given by mistake.
"""

from collections.abc import Iterable

from app.operations.show import Reader


def names_of(reader: Reader, services: Iterable[str]) -> tuple[str, ...]:
    """The names of these services, as the reader knows the register: as they were asked, then every other, sorted."""
    settled = reader.settled()
    asked = tuple(dict.fromkeys(services))
    own = {settled.service_of(one)[0] or one for one in asked}
    told = reader.told([f"service/{one}" for one in sorted(own)])
    given = {alias for its in told.values() for one in its for alias in one.event.particulars.aliases}
    others = {one for one in given if settled.service_of(one)[0] not in {*own, one} or one in settled.services}
    return *asked, *sorted((own | given).difference(asked, others - own))
