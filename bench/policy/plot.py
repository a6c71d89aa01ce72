"""Draw the plot: cost relative to on-demand by job fraction, with one line per arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from bench.policy.statistics import Row

# Okabe and Ito's colours, which colour-blind people can distinguish; styles distinguish more arms than colours.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES: Final = ("-", "--", ":")
_MARKERS: Final = "osD^vXP*"


def draw(rows: Sequence[Row], legends: Mapping[str, str], title: str, remark: str, files: Iterable[Path]) -> None:
    """Draw ``rows``, one per arm and job fraction, and save the plot to each of ``files``.

    ``legends`` maps each arm to the name of its line, in the order of the lines.
    """
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    for place, (arm, legend) in enumerate(legends.items()):
        of_arm = sorted((row for row in rows if row.arm == arm), key=lambda row: row.job_fraction)
        fractions = [row.job_fraction for row in of_arm]
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(
            fractions,
            [row.cost_ratio_mean for row in of_arm],
            label=legend,
            color=colour,
            linestyle=_STYLES[place // len(_COLOURS) % len(_STYLES)],
            marker=_MARKERS[place % len(_MARKERS)],
        )
        axes.fill_between(
            fractions, [row.ci95[0] for row in of_arm], [row.ci95[1] for row in of_arm], color=colour, alpha=0.08, lw=0
        )
    axes.set_xlabel("job fraction: expected runtime over time to the deadline")
    axes.set_ylabel("mean cost over on-demand's (band: 95 % confidence)")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.supxlabel(remark, fontsize="x-small")
    # Without dates and random ids, the same figures produce the same file.
    with mpl.rc_context({"svg.hashsalt": "spot-relay"}):
        for file in files:
            figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)
