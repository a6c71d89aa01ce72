"""The checks of the invariants: at each write, at each job that is created, and at the end.

They are checked against the truth of the simulated SageMaker, not against what the service was told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bench.descriptions import Describer, model_of, moment
from spot_relay.domain.rules.checkpoints import list_copied
from spot_relay.domain.run.attempt import AttemptStatus, CanaryStatus
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.values import replace
from tests.simulation.arrivals import check_places
from tests.simulation.functions import SKEW
from tests.simulation.news_watch import NewsWatch
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.hosting import Part
    from spot_relay.domain.run.outbox import Measure
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Job
    from tests.simulation.changes_watch import ChangesWatch
    from tests.simulation.hosting_watch import HostingWatch
    from tests.simulation.ledger import Ledger
    from tests.simulation.sagemaker import SageMaker, TrainingJob
    from tests.simulation.storage import RunStore


# How long a function can run after it has planned a launch, and how far two clocks can be apart.
UNDERWAY = timedelta(seconds=60 + 30)


@dataclass(frozen=True)
class Published:
    """What the world was told: the newest status document of each run, all announcements, all metrics,
    and what tasks that waited were told of their runs."""

    documents: dict[str, dict[str, Any]]
    announcements: list[dict[str, Any]]
    measures: list[Measure]
    answers: dict[str, str] = field(default_factory=dict)
    hosting: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Watch:
    """Watches one play. ``resuming`` names the runs whose users are asking for a resumption right now."""

    sagemaker: SageMaker
    ledger: Ledger
    hosting: HostingWatch
    changes: ChangesWatch
    news: NewsWatch = field(default_factory=NewsWatch)
    store: RunStore = field(init=False)
    resuming: Counter[str] = field(default_factory=Counter)
    ends: set[tuple[str, str]] = field(default_factory=set)
    """The ends of runs that were saved."""
    resumed: set[str] = field(default_factory=set)
    """The runs that their users have resumed."""
    awaited: set[str] = field(default_factory=set)
    """The tokens of the tasks that runs were saved with."""

    def saved(self, before: Run | None, after: Run, reopened: bool) -> None:
        """Check a write to the store."""
        self.awaited.update(after.waiting_tasks, after.outbox.tasks)
        self.news.saved(before, after)
        if after.has_ended:
            self.ends.add((after.id, str(after.status)))
        elif after.check_at is None:
            raise ViolationError(2, f"{after.id} is open and has no check_at")
        if reopened:
            self.resumed.add(after.id)
        check_places(self.store.runs.values(), after, self.resumed)
        if before is None or reopened:
            self.ledger.opened(after)
            self._check_prefix(after)
        if before is None:
            return
        if reopened and not self.resuming[after.id]:
            raise ViolationError(4, f"{after.id} was opened again, and nobody had asked for it")
        if not reopened:
            self._check_finality(before, after)
        self.hosting.saved(before, after)
        self.changes.saved(before, after)
        self._check_attempts(before, after, reopened=reopened)
        self.check_launched(after, after.current)
        self._check_canary(after)
        self._check_ends(before, after)
        if after.status is RunStatus.FAILED and not before.has_ended:
            self.ledger.failed(after, self.job(after, after.current))

    def created(self, job: TrainingJob) -> None:
        """Check a job that is about to be created."""
        run = self.store.runs.get(job.run_id)
        if run is None:
            raise ViolationError(3, f"{job.life.name} is created for a run that does not exist")
        canary = next((canary for canary in run.canaries if canary.job_name == job.life.name), None)
        # The function that has planned a canary may be creating it while the run ends, and stops it then.
        underway = canary is not None and moment(self.sagemaker.timeline.now) - canary.planned_at <= UNDERWAY
        if run.has_ended and not underway:
            raise ViolationError(4, f"{job.life.name} is created although {run.id} is {run.status}")
        self.ledger.launched(run, job)
        if job.is_canary:
            return
        self._check_planned(run, job)
        self._check_start(run, job)
        for other in self.sagemaker.jobs.values():
            if other.ended or other.is_canary:
                continue
            if other.run_id == job.run_id:
                raise ViolationError(1, f"{job.life.name} is created while {other.name} lives")
            if job.checkpoint_uri is not None and other.checkpoint_uri == job.checkpoint_uri:
                raise ViolationError(7, f"{job.life.name} writes to the prefix to which {other.name} writes")
        if job.checkpoint_uri is not None and not job.checkpoint_uri.endswith("/"):
            raise ViolationError(7, f"the prefix of {job.life.name} does not end in /")

    def made(self, part: Part) -> None:
        """Check a model, an endpoint or the like that is about to be created."""
        self.hosting.made(part, self.store.runs.values())

    def stopped(self, job: TrainingJob) -> None:
        """Check a job that is about to be asked to stop."""
        if job.run_id not in self.store.runs:
            raise ViolationError(3, f"{job.name} is somebody else's, and is asked to stop")

    def job(self, run: Run, attempt: Attempt) -> TrainingJob | None:
        """Return the job of an attempt; one of the same name may be somebody else's."""
        job = self.sagemaker.jobs.get(attempt.job_name)
        return job if job is not None and job.run_id == run.id else None

    def check_launched(self, run: Run, attempt: Attempt) -> None:
        """Hold an attempt that is taken as launched to a job of the run, where the run says that it is."""
        if attempt.status is AttemptStatus.PLANNED or attempt.outcome is Outcome.NEVER_CREATED:
            return
        job = self.job(run, attempt)
        if job is None:
            raise ViolationError(3, f"{attempt.job_name} is taken as launched, and no such job is this run's")
        if job.placement != (where := replace(attempt.placement, volume_size_gb=None)):
            raise ViolationError(3, f"{attempt.job_name} is taken to be on {where}, and is on {job.placement}")

    def _check_planned(self, run: Run, job: TrainingJob) -> None:
        attempt = run.attempt(job.number)
        if attempt is None or attempt.job_name != job.life.name:
            raise ViolationError(3, f"{job.life.name} is no attempt that {run.id} has planned")
        if job.number > 1:
            before = self.job(run, run.attempts[job.number - 2])
            if before is not None and not before.ended:
                raise ViolationError(5, f"{job.life.name} is created, and {before.name} has not ended")

    def _check_start(self, run: Run, job: TrainingJob) -> None:
        """Hold a job to what its run waits for: the ends of others, as they were saved, and a time, by any clock."""
        for name in run.start.after:
            if (name, RunStatus.COMPLETED) not in self.ends:
                raise ViolationError(9, f"{job.life.name} is created before {name} has completed")
        if run.start.at is not None and moment(self.sagemaker.timeline.now + SKEW) < run.start.at:
            raise ViolationError(9, f"{job.life.name} is created before {run.start.at}")
        first = self.store.runs.get(run.start.continue_from or "")
        if first is not None and run.start.checkpoint:
            if job.number == 1:
                self._check_copy(run, first)
        elif first is not None and model_of(first.attempts[-1].job_name) not in str(job.request):
            raise ViolationError(9, f"{job.life.name} does not have the model of {first.id}")

    def _check_copy(self, run: Run, first: Run) -> None:
        """Hold what the first attempt of a run finds under its prefix to the checkpoints that it continues from."""
        listed = (self.ledger.checkpoints.list_objects(uri or "") for uri in (first.checkpoint_uri, run.checkpoint_uri))
        theirs, own = ({one.key for one in list_copied(found)} for found in listed)
        if not theirs or own != theirs:
            raise ViolationError(
                9, f"{run.id} begins with {sorted(own)} of {sorted(theirs)}, which {first.id} has left"
            )
        if run.current.resumes_from is None:
            raise ViolationError(9, f"{run.id} begins with checkpoints and does not know of them")
        self.ledger.planned(run)

    def copied(self, uri: str) -> None:
        """Check a copy that is about to be written to a prefix: its run holds it, and no job writes there yet."""
        if not any(run.checkpoint_uri == uri and not run.has_ended for run in self.store.runs.values()):
            raise ViolationError(7, f"{uri} belongs to no open run, and gets a copy")
        for job in self.sagemaker.jobs.values():
            if job.checkpoint_uri == uri and not job.ended:
                raise ViolationError(7, f"{uri} gets a copy while {job.name} writes to it")

    def _check_finality(self, before: Run, after: Run) -> None:
        if before.has_ended and _bare(before) != _bare(after):
            raise ViolationError(4, f"{after.id} was {before.status} and has changed: {after.reason}")
        if not before.stop_requested:
            return
        if not after.stop_requested:
            raise ViolationError(4, f"{after.id} has forgotten that its user has stopped it")
        if len(after.attempts) > len(before.attempts):
            raise ViolationError(4, f"{after.id} goes on although its user has stopped it")

    def _check_attempts(self, before: Run, after: Run, *, reopened: bool) -> None:
        if any(attempt.status is not AttemptStatus.ENDED for attempt in after.attempts[:-1]):
            raise ViolationError(1, f"{after.id} has an open attempt before its newest one")
        grown = len(after.attempts) - len(before.attempts)
        if grown == 0:
            return
        if grown != 1:
            raise ViolationError(3, f"{after.id} went from {len(before.attempts)} to {len(after.attempts)} attempts")
        left = after.attempts[-2]
        job = self.job(after, left)
        if job is not None and not job.shown_ended:
            raise ViolationError(
                5, f"{left.job_name} was never described as ended, and {after.current.job_name} follows"
            )
        if not reopened:
            self.ledger.relaunched(after, left, job)
        self.ledger.planned(after)

    def _check_canary(self, run: Run) -> None:
        """Hold a canary that is taken as created, or has a bill, to a job of the run."""
        canary = run.canary
        if canary is None or (canary.status is not CanaryStatus.IN_PROGRESS and canary.billable_seconds is None):
            return
        job = self.sagemaker.jobs.get(canary.job_name)
        if job is None or job.run_id != run.id:
            raise ViolationError(3, f"{canary.job_name} is taken as created, and no such job is this run's")

    def _check_ends(self, before: Run, after: Run) -> None:
        """Hold what the run says of the ends of its attempts against what has become of their jobs."""
        for attempt in after.attempts:
            known = before.attempt(attempt.number)
            if attempt.status is not AttemptStatus.ENDED or (known is not None and known.status == attempt.status):
                continue
            job = self.job(after, attempt)
            if attempt.outcome is Outcome.NEVER_CREATED:
                if job is not None:
                    raise ViolationError(5, f"{attempt.job_name} is given up as never created, and was created")
            elif job is None or not job.shown_ended:
                raise ViolationError(5, f"{attempt.job_name} is taken as {attempt.outcome}, which nobody has described")
            elif outcome_of(self.truth(job)) is not attempt.outcome:
                raise ViolationError(
                    5, f"{attempt.job_name} is taken as {attempt.outcome}, and is {job.life.secondary}"
                )

    def _check_prefix(self, run: Run) -> None:
        for other in self.store.runs.values():
            same = other.checkpoint_uri is not None and other.checkpoint_uri == run.checkpoint_uri
            if same and other.id != run.id and not other.has_ended and not run.has_ended:
                raise ViolationError(7, f"{run.id} and {other.id} both have {run.checkpoint_uri}")

    def truth(self, job: TrainingJob) -> Job:
        """Describe a job as it is."""
        return Describer(job.placement).describe(job.life, self.sagemaker.timeline.now)


