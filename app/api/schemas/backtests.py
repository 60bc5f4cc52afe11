"""The body of a backtest, for those who read openapi.yaml; the operation reads it itself, every fault at once."""

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.policy import POLICY_EXAMPLE, PolicyDocument
from app.api.schemas.validation import Body


class BacktestGrid(Body):
    """Thresholds and windows to try of one rule, at most 400 pairs."""

    rule_id: str | None = Field(None, description="A rule of the policy; left out, the first that opens reviews.")
    thresholds: list[int] = Field(min_length=1, max_length=400)
    windows: list[str] = Field(min_length=1, max_length=400, description="ISO 8601 durations.")


BACKTEST_EXAMPLE: dict[str, Any] = {
    "policy": POLICY_EXAMPLE,
    "from": "2025-09-01",
    "to": "2026-03-01",
    "compare_with": 1,
    "grid": {"rule_id": "similar", "thresholds": [3, 4], "windows": ["P14D", "P28D"]},
}


class BacktestRequest(Body):
    """A policy to try on what has happened."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [BACKTEST_EXAMPLE]})

    policy: PolicyDocument = Field(description="Whole, as PUT /v1/policy takes it.")
    since: str | None = Field(
        None,
        alias="from",
        description="A date or an instant: crossings then and later. Left out: from the first report.",
    )
    until: str | None = Field(None, alias="to", description="A date or an instant: crossings before it. Left out: now.")
    compare_with: int | None = Field(
        None, ge=1, description="A version that was once in force; left out, the one in force."
    )
    grid: BacktestGrid | None = None
