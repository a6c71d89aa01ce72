"""Jobs that have to stop, and how soon: those of runs that were stopped or moved, and canaries that were given up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.life.job import Status
from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.run import ABSENCE_PATIENCE, OUTBOX_PATIENCE
from tests.simulation.faults import Fault
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spot_relay.domain.run.run import Run
    from tests.simulation.faults import Dice
    from tests.simulation.sagemaker import SageMaker
    from tests.simulation.storage import RunStore

# Undisturbed, a job is asked to stop by then: at once, or by the second tick that finds the duty unpaid. An attempt may
# have to be found first.
PAID_BY = 2 * OUTBOX_PATIENCE.total_seconds() + 120.0
FOUND_BY = ABSENCE_PATIENCE.total_seconds() + PAID_BY
# What keeps a function from stopping a job: the time counts from the last of them.
_HINDRANCES = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.THROTTLED,
    Fault.FAILED,
    Fault.ANSWER_LOST,
    Fault.SLOW,
    Fault.NOT_FOUND_YET,
    Fault.STALE_DESCRIPTION,
)


@dataclass
class Stops:
    """Watches the jobs that have to stop; ``outages`` are the spells without a tick.

    ``since`` says from when on the time of each counts, and how many hindrances there had been by then. ``overlooked``
    are canaries that could not be found when they were given up: nobody looks for one again.
    """

    sagemaker: SageMaker
    store: RunStore
    dice: Dice
    outages: Sequence[tuple[float, float]]
    since: dict[str, tuple[float, int]] = field(default_factory=dict)
    overlooked: set[str] = field(default_factory=set)

    def pass_until(self, when: float) -> None:
        """Check that no job that has to stop is left alone from now until the next thing happens."""
        now = self.sagemaker.timeline.now
        for run in self.store.runs.values():
            for name in _condemned(run):
                job = self.sagemaker.jobs.get(name)
                if job is None or job.run_id != run.id or job.ended or job.life.status is Status.STOPPING:
                    continue
                if job.is_canary and now < job.visible_at:
                    self.overlooked.add(name)
                if name in self.overlooked:
                    continue
                faults = sum(self.dice.struck[kind] for kind in _HINDRANCES)
                if self.since.get(name, (now, -1))[1] != faults:
                    self.since[name] = (max(now, job.visible_at), faults)
                limit = PAID_BY if job.is_canary else FOUND_BY
                began = max(self.since[name][0], *(ends for begins, ends in self.outages if begins < when), 0.0)
                if when > began + limit:
                    text = f"{name} has not been asked to stop for {limit:.0f} s, and {run.id} is {run.status}"
                    raise ViolationError(4, text)


def _condemned(run: Run) -> Iterator[str]:
    """Name the jobs that have to stop, as far as they live."""
    attempt = run.current
    leaves = attempt.switch_to not in {None, attempt.placement.market}
    if run.has_ended or run.stop_requested or (leaves and run.moved_to is not None):
        yield attempt.job_name
    for canary in run.canaries:
        if run.has_ended or canary is not run.canary or canary.status is CanaryStatus.ENDED:
            yield canary.job_name
