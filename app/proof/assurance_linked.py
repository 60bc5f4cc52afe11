"""Validation 2: near misses are linked to workflow analysis and not treated as isolated events (S11).

Its population is every near miss of the period that still stands and owes a link. A link that says `unknown` of the
stage that allowed it identifies none, and is none here.
"""

import json
from typing import Any

from app.events.envelope import instant
from app.proof.assurance_report import Question, Validation, texts
from app.proof.assurance_scratch import Scratch

ID = "linked_to_workflow"


def validate(scratch: Scratch, question: Question) -> dict[str, Any]:
    """The validation as of what was read."""
    services = None if question.services is None else json.dumps(sorted(question.services))
    asked = (question.low, question.high, services)
    found = Validation(ID, scratch.count(_POPULATION, *asked))
    for near_miss_id, linked, due, awaiting, isolated in scratch.each(_NOT_WELL, *asked):
        if isolated is not None:
            found.fail([near_miss_id, *texts(isolated)], "closed_in_isolation")
        if linked:
            continue
        if due is not None and question.at < due:
            found.wait([near_miss_id], due)
        else:
            says = {"due": instant(due)} if due is not None else {}
            found.fail([near_miss_id], "not_linked", **says, **({"awaits": texts(awaiting)} if awaiting else {}))
    exempt = {row[0]: row[1] for row in scratch.each(_EXEMPT, *asked)}
    return found.document(linked=scratch.count(_LINKED, *asked), owe_no_link=exempt)


_OF_PERIOD = "counts AND at >= ?1 AND at < ?2 AND (?3 IS NULL OR service IN (SELECT value FROM json_each(?3)))"
_POPULATION = f"SELECT count(*) FROM records WHERE {_OF_PERIOD} AND exempt IS NULL"  # noqa: S608
_LINKED = f"{_POPULATION} AND linked"
_NOT_WELL = f"""
SELECT id, linked, due, awaiting, isolated FROM records
WHERE {_OF_PERIOD} AND exempt IS NULL AND (NOT linked OR isolated IS NOT NULL) ORDER BY sequence
"""  # noqa: S608
_EXEMPT = f"SELECT exempt, count(*) FROM records WHERE {_OF_PERIOD} AND exempt IS NOT NULL GROUP BY exempt"  # noqa: S608