def check_end(watch: Watch, published: Published) -> None:
    """Check what has to hold once the faults are over and everything has come to rest."""
    for run in watch.store.runs.values():
        if not run.has_ended:
            raise ViolationError(2, f"{run.id} has not ended: it is {run.status}, {run.reason}")
        if run.outbox.acts or run.outbox.news or run.outbox.tasks or run.waiting_tasks:
            raise ViolationError(2, f"{run.id} still owes {run.outbox}, or has {len(run.waiting_tasks)} tasks waiting")
        for attempt in run.attempts:
            _check_account(watch, run, attempt)
        watch.ledger.closed(run)
        watch.hosting.closed(run, published.documents.get(run.id, {}), published.hosting)
        _check_published(run, published)
    if untold := watch.awaited - set(published.answers):
        raise ViolationError(2, f"{len(untold)} tasks wait for runs that have ended, and were not told")
    watch.news.closed()
    _check_measures(watch, published)


def _check_account(watch: Watch, run: Run, attempt: Attempt) -> None:
    """Hold what a run tells of an attempt against the truth, whatever became of the events."""
    watch.check_launched(run, attempt)
    job = watch.job(run, attempt)
    if job is None:
        return
    truth = watch.truth(job)
    told = (attempt.training_seconds, attempt.billable_seconds, attempt.interruptions)
    true = (truth.training_seconds, truth.billable_seconds, job.life.interruptions)
    if attempt.outcome is not Outcome.NEVER_CREATED and told != true:
        raise ViolationError(8, f"{attempt.job_name} is told as {told}, and was {true}")


