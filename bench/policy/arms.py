"""What is compared: an arm carries out a task, and the outcome says what it paid for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.policy.traces import Window

HOUR: Final = 3600.0
# The name of the arm from which the gap to the omniscient optimum is measured.
BASELINE: Final = "greedy"


@dataclass(frozen=True, slots=True)
class Task:
    """Work to be done while spot comes and goes. Seconds, counted from the submission.

    ``windows`` say when spot could be had, sorted and apart; they reach well past ``horizon_s``, the deadline.
    ``changeover_s`` passes without progress, and is paid, each time the work begins on new instances.
    """

    windows: tuple[Window, ...]
    work_s: float
    horizon_s: float
    changeover_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    The hours of the two markets are paid hours, changeovers included; ``canary_hours`` are spot's, beside them.
    ``finished_after_s`` is ``None`` when the work was never finished. ``launches`` counts the stretches on
    instances, ``switches`` those on another market than the stretch before.
    """

    on_demand_hours: float
    spot_hours: float
    useful_on_demand_hours: float
    useful_spot_hours: float
    canary_hours: float
    finished_after_s: float | None
    switches: int
    launches: int

    def missed(self, task: Task) -> bool:
        """Whether the deadline passed before the work was done."""
        # Sums of many floats, in seconds: a thousandth is none of the arm's doing.
        return self.finished_after_s is None or self.finished_after_s > task.horizon_s + 1e-3

    def left_over_hours(self, task: Task) -> float:
        """Hours of on-demand instances that the unfinished work still takes, its changeover included."""
        if self.finished_after_s is not None:
            return 0.0
        useful = self.useful_on_demand_hours + self.useful_spot_hours
        return (task.work_s + task.changeover_s) / HOUR - useful


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to carry out a task. ``replay`` is pure, and a function of a module: processes share it.

    ``name`` is short and stays as it is, ``legend`` is for people.
    ``has_safety_net``: it promises to meet the deadline.
    """

    name: str
    legend: str
    replay: Callable[[Task], Outcome]
    has_safety_net: bool = True


def _on_demand(task: Task) -> Outcome:
    paid_s = task.changeover_s + task.work_s
    return Outcome(
        on_demand_hours=paid_s / HOUR,
        spot_hours=0.0,
        useful_on_demand_hours=task.work_s / HOUR,
        useful_spot_hours=0.0,
        canary_hours=0.0,
        finished_after_s=paid_s,
        switches=0,
        launches=1,
    )


ON_DEMAND: Final = Arm("on-demand", "on-demand", _on_demand)
