"""`demo`: a provider with a year of near misses, and what to look at in it."""

import typer

from app.cli.serving import HOST, PORT
from app.cli.within import Organisation, opened
from app.operations.demo import NAME, Story
from app.operations.demo import tell as tell_demo


def demo(organisation: Organisation = "demo-provider") -> None:
    """Make a provider with six services and a year of near misses, and show the review that the last one opened."""
    from app.cli.entrance import intake

    with opened(organisation) as house:
        typer.echo(_told_of(tell_demo(house, organisation, intake)))


def _told_of(story: Story) -> str:
    """What the demo shows, in a few lines, and how to look at it."""
    hot, key = story.hot, story.key
    lines = [
        f"{NAME}: six services, {story.near_misses} near misses in a year, {story.recorded} of them recorded just now."
        if story.recorded
        else f"{NAME} is there already: six services, {story.near_misses} near misses in a year.",
        f"{story.historical} patterns of the past came in as history: counted, and nobody was alarmed.",
        f"The hottest cell at handovers: {hot.stage_allowed} × {hot.shift_bracket}, {hot.near_misses} near misses.",
    ]
    paths = ["heatmaps/workflow"]
    if story.escalation is not None:
        key_of = ", ".join(str(value) for value in story.escalation["key"].values())
        lines += ["", f"The last report completed a pattern ({key_of}) and one review opened:"]
        lines += [f"  {one['occurred_at'][:16].replace('T', ' ')}  {one['narrative']}" for one in story.members]
        lines += [f"  escalation {story.escalation['id']}", f"  review     {story.escalation['review_id']}"]
        paths = [f"reviews/{story.escalation['review_id']}", f"escalations/{story.escalation['id']}", *paths]
    lines += ["", "Start `forewarn serve` beside it, then:"]
    lines += (
        [f"  export KEY={key.secret}   # shown this once"] if key else ["  export KEY=…   # as the first run showed it"]
    )
    lines += [f'  curl -H "Authorization: Bearer $KEY" http://{HOST}:{PORT}/v1/{path}' for path in paths]
    return "\n".join(lines)