def _check_published(run: Run, published: Published) -> None:
    document = published.documents.get(run.id, {})
    if (document.get("status"), document.get("reason")) != (run.status, run.reason):
        raise ViolationError(8, f"{run.id} is {run.status}, and its status document says {document.get('status')}")
    if not any(told["run_id"] == run.id and told["status"] == run.status for told in published.announcements):
        raise ViolationError(2, f"{run.id} is {run.status}, and nobody was told")


def _check_measures(watch: Watch, published: Published) -> None:
    """Hold that nothing is measured twice; what was not measured is lost with a function that died."""
    true = {
        "TrainingSeconds": sum(watch.truth(job).training_seconds or 0 for job in watch.sagemaker.jobs.values()),
        "AttemptsLaunched": sum(not job.is_canary for job in watch.sagemaker.jobs.values()),
        "Interruptions": sum(job.life.interruptions for job in watch.sagemaker.jobs.values()),
    }
    for name, most in true.items():
        told = sum(measure.value for measure in published.measures if measure.name == name)
        if told > most:
            raise ViolationError(8, f"{name} were measured as {told}, and were {most}")


def _bare(run: Run) -> Run:
    """Return what never changes of a run that has ended.

    Tasks that come for its end leave only an explanation, and what is done with its model has a record of its own, of
    which there is news.
    """
    return replace(run, outbox=Outbox(), version=0, decisions=(), updated_at=run.created_at, hosting=(), news=0)
