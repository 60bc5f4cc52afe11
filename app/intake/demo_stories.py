"""What goes nearly wrong in the demo's services, and how often at which hour: the provider is made up, so is everyone.

Each story is one kind of near miss with its place in the work. `hours`: (from, until, weight) on the local clock;
`share` says how often it happens beside the others of its kind of service.
"""

from dataclasses import dataclass

CARE_HOME = "care_home"
HOME_CARE = "home_care"


@dataclass(frozen=True, slots=True)
class Home:
    """A service of the demo; `busy`: how many near misses it reports in a week."""

    id: str
    name: str
    kind: str
    locality: str
    units: tuple[str, ...]
    busy: float


HOMES = (
    Home("willow-house", "Willow House", CARE_HOME, "riverside", ("ground floor", "first floor", "garden wing"), 1.9),
    Home("harbour-view", "Harbour View", CARE_HOME, "coast", ("ground floor", "upper floor"), 1.3),
    Home("the-limes", "The Limes", CARE_HOME, "hillside", ("east wing", "west wing"), 1.0),
    Home("riverside-home-care", "Riverside Home Care", HOME_CARE, "riverside", ("north run", "south run"), 1.6),
    Home("coast-home-care", "Coast Home Care", HOME_CARE, "coast", ("town run", "village run"), 1.4),
    Home("hillside-home-care", "Hillside Home Care", HOME_CARE, "hillside", ("valley run", "hill run"), 0.9),
)


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of near miss; `{unit}` and `{minutes}` in its sentences are filled in."""

    kind: str
    incident_type: str
    deviation: str
    share: float
    hours: tuple[tuple[str, str, float], ...]
    stages: tuple[str, str]
    system: str
    factors: tuple[str, ...]
    narratives: tuple[str, ...]
    put_right: str


ROUNDS = (("07:35", "08:10", 3.0), ("08:30", "10:00", 2.0), ("12:30", "13:30", 1.0), ("19:35", "20:10", 4.0))
HANDOVERS = (("07:30", "08:10", 2.0), ("19:35", "20:10", 3.0))
DAYTIME = (("08:30", "12:00", 2.0), ("13:00", "18:30", 2.0))
ALL_DAY = (*DAYTIME, ("20:30", "23:30", 1.0), ("05:00", "07:20", 0.5))
CALLS = (("07:05", "10:50", 4.0), ("11:10", "13:50", 2.0), ("16:05", "17:50", 3.0), ("19:10", "21:50", 3.0))

STORIES = (
    Story(
        CARE_HOME,
        "medication",
        "omitted",
        3.0,
        ROUNDS,
        ("administer", "handover"),
        "eMAR",
        ("communication_systems", "workload", "task"),
        (
            "A dose on the {unit} was not signed for at handover. The oncoming senior asked, and gave it in time.",
            "The round on the {unit} was interrupted by a call bell. The second check found one pot still full.",
            "Each shift thought that the other had given the dose. The chart was checked before the trolley left.",
        ),
        "The dose was given within its time and the chart brought up to date.",
    ),
    Story(
        CARE_HOME,
        "medication",
        "late",
        2.5,
        ROUNDS,
        ("administer", "prepare"),
        "eMAR",
        ("workload", "staffing", "scheduling"),
        (
            "A time-critical dose on the {unit} came up {minutes} minutes late on the round. The alert caught it.",
            "The senior was with the paramedics; a colleague took over the {unit} and the dose was only just in time.",
        ),
        "A colleague took over the rest of the round.",
    ),
    Story(
        CARE_HOME,
        "medication",
        "wrong_dose",
        1.2,
        ROUNDS,
        ("prepare", "transcribe"),
        "paper chart",
        ("communication_systems", "task", "training"),
        (
            "The dose was halved by the GP on Friday and the old strength was still in the trolley on the {unit}.",
            "Two strengths stood side by side in the cupboard of the {unit}. The second checker read the label aloud.",
        ),
        "The old strength was sent back to the pharmacy.",
    ),
    Story(
        CARE_HOME,
        "medication",
        "wrong_person",
        0.6,
        ROUNDS,
        ("administer", "prepare"),
        "eMAR",
        ("active_failures", "workload", "physical_environment"),
        (
            "Two residents on the {unit} have similar names. The photograph on the chart stopped it.",
            "The pot was taken to the wrong table in the dining room; the resident said that it was not hers.",
        ),
        "The name alert was put on both charts.",
    ),
    Story(
        CARE_HOME,
        "moving_handling",
        "single_handed",
        1.0,
        ALL_DAY,
        ("deliver", "plan"),
        "care plan",
        ("staffing", "safety_culture", "workload"),
        (
            "A carer on the {unit} was about to transfer alone with the hoist; the plan asks for two.",
            "The second carer was called away in the middle of a transfer. They waited, and the resident was safe.",
        ),
        "The transfer was stopped until a second carer came.",
    ),
    Story(
        CARE_HOME,
        "equipment",
        "check_overdue",
        0.8,
        DAYTIME,
        ("prepare", "plan"),
        "maintenance log",
        ("equipment_supplies", "lines_of_responsibility"),
        (
            "The sling on the {unit} was past its inspection date. It was noticed before it was used.",
            "The pressure mattress alarm on the {unit} had been silenced and nobody knew by whom.",
        ),
        "It was taken out of use and the check was booked.",
    ),
    Story(
        CARE_HOME,
        "records",
        "outdated_plan",
        0.9,
        HANDOVERS,
        ("record", "handover"),
        "care plan",
        ("communication_systems", "team"),
        (
            "The plan still said thin fluids after the therapist's visit. Kitchen asked before serving.",
            "The allergy was in the hospital letter and not in the plan on the {unit}. The senior saw it at handover.",
        ),
        "The plan was changed while the senior was on the telephone.",
    ),
    Story(
        CARE_HOME,
        "escalation",
        "late",
        0.7,
        ALL_DAY,
        ("escalate", "recognise"),
        "observation chart",
        ("lines_of_responsibility", "training", "communication_systems"),
        (
            "The score had risen since tea on the {unit}; 111 was called {minutes} minutes after it should have been.",
            "It was not clear who would ring the on-call manager. The night senior rang.",
        ),
        "The GP came the same evening.",
    ),
    Story(
        HOME_CARE,
        "visit",
        "late",
        4.0,
        CALLS,
        ("travel", "allocate"),
        "rota app",
        ("scheduling", "workload", "environment_other"),
        (
            "Ten minutes on the {unit} between calls that take twenty-five. The carer rang ahead and was just in time.",
            "Road works on the {unit}: {minutes} minutes behind at the third call. A colleague took the fourth.",
            "Two double-handed calls followed each other on the {unit} without travel time between them.",
        ),
        "The office rang the person and moved the next call.",
    ),
    Story(
        HOME_CARE,
        "visit",
        "unallocated",
        1.6,
        (("06:30", "08:00", 2.0), ("15:00", "17:00", 1.0)),
        ("allocate", "publish_rota"),
        "rota app",
        ("staffing", "scheduling", "central_functions"),
        (
            "A call on the {unit} had no carer after somebody rang in sick. The coordinator saw it at seven.",
            "The swap was agreed by text and never made in the rota. A colleague on the {unit} asked.",
        ),
        "The coordinator took the call herself.",
    ),
    Story(
        HOME_CARE,
        "visit",
        "double_handed_single",
        1.0,
        CALLS,
        ("deliver", "allocate"),
        "rota app",
        ("staffing", "scheduling", "team"),
        (
            "The second carer was still on the {unit}; the first waited {minutes} minutes and did not begin alone.",
            "The rota showed one carer for a double-handed call. The carer knew the person and rang the office.",
        ),
        "The visit began when the second carer had come.",
    ),
    Story(
        HOME_CARE,
        "medication",
        "late",
        1.4,
        CALLS,
        ("administer", "administer"),
        "eMAR",
        ("scheduling", "task"),
        (
            "The tea call ran late and so did the tablet for Parkinson's; the carer rang the pharmacist and gave it.",
            "The call time on the {unit} was moved and the time of the medicine was not. The app alerted.",
        ),
        "The call was put back to its time in the rota.",
    ),
    Story(
        HOME_CARE,
        "escalation",
        "no_response",
        0.8,
        CALLS,
        ("respond", "escalate"),
        "on-call telephone",
        ("lines_of_responsibility", "communication_systems"),
        (
            "On-call did not answer for {minutes} minutes about a fall on the {unit}. The carer rang 111 herself.",
            "The message about a new pressure mark was read the next morning. The district nurse came that day.",
        ),
        "The carer stayed until somebody had answered.",
    ),
    Story(
        HOME_CARE,
        "records",
        "missing_entry",
        0.9,
        CALLS,
        ("record", "record"),
        "visit notes",
        ("workload", "equipment_design"),
        (
            "The morning call had left no note about the medicine. The lunch carer asked before giving it.",
            "No signal on the {unit}: the note was lost and the carer of the next call rang back.",
        ),
        "The note was written again and the office told.",
    ),
)
