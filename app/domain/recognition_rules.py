"""The rules by which a near miss is recognised, as data: which medicines cannot wait, what is late, what codes mean.

Each version belongs to one organisation. A source's own codes can be given a meaning here; but that what was not
delivered reached the person, nobody can change (NCC MERP C or worse: an omission is never a near miss).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from app.domain.moment import DAY, Span

Meaning = Literal["delivered", "late", "not_delivered", "none"]
MEANINGS: tuple[Meaning, ...] = ("delivered", "late", "not_delivered", "none")
"""What a status means: it came, at the time that stands beside it; it is late; it never came; no near miss at all."""

DOSE_STATUSES: Mapping[str, Meaning] = MappingProxyType(
    {
        "given": "delivered",
        "late": "late",
        "omitted": "not_delivered",
        "not_available": "not_delivered",
        "refused": "none",
        "held": "none",
        "prompted": "none",
        "person_absent": "none",
        "not_required": "none",
        "self_administered": "none",
    }
)
VISIT_STATUSES: Mapping[str, Meaning] = MappingProxyType(
    {
        "planned": "none",
        "started": "delivered",
        "completed": "delivered",
        "late": "late",
        "missed": "not_delivered",
        "cancelled": "none",
    }
)
REACHED_THE_PERSON = frozenset({"omitted", "not_available", "missed"})
"""Statuses whose meaning no organisation changes: what was not delivered is never just a record."""

LATE_AFTER = Span.parse("PT10M")
TOLERANCE = Span.parse("PT60M")
TIME_CRITICAL_TOLERANCE = Span.parse("PT30M")
VISIT_WINDOW = Span.parse("PT15M")
ROUND_WITHIN = Span.parse("PT60M")
RUN_WITHIN = Span.parse("PT4H")

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name, whatever stands between them: co-careldopa and Co Careldopa are the same."""
    return tuple(_WORD.findall(text.casefold()))


def minutes_of(span: Span) -> float:
    """The length of a span that has no months, in minutes."""
    return (span.days * DAY + span.microseconds) / 60_000_000


@dataclass(frozen=True, slots=True)
class Medicines:
    """Medicines for which minutes count, and by which words they are told: names, brands or codes."""

    group: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recognition:
    """One version of the rules.

    `late_after`: how late a time-critical dose is a near miss while inside its tolerance. `tolerance` and
    `time_critical_tolerance`: of doses that state none. `visit_window`: how late a visit may start. `round_within`,
    `run_within`: how far apart late doses, late visits of one hand are still one near miss. `dose_statuses`,
    `visit_statuses`: what a source's code means, its own codes included; in small letters. No span has months.
    """

    version: int
    time_critical_medicines: tuple[Medicines, ...]
    late_after: Span = LATE_AFTER
    tolerance: Span = TOLERANCE
    time_critical_tolerance: Span = TIME_CRITICAL_TOLERANCE
    visit_window: Span = VISIT_WINDOW
    round_within: Span = ROUND_WITHIN
    run_within: Span = RUN_WITHIN
    dose_statuses: Mapping[str, Meaning] = field(default_factory=lambda: DOSE_STATUSES)
    visit_statuses: Mapping[str, Meaning] = field(default_factory=lambda: VISIT_STATUSES)
    reason: str | None = None
    phrases: Mapping[str, tuple[tuple[str, ...], ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        phrases: dict[str, tuple[tuple[str, ...], ...]] = {}
        for medicines in self.time_critical_medicines:
            for words in filter(None, map(words_of, medicines.names)):
                phrases[words[0]] = (*phrases.get(words[0], ()), words)
        object.__setattr__(self, "phrases", phrases)

    def is_time_critical(self, medication: str | None) -> bool:
        """Whether a medicine's name holds one of the names, word by word: insulin, but not insulinoma."""
        words = words_of(medication or "")
        return any(
            words[at : at + len(phrase)] == phrase
            for at, word in enumerate(words)
            for phrase in self.phrases.get(word, ())
        )


DEFAULT_MEDICINES = (
    Medicines(
        "insulin",
        (
            "insulin", "abasaglar", "actrapid", "apidra", "fiasp", "humalog", "humulin", "hypurin", "insulatard",
            "insuman", "lantus", "levemir", "lyumjev", "novomix", "novorapid", "semglee", "suliqua", "toujeo",
            "tresiba", "trurapi", "xultophy",
        ),
    ),
    Medicines(
        "parkinsons",
        (
            "levodopa", "carbidopa", "benserazide", "co-careldopa", "co-beneldopa", "madopar", "sinemet", "stalevo",
            "sastravi", "stanek", "caramet", "lecado", "duodopa", "lecigon", "produodopa", "ropinirole", "requip",
            "rotigotine", "neupro", "pramipexole", "mirapexin", "apomorphine", "apo-go", "dacepton", "rasagiline",
            "azilect", "selegiline", "eldepryl", "zelapar", "safinamide", "xadago", "entacapone", "comtess",
            "opicapone", "ongentys", "tolcapone", "tasmar", "amantadine",
        ),
    ),
    Medicines(
        "epilepsy",
        (
            "valproate", "valproic", "epilim", "episenta", "epival", "levetiracetam", "keppra", "carbamazepine",
            "tegretol", "lamotrigine", "lamictal", "phenytoin", "epanutin", "phenobarbital", "primidone",
            "oxcarbazepine", "trileptal", "eslicarbazepine", "zebinix", "topiramate", "topamax", "lacosamide",
            "vimpat", "brivaracetam", "briviact", "perampanel", "fycompa", "zonisamide", "zonegran", "clobazam",
            "frisium", "ethosuximide", "rufinamide", "vigabatrin", "sabril", "tiagabine", "cenobamate", "ontozry",
        ),
    ),
)  # fmt: skip

DEFAULT = Recognition(1, DEFAULT_MEDICINES)
"""What every organisation begins with."""
