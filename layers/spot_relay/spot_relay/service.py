"""The use cases: submit a run, advance it by an observation, stop, resume or change it, show it, list runs.

Everything that happens to a run goes through `advance`. A crash between any two of its steps loses nothing: what a
saved decision owes is in the run's outbox, and whoever loads the run next performs it first.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.acceptance import Objection, accept, find_objections, largest_instance_count
from spot_relay.domain.decide.beginnings import needs_place, object_to_start
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.looks import (
    attempt_to_look_at,
    canary_to_look_at,
    launch_shown_by,
    looks_again,
    looks_at_predecessors,
    needs_checkpoint,
)
from spot_relay.domain.errors import CallerError, SpecError
from spot_relay.domain.rules.predecessors import gather_predecessors, may_close_cycle
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary
from spot_relay.domain.run.launch import launch_of_attempt, launch_of_canary
from spot_relay.domain.run.news import DEFAULT_NOTICES, NoticeKind
from spot_relay.domain.run.observation import (
    CanaryCreated,
    DeadlineRequested,
    Due,
    Launched,
    MoveRequested,
    Overgrown,
    ResumeRequested,
    StopRequested,
    TaskWaiting,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.sagemaker.job import Job
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.sagemaker.request import sharded_prefixes_of
from spot_relay.domain.shown.report import Whereabouts
from spot_relay.domain.values import No, dataclass, replace
from spot_relay.duties import MOST_TOLD, Duties
from spot_relay.payments import MAX_CONFLICTS, Payments
from spot_relay.ports import (
    Announcements,
    CheckpointCopies,
    Checkpoints,
    ConflictError,
    Hosting,
    InputFiles,
    Prices,
    RunExistsError,
    RunStore,
    RunTooLargeError,
    Slots,
    StatusDocuments,
    Telemetry,
    TrainingJobs,
    UnansweredError,
    WaitingTasks,
    Wakeups,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.decide.steps import Decision
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.run import Run, RunStatus
    from spot_relay.domain.run.submission import Submission
    from spot_relay.domain.sagemaker.job import Absent
    from spot_relay.pacing import Pacing


class NameConflictError(SpecError):
    """The name, in this spelling or another, belongs to a run with another spec."""

    code = "NameConflict"
    status = 409

    def __init__(self, run_id: str, name: str) -> None:
        message = f"There is a run {run_id} already, with another spec, and a spec can't change. Use a different name."
        if name != run_id:
            message = (
                f"There is a run {run_id} already. {name} differs from it only in case, and in SageMaker's ARNs the "
                f"two are one name. Use a different name, or {run_id} if you mean that run."
            )
        super().__init__(message, [("name", message)])


class UnacceptableError(SpecError):
    """The spec is valid, but its deadline, its budget or its placement can't work."""

    def __init__(self, found: tuple[Objection, ...]) -> None:
        super().__init__(
            "; ".join(f"{objection.path}: {objection.message}" for objection in found),
            ((objection.path, objection.message) for objection in found),
        )


class RejectedError(CallerError):
    """The run's state doesn't allow the request."""

    code = "Rejected"
    status = 409


class NoSuchRunError(CallerError):
    """There is no run of that name, or its retention period is over."""

    code = "NoSuchRun"
    status = 404

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id}. Runs that have ended are deleted after their retention period.")


