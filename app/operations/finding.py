"""What `forewarn check` finds, where, and what is to be done about it: a finding without advice helps nobody."""

from dataclasses import dataclass
from typing import Any, Literal, assert_never

Kind = Literal[
    "schema",
    "file",
    "triggers",
    "event",
    "head",
    "newer",
    "checkpoint",
    "node",
    "ahead",
    "projection",
    "contradicted",
    "delivery",
    "evidence_pack",
    "replay",
    "key",
    "subject",
    "api_key",
    "command",
    "organisation",
    "stray",
]

_RESTORE = (
    "Stop the service and keep a copy of this database. Restore the newest backup in which `forewarn check` finds "
    "nothing, and hold it against the last checkpoint that somebody outside has kept."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was stored. `sequence` to `until`: where in the ledger, as closely as can be told.

    `name`: of the projection, the table or the key that it is about.
    """

    kind: Kind
    detail: str
    organisation: str | None = None
    sequence: int | None = None
    until: int | None = None
    name: str | None = None

    @property
    def to_do(self) -> str:
        """What is to be done, as sentences."""
        match self.kind:
            case "schema":
                return "Run `forewarn serve` of this release, which brings the schema up to date, and check again."
            case "file" | "event" | "head" | "checkpoint" | "replay" | "contradicted":
                return _RESTORE
            case "ahead":
                return f"Do not rebuild: what is stored knows more than the ledger, which has lost its end. {_RESTORE}"
            case "triggers":
                return (
                    "Find out who took away what keeps events from being changed, and put it back as "
                    "alembic/versions/0001_ledger.py makes it."
                )
            case "newer":
                return "Update forewarn to the release that wrote it, and check again."
            case "node" | "projection":
                return (
                    "Hold the ledger against the last checkpoint that somebody outside has kept. If it agrees, run "
                    f"`forewarn rebuild {self.name} --organisation {self.organisation}`: it makes the rows anew from "
                    "the ledger, while the service goes on."
                )
            case "delivery":
                return (
                    "What was sent cannot be made anew: restore these rows from a backup, or ask the endpoints that "
                    "are named to recover with `POST /v1/webhook-endpoints/{id}/recover`."
                )
            case "evidence_pack":
                return (
                    "Ask for another pack of the same period, which is built from the ledger. Whoever had this one "
                    "compares its SHA-256 with the one that `GET /v1/evidence-packs/{id}` tells."
                )
            case "key":
                return "Restore the row from a backup: what was sealed under it cannot be read without it."
            case "subject":
                return "Restore the row from a backup: until then nobody can tell whom the token stands for."
            case "api_key":
                return "Revoke the key with `forewarn keys revoke`, or delete its row, and give out another one."
            case "command":
                return "Delete the row: only the answer to a repeated request hangs on it."
            case "organisation":
                return "Write the name of its first event back into `organisations`, or restore the row from a backup."
            case "stray":
                return "Nothing reads these rows; find out who wrote them, and delete them."
            case _:
                assert_never(self.kind)

    def document(self) -> dict[str, Any]:
        """The finding as JSON: what is not known is left out."""
        told = {
            "kind": self.kind,
            "organisation": self.organisation,
            "detail": self.detail,
            "sequence": self.sequence,
            "until": self.until if self.until != self.sequence else None,
            "name": self.name,
            "to_do": self.to_do,
        }
        return {name: value for name, value in told.items() if value is not None}
