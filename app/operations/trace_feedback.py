"""What a reporter is told became of the report, without the words that anybody wrote."""

from functools import reduce
from typing import Any

from app.domain import near_miss
from app.operations.documents import near_miss_document
from app.operations.feedback import feedback_on
from app.operations.trace_book import Book

_SEALED = {"sealed": True}


def feedback(book: Book, near_miss_id: str) -> dict[str, Any]:
    """The message, and how many were similar."""
    told = book.told("near_miss", [near_miss_id])[near_miss_id]
    state = reduce(near_miss.evolve, (one.event for one in told), near_miss.UNRECORDED)
    held = [escalation_id for escalation_id, _ in book.reader.standing_in(near_miss_id)]
    document = near_miss_document(near_miss_id, state, told, held, in_review=False, opened=lambda _: _SEALED)
    said = feedback_on(book.reader, document)
    return {"message": said["message"], "similar": said["similar"]}
