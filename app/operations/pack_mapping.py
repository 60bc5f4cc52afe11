"""Which member and which validation of a pack bears on which requirement of a regulator: for whoever inspects by them.

A mapping is an opinion, so it has a version, and says of which text it speaks and as of when. It quotes nothing.
"""

from typing import Any, NamedTuple

VERSION = "2026-11"
LOOKED_UP_ON = "2026-11-23"
ESCALATED, LINKED, GOVERNED = "repeated_near_misses_escalated", "linked_to_workflow", "used_in_governance"
"""The validations of assurance.json."""


class Bearing(NamedTuple):
    """A requirement, and what of a pack bears on it. `validations`: of assurance.json."""

    id: str
    title: str
    members: tuple[str, ...]
    validations: tuple[str, ...] = ()
    how: str = ""


CQC = (
    Bearing(
        "safe/learning-culture",
        "Learning culture",
        ("near_misses.csv", "reviews.jsonl", "actions.jsonl", "outcomes.json", "learning.csv"),
        (ESCALATED, LINKED),
        "Near misses are reported, looked into together once they repeat, acted on, and what was learned is shared.",
    ),
    Bearing(
        "safe/safe-systems-pathways-and-transitions",
        "Safe systems, pathways and transitions",
        ("near_misses.csv", "trends.json", "reviews.jsonl"),
        (LINKED,),
        "Each near miss is tied to the stage of work that allowed it, handovers among them.",
    ),
    Bearing(
        "safe/safeguarding",
        "Safeguarding",
        ("reviews.jsonl", "escalations.jsonl"),
        (ESCALATED,),
        "Every review considers whether repeated concerns meet the threshold of safeguarding before it may close.",
    ),
    Bearing(
        "safe/involving-people-to-manage-risks",
        "Involving people to manage risks",
        ("near_misses.csv", "trends.json", "escalations.jsonl"),
        (ESCALATED,),
        "Risks are seen before harm is done. What the person concerned was told is not in a pack.",
    ),
    Bearing(
        "safe/safe-and-effective-staffing",
        "Safe and effective staffing",
        ("near_misses.csv", "reviews.jsonl", "actions.jsonl"),
        (LINKED,),
        "Contributing factors and causes name workload, rota and staff allocation; visits are mapped against the plan.",
    ),
    Bearing(
        "safe/medicines-optimisation",
        "Medicines optimisation",
        ("near_misses.csv", "trends.json", "escalations.jsonl", "outcomes.json"),
        (ESCALATED, LINKED),
        "Near misses with medicines by deviation and stage, their patterns, and whether actions made them fewer.",
    ),
    Bearing(
        "well-led/governance-management-and-sustainability",
        "Governance, management and sustainability",
        ("governance/", "timeliness.csv", "changes.csv", "policies.json", "assurance.json", "proofs.json"),
        (ESCALATED, LINKED, GOVERNED),
        "Leadership reviews each period, decides on records that it cites, and can show that nothing was taken out.",
    ),
)

CFR = (
    Bearing(
        "441.302(a)(6)(i)",
        "An incident management system is operated and maintained",
        ("near_misses.csv", "escalations.jsonl", "reviews.jsonl", "actions.jsonl", "trends.json"),
        (ESCALATED, LINKED),
        "Near misses are identified, reported, triaged by rule, investigated in reviews, resolved and trended. "
        "Critical incidents, which did harm, are in near_misses.csv by their classification where they were reported.",
    ),
    Bearing(
        "441.302(a)(6)(i)(B)",
        "Information is collected, tracked and trended electronically",
        ("ledger.jsonl", "proofs.json", "trends.json"),
        (),
        "Every event is in a ledger; what is left out of a pack is proven to exist.",
    ),
    Bearing(
        "441.302(a)(6)(ii)",
        "Investigations, resolutions and corrective actions are timely",
        ("timeliness.csv", "actions.jsonl", "outcomes.json"),
        (ESCALATED,),
        "The shares in time are those of this pack's deadlines; a state's own time frames stand in its waiver.",
    ),
)


def mapping() -> dict[str, Any]:
    """What mapping.json holds."""
    return {
        "version": VERSION,
        "looked_up_on": LOOKED_UP_ON,
        "says": "Which members and validations of this pack bear on which requirement. It is no assessment, and no "
        "legal advice: check it against the text in force before you rely on it.",
        "frameworks": [
            {
                "id": "cqc-quality-statements",
                "title": "Care Quality Commission (England): quality statements of the single assessment framework",
                "text": "as in use since November 2023; the CQC announced in 2025 that it would revise them",
                "requirements": _requirements(CQC),
            },
            {
                "id": "42-cfr-441.302-a-6",
                "title": "Medicaid home and community-based services (USA): 42 CFR 441.302(a)(6), incident management",
                "text": "as added by 89 FR 40542 (10 May 2024); it applies from 9 July 2027, electronic systems from "
                "9 July 2029",
                "requirements": _requirements(CFR),
            },
        ],
    }


def _requirements(bearings: tuple[Bearing, ...]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "title": one.title,
            "members": list(one.members),
            "validations": list(one.validations),
            "how": one.how,
        }
        for one in bearings
    ]
