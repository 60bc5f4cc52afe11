"""Whether a ledger is one that evidence can be made of, asked before anything is added to it.

A ledger that is damaged is not to grow: what is appended to it makes the damage harder to tell, and the backup from
before it staler. `forewarn check` tells more; this tells only whether it has anything to tell of the events.
"""

from sqlalchemy import select

from app.database.tables import ledgers
from app.events.store import read_after
from app.operations.house import House
from app.proof.integrity import Integrity

PAGE = 2000
ADVICE = "Nothing can be proven by such a ledger: run `forewarn check`, which says what to do."


def damage(house: House, organisation: str) -> str | None:
    """The first thing wrong with a ledger, as a sentence; None when every event is as it was written.

    Reads the whole ledger, in short transactions: what is appended meanwhile is not looked at.
    """
    row = ledgers.c
    head = select(row.position, row.root, row.frontier).where(row.organisation == organisation)
    with house.database.read() as connection:
        end = connection.execute(head).first()
    if end is None:
        return None
    walk, after = Integrity(organisation), 0
    while after < end.position and walk.first_bad is None:
        with house.database.read() as connection:
            page = read_after(connection, organisation, after, PAGE, up_to=end.position)
        for envelope in page:
            walk.follow(envelope)
        if not page:
            break
        after = page[-1].sequence
    walk.finish(end.position, bytes(end.root), bytes(end.frontier))
    return walk.why
