"""What is compared: an arm carries out a task, and its outcome says what was paid and what was achieved."""

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
    """Work to do while spot capacity comes and goes. All times are in seconds since the submission.

    ``windows`` are the times when spot is available, sorted and disjoint, and extend well past ``horizon_s``, the
    deadline. Each start on new instances takes ``changeover_s``, which is paid but makes no progress.
    """

    windows: tuple[Window, ...]
    work_s: float
    horizon_s: float
    changeover_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a task.

    The hours in the two markets are paid hours, including changeovers; ``canary_hours`` are additional spot hours.
    ``finished_after_s`` is ``None`` if the work was never finished. ``launches`` counts the periods on instances,
    and ``switches`` those in a different market than the period before.
    """

    on_demand_hours: float
    spot_hours: float
    useful_on_demand_hours: float
    useful_spot_hours: float
    canary_hours: float
    finished_after_s: float | None
    switches: int
    launches: int

    def missed_deadline(self, task: Task) -> bool:
        """Whether the deadline passed before the work was done."""
        # A thousandth of a second is only a rounding error in the sum of many floats.
        return self.finished_after_s is None or self.finished_after_s > task.horizon_s + 1e-3

    def compute_left_over_hours(self, task: Task) -> float:
        """Return the on-demand hours that the unfinished work would still take, including a changeover."""
        if self.finished_after_s is not None:
            return 0.0
        useful = self.useful_on_demand_hours + self.useful_spot_hours
        return (task.work_s + task.changeover_s) / HOUR - useful


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to carry out a task.

    ``replay`` is pure, and can be pickled for other processes. ``name`` is short and stable, ``legend`` is for people.
    ``has_safety_net`` says whether it promises to meet the deadline.
    """

    name: str
    legend: str
    replay: Callable[[Task], Outcome]
    has_safety_net: bool = True


def _replay_on_demand(task: Task) -> Outcome:
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


ON_DEMAND: Final = Arm("on-demand", "on-demand", _replay_on_demand)
