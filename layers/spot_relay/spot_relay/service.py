"""The use cases: submit a run, advance it by an observation, stop it, resume it, show it, list runs.

Everything that happens to a run goes through `advance`. A crash between any two of its steps loses nothing: what a
saved decision owes is in the run's outbox, and whoever loads the run next performs it first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.acceptance import Objection, accept, find_objections, largest_instance_count
from spot_relay.domain.decide.decision import decide, settle
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.looks import attempt_to_look_at, canary_to_look_at, looks_again, needs_checkpoint
from spot_relay.domain.decide.steps import last_word
from spot_relay.domain.errors import CallerError, SpecError
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import launch_of_attempt, launch_of_canary
from spot_relay.domain.run.observation import (
    CanaryCreated,
    CanaryRefused,
    Due,
    Launched,
    Overgrown,
    Refused,
    ResumeRequested,
    StopRefused,
    StopRequested,
    keep_what_exists,
)
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import Waiting
from spot_relay.domain.sagemaker.job import EVERY_POOL, Absent, Job, Market, Pool
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.domain.sagemaker.request import sharded_prefixes_of
from spot_relay.domain.shown.report import announcement, status_document
from spot_relay.domain.values import No, replace
from spot_relay.pacing import OTHERS_FIRST, refuse_if_unanswered
from spot_relay.ports import (
    Announcements,
    Checkpoints,
    ConflictError,
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
    Wakeups,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spot_relay.domain.decide.steps import Decision
    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.run import Run, RunStatus
    from spot_relay.domain.run.submission import Submission
    from spot_relay.pacing import Pacing

# A run has few writers. One that loses this often in a row leaves the message to its queue's retry.
MAX_CONFLICTS = 20


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
    """The spec is valid, but its deadline, its budget or its placement can't be kept."""

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
    telemetry: Telemetry
    prices: Prices
    input_files: InputFiles
    slots: Slots
    wakeups: Wakeups
    pacing: Pacing
    clock: Callable[[], datetime]
    draw: Callable[[], float]
    new_id: Callable[[], str]
    check_every: timedelta = field(default=timedelta(minutes=5))
    canary_image: str | None = None
    """The image in which canaries sleep; None for each run's own training image."""

    def submit(self, submission: Submission) -> Run:
        """Accept a run and launch its first attempt; the same submission again is the same run.

        Raise NameConflictError if the name belongs to a run with another spec, PrefixTakenError if another open run
        owns the checkpoint prefix, and UnacceptableError if deadline, budget or placement cannot be kept.
        """
        now = self.clock()
        new = accept(submission, self.new_id(), now, self.prices.read())
        if found := find_objections(new, self._count_files(new), now):
            # A spec that was accepted before still returns its run, even if it would no longer be accepted.
            if self.store.load(submission.name) is None:
                raise UnacceptableError(found)
            run = self._load_same(submission)
        else:
            run = self._create(submission, new)
        return _require_published(*self._pay(run))

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
        return self._request(run_id, request or ResumeRequested())

    def show(self, run_id: str) -> Run:
        """Return a run; raise NoSuchRunError if there is none."""
        return self._load(run_id)

    def list(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of summaries, newest first, and where the next page begins, or None."""
        return self.store.page(status, limit, created_before)

    def _create(self, submission: Submission, new: Run) -> Run:
        try:
            run = self.store.create(new)
        except RunExistsError:
            return self._load_same(submission)
        self.telemetry.log_decision(run, "Submitted", run.reason)
        return run

    def _load_same(self, submission: Submission) -> Run:
        existing = self._load(submission.name)
        if existing.fingerprint != submission.fingerprint:
            raise NameConflictError(existing.id, submission.name)
        return existing

    def _count_files(self, run: Run) -> dict[str, int]:
        """Return the number of objects per sharded channel, as far as it matters and they can be listed."""
        most = largest_instance_count(run)
        prefixes = sharded_prefixes_of(run.training_job) if most > 1 else {}
        counts = {channel: self.input_files.count(uri, most) for channel, uri in prefixes.items()}
        return {channel: count for channel, count in counts.items() if count is not None}

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

    def _advance(self, run: Run, observation: Observation) -> tuple[Run, Decision]:
        """Decide on the newest state of the run, again after each conflict, and perform what a saved decision owes."""
        for _ in range(MAX_CONFLICTS):
            run, failure = self._pay(run)
            decision = decide(run, self._gather(run, observation), self.clock())
            self.telemetry.log_decision(decision.run, type(observation).__name__, decision.reason)
            if decision.run is run:
                self._act(run, decision.owes)
                self.telemetry.measure(decision.owes.measures)
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
                self.telemetry.measure(alone)
            return _require_published(*self._pay(saved)), decision
        raise ConflictError(run.id)

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
        return self._add_checkpoint(run, facts) if needs_checkpoint(run, observation, job, now) else facts

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

    def _pay(self, run: Run) -> tuple[Run, Exception | None]:
        """Perform what a run owes and save that it is done; then do the same with what the answers of launches add.

        What cannot be published stays owed, and the failure is returned: the run itself continues without it.
        """
        answers: tuple[Observation, ...] = ()
        failure: Exception | None = None
        published = False
        for _ in range(MAX_CONFLICTS):
            nothing_to_do = not answers and not run.outbox.acts
            nothing_to_publish = not run.outbox or published or failure is not None
            if nothing_to_do and nothing_to_publish:
                return run, failure
            answers += self._act(run, run.outbox)
            settled = self._settle(run, answers)
            owed = run.outbox.publications.then(settled.outbox)
            failure = failure or self._publish(settled, owed)
            still_owed = owed.publications if failure else last_word(settled, self.clock())
            settled = replace(settled, outbox=owed.actions.then(still_owed))
            if settled == run:
                return run, failure
            try:
                saved = self.store.save(settled)
            except ConflictError:
                run, answers, published = self._load(run.id), keep_what_exists(answers), False
                continue
            except RunTooLargeError:
                if Overgrown() in answers:
                    raise
                answers = (*answers, Overgrown())
                continue
            # Only whoever settled the outbox publishes its metrics, because a metric cannot be published twice.
            self.telemetry.measure(run.outbox.measures + owed.measures)
            run, answers, published = saved, (), True
        raise ConflictError(run.id)

    def _settle(self, run: Run, answers: tuple[Observation, ...]) -> Run:
        facts = Facts(Due(), draw=self.draw(), check_every=self.check_every)
        settled = settle(run, answers, facts, self.clock())
        for answer in answers:
            self.telemetry.log_decision(settled, type(answer).__name__, settled.reason)
        return settled

    def _act(self, run: Run, owed: Outbox) -> tuple[Observation, ...]:
        """Free, launch and stop what is owed, each idempotently, and return the answers of launches."""
        answers: tuple[Observation, ...] = ()
        for room in owed.freed:
            if room.holder is not None:
                self.slots.give_back(room.pool.instance_type, room.holder)
        attempt = None if owed.launch is None else run.attempt(owed.launch)
        canary = run.canary_beside(owed.canary)
        served = dict.fromkeys(pool for room in owed.freed for pool in self._pools_served_by(room))
        wanted = (job.placement.pool for job in (attempt, canary) if job is not None)
        pools = dict.fromkeys((*wanted, *served))
        # Queried at most once and, if nothing is launched, only after the stops.
        oldest = cache(lambda: self.store.oldest_waiting(*pools))
        if attempt is not None:
            launches = partial(self._launch, run, attempt, oldest().get(attempt.placement.pool))
            answers += (refuse_if_unanswered(Refused, attempt.number, launches),)
        if canary is not None:
            sends = partial(self._send_canary, run, canary, oldest().get(canary.placement.pool))
            answers += (refuse_if_unanswered(CanaryRefused, canary.number, sends),)
        stops = [] if owed.stop is None else [partial(self._stop_job, run, owed.stop)]
        given_up = (canary for canary in run.canaries if canary.job_name == owed.stop_canary)
        stops += [partial(self._stop_canary, run, canary) for canary in given_up]
        # After the launch: if this run is the oldest, it has taken the room itself.
        return answers + _try_each([*stops, *(partial(self._wake_oldest, pool, oldest) for pool in served)])

    def _stop_canary(self, run: Run, canary: Canary) -> StopRefused | None:
        try:
            # Until its creation has been answered, the job of that name may be somebody else's.
            if canary.arn or self._exists(launch_of_canary(run, canary)):
                self.jobs.stop(canary.job_name)
        except UnansweredError as error:
            # A canary ends by itself. An error that stays must not keep its run from everything else.
            if error.refusal is not Refusal.UNRECOGNIZED:
                raise
            return StopRefused(canary.job_name, str(error))
        return None

    def _wake_oldest(self, pool: Pool, oldest: Callable[[], dict[Pool, Waiting]]) -> None:
        if (waiting := oldest().get(pool)) is not None:
            self.wakeups.wake(waiting.run_id)

    def _launch(self, run: Run, attempt: Attempt, oldest: Waiting | None) -> Launched | Refused:
        """Create an attempt's job when it is its turn: after older runs for the same pool, within the stack's limit.

        A job that exists already has had its turn. The slot is kept only if the job exists, or may exist.
        """
        launch, pool, number = launch_of_attempt(run, attempt), attempt.placement.pool, attempt.number
        is_behind = oldest is not None and oldest < Waiting(run.created_at, run.id)
        if oldest and is_behind and not self._exists(launch):
            self.slots.give_back(pool.instance_type, attempt.job_name)
            message = f"Older runs are waiting for {pool}; {oldest.run_id} is first in the queue."
            return Refused(number, Refusal.QUEUED_BEHIND, message)
        no_slot = self.slots.take(pool.instance_type, attempt.job_name)
        if no_slot is not None and not self._exists(launch):
            return Refused(number, Refusal.LIMIT_REACHED, no_slot.because)
        # Last, because no turn should be wasted. Until then the attempt keeps its slot.
        if (not_yet := self.pacing.await_turn(run, attempt)) is not None:
            return not_yet
        answer = self.jobs.create(launch)
        if not isinstance(answer, NotCreated):
            return Launched(number, answer.arn, answer.placement)
        if not answer.refusal.leaves_open:
            self.slots.give_back(pool.instance_type, attempt.job_name)
        return Refused(number, answer.refusal, answer.because)

    def _send_canary(self, run: Run, canary: Canary, oldest: Waiting | None) -> CanaryCreated | CanaryRefused:
        """Create a canary, unless a run waits for the room that it would take.

        A canary that exists already has taken its room.
        """
        launch = launch_of_canary(run, canary, self.canary_image)
        if oldest is not None and not self._exists(launch):
            message = f"Other runs are waiting for {canary.placement.pool}."
            return CanaryRefused(canary.number, Refusal.QUEUED_BEHIND, message)
        if not self.pacing.await_free_turn():
            return CanaryRefused(canary.number, Refusal.AWAITS_TURN, OTHERS_FIRST)
        answer = self.jobs.create(launch)
        if isinstance(answer, NotCreated):
            return CanaryRefused(canary.number, answer.refusal, answer.because)
        return CanaryCreated(canary.number, answer.arn)

    def _stop_job(self, run: Run, job_name: str) -> StopRefused | None:
        """Stop a job; if SageMaker does not answer, the next look at a live attempt stops it again."""
        try:
            self.jobs.stop(job_name)
        except UnansweredError as error:
            if job_name != run.current.job_name or run.current.status is not AttemptStatus.IN_PROGRESS:
                raise
            return StopRefused(job_name, str(error)) if error.refusal is Refusal.UNRECOGNIZED else None
        return None

    def _exists(self, launch: Launch) -> bool:
        return isinstance(self.jobs.find(launch), Job)

    def _pools_served_by(self, room: Room) -> tuple[Pool, ...]:
        """Return the pools in which a run may wait for freed room: a slot of the stack serves both markets.

        Any room may be room in a quota that spans pools.
        """
        kind = room.pool.instance_type
        both = room.holder is not None and self.slots.limit(kind) is not None
        pools = tuple(Pool(kind, market) for market in Market) if both else (room.pool,)
        return (*pools, EVERY_POOL)

    def _publish(self, run: Run, owed: Outbox) -> Exception | None:
        """Publish what is owed about the run, and return what went wrong."""
        try:
            if owed.status:
                self.documents.write(run.id, status_document(run))
            if owed.announce:
                self.announcements.announce(announcement(run))
        except Exception as error:  # noqa: BLE001 - no error of any kind may keep the run from continuing
            return error
        return None


def _try_each(duties: Iterable[Callable[[], StopRefused | None]]) -> tuple[StopRefused, ...]:
    """Perform duties that do not depend on each other, and raise the first error once all were tried."""
    answers, errors = [], []
    for perform in duties:
        try:
            answers.append(perform())
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not keep the others from being done
            errors.append(error)
    if errors:
        raise errors[0]
    return tuple(answer for answer in answers if answer is not None)


def _require_published(run: Run, failure: Exception | None) -> Run:
    """Return the run, or raise NotPublishedError now that everything else is done."""
    if failure is not None:
        raise NotPublishedError(run.id) from failure
    return run