class NotPublishedError(Exception):
    """A decision was saved, but its status document or event could not be published; it stays owed."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the status document or the event of the run {run_id} could not be put; it is tried again")


@dataclass(frozen=True)
class Service:
    """The use cases of one stack's runs, over the ports that `bootstrap` wires."""

    store: RunStore
    jobs: TrainingJobs
    checkpoints: Checkpoints
    documents: StatusDocuments
    announcements: Announcements
    waiting_tasks: WaitingTasks
    telemetry: Telemetry
    prices: Prices
    input_files: InputFiles
    slots: Slots
    wakeups: Wakeups
    pacing: Pacing
    clock: Callable[[], datetime]
    draw: Callable[[], float]
    new_id: Callable[[], str]
    region: str
    """Where the training jobs run."""
    bucket: str = ""
    """Where the status documents are."""
    notify: tuple[NoticeKind, ...] = DEFAULT_NOTICES
    """The notices that runs send unless their specs say which."""
    check_every: timedelta = field(default=timedelta(minutes=5))
    canary_image: str | None = None
    """The image in which canaries sleep; None for each run's own training image."""
    hosting: Hosting | None = None
    """None in functions that may not register or deploy models: what is owed of that is left to the others."""
    copies: CheckpointCopies | None = None
    """None in functions that may not copy checkpoints: runs that need copies begin in the others."""
    tells_at_once: int = MOST_TOLD
    """How many runs that come after one that has ended are told of it in one call."""

    def submit(self, submission: Submission, submission_id: str | None = None) -> Run:
        """Accept a run and launch its first attempt; the same submission again is the same run.

        A run that this call creates has the submission id, or a new one if there is none.

        Raise NameConflictError if the name belongs to a run with another spec, PrefixTakenError if another open run
        owns the checkpoint prefix, and UnacceptableError if deadline, budget or placement cannot be kept.
        """
        now = self.clock()
        new = accept(submission, submission_id or self.new_id(), now, self.prices.read(), self.notify)
        if found := self._find_objections(new, now):
            # A spec that was accepted before still returns its run, even if it would no longer be accepted.
            if self.store.load(submission.name) is None:
                raise UnacceptableError(found)
            run, own_news = self._load_same(submission), frozenset[int]()
        else:
            run, own_news = self._create(submission, new)
        if run.submission_id == new.submission_id and run.waits_to_begin:
            return self._begin(run, own_news)
        if submission.task_token is None or run.submission_id == new.submission_id:
            return _require_published(*self._pay(run, own_news=own_news))
        return self._request(run.id, TaskWaiting(submission.task_token))

    def advance(self, run_id: str, observation: Observation) -> Run | None:
        """Fold an observation into its run, and return the run, or None if there is no such run."""
        run = self.store.load(run_id)
        return None if run is None else self._advance(run, observation)[0]

    def stop(self, run_id: str) -> Run:
        """Stop a run for good; raise NoSuchRunError, or RejectedError if it has ended in another way."""
        try:
            return self._request(run_id, StopRequested())
        except UnansweredError:
            # Once the request is saved, whoever looks at the run next performs what it owes.
            run = self._load(run_id)
            if not run.stop_requested:
                raise
            return run

    def resume(self, run_id: str, request: ResumeRequested | None = None) -> Run:
        """Continue an ended run; raise NoSuchRunError, PrefixTakenError, or RejectedError if it can't continue."""
        return self._begin(self._request(run_id, request or ResumeRequested()))

    def change(self, run_id: str, request: MoveRequested | DeadlineRequested) -> Run:
        """Move an open run, or change its deadline; raise NoSuchRunError, or RejectedError if that can't be done."""
        return self._request(run_id, request)

    def show(self, run_id: str) -> Run:
        """Return a run; raise NoSuchRunError if there is none."""
        return self._load(run_id)

    def list(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of summaries, newest first, and where the next page begins, or None."""
        return self.store.page(status, limit, created_before)

    def _find_objections(self, new: Run, now: datetime) -> tuple[Objection, ...]:
        found = find_objections(new, count_files(new, self.input_files), now)
        return found + object_to_start(new, gather_predecessors(new, self.store.load), now)

    def _create(self, submission: Submission, new: Run) -> tuple[Run, frozenset[int]]:
        """Return the run as it is stored, and the numbers of its news if this call has stored it."""
        try:
            run = self.store.create(new)
        except RunExistsError:
            return self._load_same(submission), frozenset()
        self.telemetry.log_decision(run, "Submitted", run.reason)
        return run, _number(run.outbox)

    def _begin(self, run: Run, own_news: frozenset[int] = frozenset()) -> Run:
        """Look at once at what a run waits for that has just been submitted or resumed, if it waits for anything.

        ``own_news`` has the numbers of the news that this call has just saved.
        """
        if not run.waits_to_begin or run.has_ended:
            return run
        if run.start.checkpoint and self.copies is None:
            run = _require_published(*self._pay(run, own_news=own_news))
            self.wakeups.look(run.id, timedelta(0))
            return run
        return self._advance(run, Due(), own_news)[0]

    def _load_same(self, submission: Submission) -> Run:
        existing = self._load(submission.name)
        if existing.fingerprint != submission.fingerprint:
            raise NameConflictError(existing.id, submission.name)
        return existing

    def _request(self, run_id: str, observation: Observation) -> Run:
        run, decision = self._advance(self._load(run_id), observation)
        if decision.rejected:
            raise RejectedError(decision.reason)
        return run

    def _load(self, run_id: str) -> Run:
        run = self.store.load(run_id)
        if run is None:
            raise NoSuchRunError(run_id)
        return run

    def _advance(
        self, run: Run, observation: Observation, own_news: frozenset[int] = frozenset()
    ) -> tuple[Run, Decision]:
        """Decide on the newest state of the run, again after each conflict, and perform what a saved decision owes."""
        for _ in range(MAX_CONFLICTS):
            run, failure = self._pay(run, self._find_launched(run, observation), own_news=own_news)
            own_news = frozenset()
            decision = decide(run, self._gather(run, observation), self.clock())
            self.telemetry.log_decision(decision.run, type(observation).__name__, decision.reason)
            if decision.run is run:
                self._duties.perform(run, decision.owes)
                self.telemetry.measure(run.id, decision.owes.measures)
                return _require_published(run, failure), decision
            write = self.store.reopen if run.has_ended and not decision.run.has_ended else self.store.save
            owed = run.outbox.then(decision.owes)
            alone = owed.measures_alone
            try:
                saved = write(replace(decision.run, outbox=Outbox() if alone else owed))
            except ConflictError:
                run = self._load(run.id)
                continue
            except RunTooLargeError:
                if isinstance(observation, Overgrown):
                    raise
                observation = Overgrown()
                continue
            if alone:
                self.telemetry.measure(run.id, alone)
            paid = self._pay(saved, may_copy=decision.owes.copy, own_news=_number(decision.owes))
            return _require_published(*paid), decision
        raise ConflictError(run.id)

    def _find_launched(self, run: Run, observation: Observation) -> tuple[Observation, ...]:
        """Return the answer to a launch that the run still owes, if an event shows that there has been one.

        The event came before the launch's answer was saved. Another launch would take a turn, and be throttled.
        """
        try:
            match launch_shown_by(observation, run):
                case Attempt() as attempt if isinstance(job := self.jobs.find(launch_of_attempt(run, attempt)), Job):
                    return (Launched(attempt.number, job.arn, job.placement),)
                case Canary() as canary if isinstance(job := self._look_at_canary(run, canary), Job):
                    return (CanaryCreated(canary.number, job.arn),)
        except UnansweredError:
            return ()
        return ()

    def _gather(self, run: Run, observation: Observation) -> Facts:
        """Gather the facts that the decision needs, and no others."""
        now, undescribed = self.clock(), None
        attempt, canary = attempt_to_look_at(run, observation, now), canary_to_look_at(run, observation, now)
        try:
            job = None if attempt is None else self._look_at_attempt(run, attempt)
            beside = None if canary is None else self._look_at_canary(run, canary)
        except UnansweredError as error:
            if not looks_again(run, observation):
                raise
            job = beside = None
            undescribed = str(error) if error.refusal is Refusal.UNRECOGNIZED else None
        facts = Facts(observation, job, canary=beside, draw=self.draw(), check_every=self.check_every)
        facts = replace(facts, undescribed=undescribed)
        if looks_at_predecessors(run, observation, now):
            gathered = gather_predecessors(run, self.store.load, follow=may_close_cycle(run))
            return self._add_place(run, replace(facts, predecessors=gathered))
        return self._add_checkpoint(run, facts) if needs_checkpoint(run, observation, job, now) else facts

    def _add_place(self, run: Run, facts: Facts) -> Facts:
        """Return the facts with whether the run has a place among those of its template, if that is all it needs."""
        template, most = run.start.template, run.start.at_most
        if template is None or most is None or not needs_place(run, facts, self.clock()):
            return facts
        return replace(facts, has_place=self.slots.take_place(template, run.id, most))

    def _add_checkpoint(self, run: Run, facts: Facts) -> Facts:
        """Return the facts with the run's newest checkpoint, or with the reason why it is not known."""
        if run.checkpoint_uri is None:
            return facts
        search = self.checkpoints.find_newest(run.checkpoint_uri, run.policy.checkpoint_pattern)
        if isinstance(search, No):
            return replace(facts, unlisted=search.because)
        return replace(facts, checkpoint=search.newest, ignored_objects=search.ignored)

    def _look_at_attempt(self, run: Run, attempt: Attempt) -> Job | Absent:
        """Describe an attempt's job. Its tags have to prove that it is ours, unless an answer has done so."""
        proven = attempt.status is AttemptStatus.IN_PROGRESS
        return self.jobs.describe(attempt.job_name) if proven else self.jobs.find(launch_of_attempt(run, attempt))

    def _look_at_canary(self, run: Run, canary: Canary) -> Job | Absent:
        return self.jobs.describe(canary.job_name) if canary.arn else self.jobs.find(launch_of_canary(run, canary))

    def _pay(
        self,
        run: Run,
        answers: tuple[Observation, ...] = (),
        *,
        may_copy: bool = False,
        own_news: frozenset[int] = frozenset(),
    ) -> tuple[Run, Exception | None]:
        """Perform what a run owes, and return the run as it is saved, and what could not be published."""
        return self._payments.pay(run, answers, may_copy=may_copy, own_news=own_news)

    @property
    def _payments(self) -> Payments:
        return Payments(self.store, self._duties, self.telemetry, self.clock, self.draw, self.check_every, self._load)

    @property
    def _duties(self) -> Duties:
        return Duties(
            self.store,
            self.jobs,
            self.documents,
            self.announcements,
            self.waiting_tasks,
            self.slots,
            self.wakeups,
            self.pacing,
            self.hosting,
            self.copies,
            Whereabouts(self.region, self.bucket),
            self.canary_image,
            self.tells_at_once,
        )


def _number(owed: Outbox) -> frozenset[int]:
    """Return the numbers of the news that is owed."""
    return frozenset(one.number for one in owed.news)


def _require_published(run: Run, failure: Exception | None) -> Run:
    """Return the run, or raise NotPublishedError now that everything else is done."""
    if failure is not None:
        raise NotPublishedError(run.id) from failure
    return run


def count_files(run: Run, input_files: InputFiles) -> dict[str, int]:
    """Return the number of objects per sharded channel, as far as it matters and they can be listed."""
    most = largest_instance_count(run)
    prefixes = sharded_prefixes_of(run.training_job) if most > 1 else {}
    counts = {channel: input_files.count(uri, most) for channel, uri in prefixes.items()}
    return {channel: count for channel, count in counts.items() if count is not None}
