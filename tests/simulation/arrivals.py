"""Data that arrives and starts runs, with its events late, doubled and in no order; and what has to hold of those runs.

No event of data is lost for good here: nothing but the event says that there is data. Its message comes again until a
function has handled it, or it is dead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from bench.descriptions import BEGINNING, moment
from spot_relay.domain.rules.arrivals import folder_of, name_run_of
from spot_relay.domain.run.start import Start
from spot_relay.domain.run.template import Arrival, Template, Trigger
from spot_relay.domain.values import replace
from spot_relay.triggers import Triggers
from tests.fakes import MemoryBursts, MemorySchedules, MemoryTemplateFiles
from tests.simulation.faults import Fault
from tests.simulation.outlets import RECEIVES, VISIBILITY
from tests.simulation.violation import ViolationError
from tests.simulation.worlds import BUCKET, draw_submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.submission import Submission
    from tests.simulation.play import Play

KEY = "templates/data.yaml"
_LATE = (3.0, 40.0, 400.0, 4000.0)
_AGAIN = (0.0, 0.6, 20.0, 400.0, 9000.0)
# Longer than any play takes until its faults are over.
_RETENTION = timedelta(days=90)


@dataclass(frozen=True)
class Incoming:
    """A template, and the objects that arrive."""

    template: Template
    arrivals: tuple[Arrival, ...] = ()


def draw_incoming(seed: int) -> Incoming | None:
    """Draw what arrives in a world; in most worlds nothing does."""
    rng = Random(f"{seed}/incoming")
    if rng.random() >= 0.12:
        return None
    settle = rng.choice((None, None, timedelta(seconds=30), timedelta(minutes=10)))
    template = Template(KEY, "data", {}, Trigger("data"), settle=settle, at_most=rng.choice((None, 1, 1, 2)))
    within = rng.choice((5.0, 300.0, 3000.0))
    versions = [(rng.choice("ab"), str(number), rng.uniform(0, within)) for number in range(rng.randint(1, 5))]
    return Incoming(template, tuple(Arrival("data", f"{at}/part", n, moment(put)) for at, n, put in versions))


@dataclass
class Data:
    """Delivers what arrives in a play to the function submit."""

    play: Play
    incoming: Incoming | None
    dead: set[Arrival] = field(default_factory=set)

    def __post_init__(self) -> None:
        functions = self.play.functions
        self.triggers = Triggers(
            service=self.play.elsewhere,
            files=functions.port("files", MemoryTemplateFiles({KEY: b""})),
            bursts=functions.port("bursts", MemoryBursts()),
            schedules=MemorySchedules(),
            read=lambda *_: self._template,
            fill=self._fill,
            retention=_RETENTION,
        )

    @property
    def _template(self) -> Template:
        assert self.incoming is not None
        return self.incoming.template

    def _fill(self, template: Template, values: Mapping[str, str]) -> Submission:
        """Return the submission of a run, drawn by its name alone, and such that it is always accepted."""
        name = values["name"]
        submission = draw_submission(Random(f"{self.play.seed}/{name}"), name)
        job = submission.training_job | {
            "CheckpointConfig": {"S3Uri": f"{BUCKET}/{name}/"},
            "HyperParameters": {"data": values["prefix"]},
        }
        policy = replace(submission.policy, deadline=None, budgets=replace(submission.policy.budgets, money_usd=None))
        start = Start(template=template.key, at_most=template.at_most)
        return replace(submission, training_job=job, policy=policy, task_token=None, start=start)

    def plan(self) -> None:
        """Plan the events of what arrives: each comes once or twice, and perhaps late."""
        dice = self.play.dice
        for arrival in self.incoming.arrivals if self.incoming else ():
            delays = [dice.stream(Fault.LATE).choice(_LATE) if dice.strikes(Fault.LATE) else 0.5]
            if dice.strikes(Fault.DOUBLED):
                delays.append(delays[0] + dice.stream(Fault.DOUBLED).choice(_AGAIN))
            put = (arrival.at - BEGINNING).total_seconds()
            for delay in delays:
                self.play.timeline.after(put + delay, partial(self._deliver, arrival, 1))

    def _deliver(self, arrival: Arrival, receives: int) -> None:
        """Hand an event to a function; what fails comes again, until it is dead."""

        def then(ended: bool, _: Any) -> None:
            if ended:
                return
            if receives < RECEIVES:
                self.play.timeline.after(VISIBILITY, partial(self._deliver, arrival, receives + 1))
            else:
                self.dead.add(arrival)

        self.play.invoke_submit(
            f"data {arrival.key} {arrival.version}", lambda: self.triggers.start_runs(arrival), then
        )

    def check_end(self) -> None:
        """Check that the same data has started one run, and that all data was trained on."""
        if self.incoming is None:
            return
        template, store = self.incoming.template, self.play.store.runs
        runs = [run for run in store.values() if run.start.template == template.key]
        alive = [arrival for arrival in self.incoming.arrivals if arrival not in self.dead]
        if template.settle is None:
            names = {name_run_of(template, arrival) for arrival in self.incoming.arrivals}
            if odd := {run.id for run in runs} - names:
                raise ViolationError(12, f"{len(odd)} runs are started by data that another run has trained on")
            if lost := {name_run_of(template, arrival) for arrival in alive} - {run.id for run in runs}:
                raise ViolationError(12, f"of the data of {len(lost)} runs nothing was heard")
            return
        for earlier, later in pairwise(sorted(runs, key=lambda run: (_folder_of(run), run.began_at or moment(0)))):
            if _folder_of(earlier) == _folder_of(later) and not any(
                _has_trained_on(later, arrival) and not _has_trained_on(earlier, arrival)
                for arrival in self.incoming.arrivals
            ):
                raise ViolationError(12, f"{later.id} has trained on nothing that {earlier.id} has not trained on")
        for arrival in alive:
            if not any(_has_trained_on(run, arrival) for run in runs):
                raise ViolationError(12, f"no run has begun after {arrival.key} {arrival.version} was put")


def _has_trained_on(run: Run, arrival: Arrival) -> bool:
    """Whether a run of the object's folder began once it was there."""
    of_folder = _folder_of(run) == folder_of(arrival.key)
    return of_folder and run.began_at is not None and run.began_at >= arrival.at


def _folder_of(run: Run) -> str:
    folder: str = run.training_job["HyperParameters"]["data"]
    return folder


def check_places(runs: Iterable[Run], after: Run, resumed: set[str]) -> None:
    """Check that no more runs of a template are under way than it allows, but for those that users have resumed."""
    most = after.start.at_most
    if most is None or after.waits_to_begin or after.has_ended:
        return
    others = [
        run.id
        for run in runs
        if run.start.template == after.start.template
        and not run.waits_to_begin
        and not run.has_ended
        and run.id not in {after.id, *resumed}
    ]
    if len(others) + (after.id not in resumed) > most:
        raise ViolationError(12, f"{after.id} is under way beside {others}, and {most} may be")
