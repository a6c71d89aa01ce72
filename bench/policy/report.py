"""Present the figures as a table, as JSON and as a plot."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from bench.policy.plot import draw
from bench.policy.statistics import OMNISCIENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.policy.grid import Measured
    from bench.policy.statistics import Row

STAND_IN: Final = "EC2 probes stand in for SageMaker's capacity pools, which nobody outside can probe."
_CHANGEOVER_H: Final = 0.2
_PRICE_RATIO: Final = 3.14


def select_headline(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows to show: those with one changeover and one price ratio."""
    return tuple(row for row in rows if (row.changeover_h, row.price_ratio) == (_CHANGEOVER_H, _PRICE_RATIO))


def to_json(rows: Sequence[Row]) -> str:
    """Return all rows as a JSON list."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def list_legends(measured: Measured) -> dict[str, str]:
    """Return the legends of the arms and of the optimum by their names."""
    return {arm.name: arm.legend for arm in measured.arms} | {OMNISCIENT: "omniscient optimum"}


def write(rows: Sequence[Row], measured: Measured, folder: Path) -> tuple[Path, ...]:
    """Write the JSON document and the plot to ``folder``, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, pictures = folder / "policy.json", (folder / "policy.svg", folder / "policy.png")
    figures.write_text(to_json(rows) + "\n", encoding="utf-8")
    shown = select_headline(rows)
    title = f"Cost over on-demand's by job fraction: {shown[0].trace_set}\n{_format_setting()}"
    draw(shown, list_legends(measured), title, STAND_IN, pictures)
    return figures, *pictures


def build_table(rows: Sequence[Row], measured: Measured) -> Table:
    """Return a table of the rows to show, with one line per arm and one column per job fraction."""
    shown = select_headline(rows)
    fractions = sorted({row.job_fraction for row in shown})
    built = Table(
        title=f"Mean cost over on-demand's, with 95 % confidence, and share of the gap from greedy to omniscient\n"
        f"{shown[0].trace_set}, {_format_setting()}, {shown[0].starts} starts, work of {measured.grid.work_h:g} h",
        caption=f"{STAND_IN} Switches: mean at these settings. Missed: deadlines, on the whole grid.",
    )
    built.add_column("job fraction")
    for fraction in fractions:
        built.add_column(f"{fraction:g}", justify="right")
    built.add_column("switches", justify="right")
    built.add_column("missed", justify="right")
    for arm, legend in list_legends(measured).items():
        of_arm = {row.job_fraction: row for row in shown if row.arm == arm}
        built.add_row(
            legend,
            *(_format_cell(of_arm[fraction]) for fraction in fractions),
            _format_switches(tuple(of_arm.values())),
            _format_missed(rows, measured, arm),
        )
    return built


def find_broken_promises(rows: Sequence[Row], measured: Measured) -> tuple[str, ...]:
    """Return the arms that missed a deadline despite their safety net. There should be none."""
    return tuple(arm.legend for arm in measured.arms if arm.has_safety_net and _count_missed(rows, arm.name))


def _format_setting() -> str:
    return f"on-demand/spot price {_PRICE_RATIO:g}, changeover {_CHANGEOVER_H:g} h"


def _format_cell(row: Row) -> str:
    low, high = row.ci95
    share = "" if row.gap_closed is None else f"{row.gap_closed:.0%} of the gap"
    return f"{row.cost_ratio_mean:.3f} ({low:.2f}-{high:.2f})\n{share}"


def _format_switches(rows: Sequence[Row]) -> str:
    counted = [row.switches_mean for row in rows if row.switches_mean is not None]
    return f"{sum(counted) / len(counted):.1f}" if counted else ""


def _format_missed(rows: Sequence[Row], measured: Measured, arm: str) -> Text:
    misses = _count_missed(rows, arm)
    promised = any(other.name == arm and other.has_safety_net for other in measured.arms)
    return Text(str(misses), style="bold red" if misses and promised else "")


def _count_missed(rows: Sequence[Row], arm: str) -> int:
    # Whether a deadline is missed does not depend on prices, so one price ratio is enough.
    return sum(row.missed_deadlines for row in rows if row.arm == arm and row.price_ratio == _PRICE_RATIO)
