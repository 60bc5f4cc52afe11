"""The words every organisation begins with: version 1 of the taxonomy, as code → label.

Sources: NCC MERP index (classifications), Yorkshire Contributory Factors Framework (contributing factors), and the
stages of medicines and visits as wards and rounds name them.
"""

OTHER = "other"
UNKNOWN = "unknown"

INCIDENT_TYPES = {
    "medication": "Medication",
    "visit": "Visit",
    "escalation": "Escalation of a concern",
    "moving_handling": "Moving and handling",
    "safeguarding": "Safeguarding",
    "equipment": "Equipment",
    "records": "Records",
    OTHER: "Other",
}

CLASSIFICATIONS = {
    "unsafe_condition": "Unsafe condition: circumstances able to cause an error (NCC MERP A)",
    "near_miss": "Near miss: put right before it reached the person (NCC MERP B)",
    "no_harm_incident": "No-harm incident: reached the person, no harm (NCC MERP C, D)",
    "harm_incident": "Harm incident: reached the person and harmed (NCC MERP E to I)",
}

DEVIATIONS = {
    "medication": {
        "early": "Given too early",
        "late": "Given too late",
        "omitted": "Dose omitted",
        "extra": "Extra dose",
        "wrong_dose": "Wrong dose or strength",
        "wrong_medicine": "Wrong medicine",
        "wrong_person": "Wrong person",
        "wrong_route": "Wrong route",
        "wrong_technique": "Wrong technique",
        "allergy": "Known allergy to the medicine",
        "contraindicated": "Contraindicated or interacting medicine",
    },
    "visit": {
        "late": "Visit late",
        "missed": "Visit missed",
        "short": "Visit cut short",
        "overrun": "Visit overran",
        "double_handed_single": "Double-handed visit attended by one",
        "unallocated": "Visit allocated to nobody",
    },
    "escalation": {
        "late": "Concern escalated too late",
        "not_made": "Concern not escalated",
        "wrong_recipient": "Escalated to the wrong recipient",
        "no_response": "No response from the recipient",
        "incomplete_information": "Escalated with incomplete information",
    },
    "moving_handling": {
        "unsafe_technique": "Unsafe technique",
        "equipment_not_used": "Equipment of the plan not used",
        "wrong_equipment": "Wrong equipment, sling or size",
        "single_handed": "One member of staff where the plan asks for two",
        "unplanned_lift": "Unplanned manual lift",
    },
    "safeguarding": {
        "unexplained_mark": "Unexplained mark or bruise",
        "neglect_of_care": "Care need left unmet",
        "unauthorised_restriction": "Restriction without authority or consent",
        "boundary_breach": "Professional boundary crossed",
        "concern_not_raised": "Concern noticed and not raised",
    },
    "equipment": {
        "fault": "Fault or failure in use",
        "unavailable": "Equipment missing or not available",
        "check_overdue": "Inspection or service overdue",
        "wrong_setting": "Wrong setting",
        "misuse": "Used against its instructions",
    },
    "records": {
        "missing_entry": "Entry missing",
        "wrong_entry": "Entry wrong",
        "wrong_person": "Entry in another person's record",
        "outdated_plan": "Care plan or chart out of date",
        "disclosed_in_error": "Record seen by or sent to the wrong recipient",
    },
    OTHER: {
        "nutrition_hydration": "Food, drink or texture not as planned",
        "infection_control": "Infection control precaution missed",
        "environment_hazard": "Hazard in the environment",
        "person_unaccounted_for": "Whereabouts of a person not known",
    },
}

STAGES = {
    "medication": {
        "prescribe": "Prescribe",
        "transcribe": "Transcribe",
        "order_supply_store": "Order, supply and store",
        "dispense": "Dispense",
        "prepare": "Prepare",
        "administer": "Administer",
        "record": "Record",
        "monitor": "Monitor",
        "handover": "Handover",
    },
    "visit": {
        "plan": "Plan",
        "allocate": "Allocate",
        "publish_rota": "Publish the rota",
        "travel": "Travel",
        "check_in": "Check in",
        "deliver": "Deliver care",
        "record": "Record",
        "handover": "Handover",
        "check_out": "Check out",
    },
    "escalation": {
        "recognise": "Recognise",
        "report": "Report",
        "escalate": "Escalate",
        "respond": "Respond",
    },
}

GENERAL_STAGES = {
    "assess": "Assess",
    "plan": "Plan",
    "prepare": "Prepare",
    "deliver": "Deliver care",
    "record": "Record",
    "handover": "Handover",
}
"""The stages of every incident type without stages of its own, added ones included."""

CONTRIBUTING_FACTORS = {
    "active_failures": "Active failures: slip, lapse, mistake",
    "communication_systems": "Communication systems",
    "equipment_design": "Design of equipment and supplies",
    "equipment_supplies": "Availability of equipment and supplies",
    "external_policy": "External policy context",
    "individual": "Individual staff factors",
    "lines_of_responsibility": "Lines of responsibility",
    "staffing": "Staffing levels and skill mix",
    "person_using_service": "Factors of the person who uses the service",
    "physical_environment": "Physical environment",
    "policies_procedures": "Policies and procedures",
    "safety_culture": "Safety culture",
    "scheduling": "Scheduling",
    "workload": "Workload",
    "supervision_leadership": "Supervision and leadership",
    "central_functions": "Support from central functions",
    "task": "Task characteristics",
    "team": "Team factors",
    "training": "Training and education",
    "environment_other": "Other environment of work",
}

RECOVERY_BARRIERS = {
    "staff_check": "A check by the member of staff",
    "system_alert": "An alert of the system",
    "colleague": "A colleague",
    "person_or_family": "The person or their family",
    "chance": "Chance: no barrier held",
}

CAUSES = {
    "rota_pressure": "Rota pressure",
    "communication_gap": "Communication gap",
    "unclear_task_allocation": "Unclear task allocation",
}
"""Causes of a review beside the contributing factors, every one of which is a cause code too."""

CAUSE_ROLL_UP = {
    "rota_pressure": ("staffing", "scheduling", "workload"),
    "communication_gap": ("communication_systems",),
    "unclear_task_allocation": ("lines_of_responsibility",),
}
"""Which contributing factors of the reports speak for which cause of a review."""

CLOSURES = {
    "action_agreed": "Closed with an agreed action",
    "no_action_needed": "Closed, no action needed",
    "not_a_pattern": "Not a pattern (leadership countersigns)",
    "duplicate": "Duplicate of another review (leadership countersigns)",
}
