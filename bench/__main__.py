"""`python -m bench`: every case in a process of its own, one table, one JSON file, and RESULTS.md on request."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import backtests, deliveries, http_submit, ledger, maps, measure, proving, verifying
from bench.databases import CannotMeasure
from bench.measure import Line, Scale

CASES: dict[str, Callable[[Scale], list[Line]]] = {
    "http_submit_postgresql": http_submit.on_postgresql,
    "http_submit_sqlite": http_submit.on_sqlite,
    "append_postgresql": ledger.append_on_postgresql,
    "append_sqlite": ledger.append_on_sqlite,
    "import": ledger.imports,
    "replay": ledger.replay,
    "windows": ledger.windows,
    "maps_postgresql": maps.on_postgresql,
    "maps_sqlite": maps.on_sqlite,
    "deliveries_postgresql": deliveries.on_postgresql,
    "deliveries_sqlite": deliveries.on_sqlite,
    "backtests": backtests.of_a_million,
    "verify": verifying.of_a_million,
    "append_tree": proving.appending_through_the_tree,
    "proofs": proving.proofs,
    "checking": proving.checking,
}
HERE = Path(__file__).resolve().parent


def main() -> int:
    """0 when every case could be measured; whether it met its aim is for the reader."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"all, or some of: {', '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, for trying the benchmarks themselves")
    parser.add_argument("--rounds", type=int, default=0, help="how often ours and its yardstick take turns")
    parser.add_argument("--write", action="store_true", help="put the table into bench/RESULTS.md too")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    rounds = said.rounds or (2 if said.quick else 5)
    if unknown := set(said.cases) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if said.into:
        return _alone(said.cases[0], Scale(rounds, said.quick, said.into.parent), said.into)
    lines, failures = _each_in_its_process(said.cases or list(CASES), rounds, said.quick)
    table = _table(lines, failures)
    print(table)
    _keep(lines, failures, said.quick)
    if said.write and not failures:
        _write(table, said.quick)
    return 1 if failures else 0


def _alone(case: str, scale: Scale, into: Path) -> int:
    try:
        measure.save(CASES[case](scale), into)
    except CannotMeasure as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _each_in_its_process(cases: list[str], rounds: int, quick: bool) -> tuple[list[Line], dict[str, str]]:
    lines, failures = list[Line](), dict[str, str]()
    for case in cases:
        folder = Path(tempfile.mkdtemp(prefix="forewarn-bench-"))
        into = folder / "lines.json"
        command = [sys.executable, "-m", "bench", case, "--rounds", str(rounds), "--into", str(into)]
        print(f"{case} …", file=sys.stderr, flush=True)
        try:
            ended = subprocess.run(
                [*command, *(["--quick"] if quick else [])],
                cwd=HERE.parent,
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode or not into.exists():
                failures[case] = ended.stderr.strip()[-2000:] or f"it ended with {ended.returncode}"
                print(f"{case} COULD NOT BE MEASURED: {failures[case]}", file=sys.stderr, flush=True)
                continue
            lines += measure.load(into)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return lines, failures


def _table(lines: list[Line], failures: dict[str, str]) -> str:
    rows = [("case", "ours", "yardstick", "unit", "ratio", "range", "aim", "")]
    rows += [
        (
            line.name,
            f"{line.ours:,.0f}" if line.ours >= 100 else f"{line.ours:,.2f}",
            f"{line.yardstick:,.0f}" if line.yardstick >= 100 else f"{line.yardstick:,.2f}",
            line.unit,
            f"{line.ratio:.2f}",
            f"{line.low:.2f}–{line.high:.2f}",
            "–" if line.aim is None else str(line.aim),
            line.verdict,
        )
        for line in lines
    ]
    rows += [(case, "–", "–", "–", "–", "–", "–", "COULD NOT BE MEASURED") for case in failures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def _keep(lines: list[Line], failures: dict[str, str], quick: bool) -> None:
    now = datetime.now(UTC)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "quick": quick,
        "machine": _machine(),
        "lines": [{**asdict(line), "verdict": line.verdict} for line in lines],
        "could_not_be_measured": failures,
    }
    path = results / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{path.relative_to(HERE.parent)}")


def _write(table: str, quick: bool) -> None:
    now = datetime.now(UTC)
    sizes = "quick sizes, not for quoting" if quick else "full sizes"
    machine = ", ".join(f"{name} {value}" for name, value in _machine().items())
    (HERE / "RESULTS.md").write_text(
        f"# Measured on {now:%Y-%m-%d}\n\n`python -m bench` ({sizes}; {machine}). A ratio is the median over the "
        "rounds of ours against the mean of the\nyardstick just before and just after it; the range is its least and "
        f"greatest. What each case is stands in its module.\n\n{table}\n",
        encoding="utf-8",
    )


def _machine() -> dict[str, object]:
    return {
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    raise SystemExit(main())
