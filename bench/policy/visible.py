"""Reference arms that always know whether spot is available: only the rules, without a service around them.

This is what the paper on Uniform Progress (Wu et al., "Can't Be Late", NSDI '24) replays: the availability of spot is
known at every moment, a stop takes no time, and nothing waits for events.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.policy.arms import HOUR, Arm, Outcome, Task

if TYPE_CHECKING:
    from bench.policy.traces import Window

_NEVER: Final = float("inf")
# Less work than this, in seconds, is a rounding error.
_NOTHING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PaceRules:
    """When a late task switches to on-demand (C/R > theta) and back to spot (C <= theta * (R - h * d)).

    ``floor`` is the minimum of theta, which is at least C0/R0. Without ``hurries``, only the safety net switches to
    on-demand.
    """

    hurries: bool = True
    floor: float = 0.0
    hysteresis: float = 0.0


@dataclass(slots=True)
class _Ledger:
    now: float = 0.0
    paid_on_demand: float = 0.0
    paid_spot: float = 0.0
    useful_on_demand: float = 0.0
    useful_spot: float = 0.0
    launches: int = 0
    switches: int = 0
    on_spot: bool | None = None

    def launch(self, *, spot: bool) -> None:
        self.launches += 1
        self.switches += self.on_spot not in (None, spot)
        self.on_spot = spot


class _Run:
    """One task under these rules; ``ledger.now`` is the virtual clock."""

    def __init__(self, task: Task, rules: PaceRules) -> None:
        self.task = task
        self.rules = rules
        self.theta = max(task.work_s / task.horizon_s, rules.floor) if rules.hurries else _NEVER
        self.left = task.work_s
        self.netted = False
        self.ledger = _Ledger()
        self._closings = [closes for _, closes in task.windows]

    def replay(self) -> Outcome:
        while self.left > _NOTHING:
            window = self._find_window(self.ledger.now)
            fires = self._compute_switch_time()
            # Work on spot continues undisturbed until the safety net fires; after that there is no way back.
            if window[0] <= fires and self.ledger.now <= self._compute_net_time():
                self._train_on_spot(window)
            else:
                self.ledger.now = max(self.ledger.now, fires)
                self.netted = self.ledger.now >= self._compute_net_time()
                self._train_on_demand()
        return self._build_outcome()

    def _find_window(self, moment: float) -> Window:
        place = bisect_right(self._closings, moment)
        if place == len(self._closings):
            return _NEVER, _NEVER
        opens, closes = self.task.windows[place]
        return max(opens, moment), closes

    def _compute_net_time(self) -> float:
        return self.task.horizon_s - self.left - 2 * self.task.changeover_s

    def _compute_switch_time(self) -> float:
        # Waiting changes only R, so the time at which each rule fires is known in advance.
        hurried = self.task.horizon_s - self.left / self.theta if self.rules.hurries else _NEVER
        return max(self.ledger.now, min(self._compute_net_time(), hurried))

    def _train_on_spot(self, window: Window) -> None:
        ledger = self.ledger
        ledger.launch(spot=True)
        lasts = min(window[1] - window[0], self.task.changeover_s + self.left)
        useful = max(0.0, lasts - self.task.changeover_s)
        ledger.paid_spot += lasts
        ledger.useful_spot += useful
        ledger.now = window[0] + lasts
        self.left -= useful

    def _train_on_demand(self) -> None:
        ledger = self.ledger
        ledger.launch(spot=False)
        ledger.now += self.task.changeover_s
        useful = min(self.left, self._compute_return_time() - ledger.now)
        ledger.paid_on_demand += self.task.changeover_s + useful
        ledger.useful_on_demand += useful
        ledger.now += useful
        self.left -= useful

    def _compute_return_time(self) -> float:
        # If the safety net would fire immediately, there is no point in returning; training does not change R - C.
        if self.netted or not self.rules.hurries or self.ledger.now > self._compute_net_time():
            return _NEVER
        # Training reduces C and R equally, so the gap shrinks by 1 - theta per second.
        room = self.task.horizon_s - self.ledger.now - self.rules.hysteresis * self.task.changeover_s
        gap = self.left - self.theta * room
        if gap > 0 and self.theta >= 1:
            return _NEVER
        allowed = self.ledger.now + (gap / (1 - self.theta) if gap > 0 else 0.0)
        return self._find_window(allowed)[0]

    def _build_outcome(self) -> Outcome:
        ledger = self.ledger
        return Outcome(
            on_demand_hours=ledger.paid_on_demand / HOUR,
            spot_hours=ledger.paid_spot / HOUR,
            useful_on_demand_hours=ledger.useful_on_demand / HOUR,
            useful_spot_hours=ledger.useful_spot / HOUR,
            canary_hours=0.0,
            finished_after_s=ledger.now,
            switches=ledger.switches,
            launches=ledger.launches,
        )


def replay(rules: PaceRules, task: Task) -> Outcome:
    """Carry out ``task`` under ``rules``."""
    return _Run(task, rules).replay()


GREEDY: Final = Arm("greedy-visible", "greedy (with visibility)", partial(replay, PaceRules(hurries=False)))
UNIFORM_PROGRESS: Final = Arm(
    "uniform-progress-visible", "Uniform Progress (with visibility)", partial(replay, PaceRules(hysteresis=2.0))
)
OURS: Final = Arm("ours-visible", "ours (with visibility)", partial(replay, PaceRules(floor=0.8)))
