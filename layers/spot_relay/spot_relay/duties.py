"""The duties of a saved decision: what is in a run's outbox, performed and published.

A duty may be performed twice, because a function can be killed before it has saved that it is done. So each is safe to
repeat: a launch finds the job that exists already, and a stop of a job that has ended changes nothing.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import Uncopied
from spot_relay.domain.run.hosting import Unmade
from spot_relay.domain.run.launch import launch_of_attempt, launch_of_canary
from spot_relay.domain.run.observation import (
    CanaryCreated,
    CanaryRefused,
    CheckpointsCopied,
    FollowersTold,
    HostingAnswered,
    Launched,
    Refused,
    StopRefused,
    TaskGone,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Waiting
from spot_relay.domain.sagemaker.job import EVERY_POOL, Job, Market, Pool
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.domain.shown.events import build_event
from spot_relay.domain.shown.report import Whereabouts, status_document, summarise, task_error
from spot_relay.domain.values import dataclass
from spot_relay.pacing import OTHERS_FIRST
from spot_relay.ports import MOST_AT_ONCE, NotAnnouncedError, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.hosting import Endpoint, HostingTask, Made, NoEndpoint
    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.outbox import Room
    from spot_relay.domain.run.run import Run
    from spot_relay.pacing import Pacing
    from spot_relay.ports import (
        Announcements,
        CheckpointCopies,
        Hosting,
        RunStore,
        Slots,
        StatusDocuments,
        TrainingJobs,
        WaitingTasks,
        Wakeups,
    )

# So many followers are told of an end in one call of a function, by a hundred calls to SQS. A request has 29 seconds.
MOST_TOLD = 1000
_Answer = TypeVar("_Answer")
_Refused = TypeVar("_Refused", Refused, CanaryRefused)


@dataclass(frozen=True)
class Told:
    """What became of what had to be told: the answers to tasks of Step Functions, and the news."""

    tasks: frozenset[str] = frozenset()
    """The tokens of the tasks that need no answer any more."""
    gone: tuple[TaskGone, ...] = ()
    news: frozenset[int] = frozenset()
    """The numbers of the news that were announced."""
    failure: Exception | None = None

    def leave(self, owed: Outbox, announced: frozenset[int]) -> Outbox:
        """Return what is still to be told, apart from the news that was announced by now."""
        tasks = tuple(token for token in owed.tasks if token not in self.tasks)
        return Outbox(tasks=tasks, news=tuple(one for one in owed.news if one.number not in announced))


@dataclass(frozen=True)
class Duties:
    """Performs what runs owe, over the ports of one stack."""

    store: RunStore
    jobs: TrainingJobs
    documents: StatusDocuments
    announcements: Announcements
    waiting_tasks: WaitingTasks
    slots: Slots
    wakeups: Wakeups
    pacing: Pacing
    hosting: Hosting | None
    """None where hosting is left to another function."""
    copies: CheckpointCopies | None
    """None where copying checkpoints is left to another function."""
    where: Whereabouts
    canary_image: str | None = None
    most_told: int = MOST_TOLD

    def perform(self, run: Run, owed: Outbox) -> tuple[Observation, ...]:
        """Free, launch, stop and tell what is owed, each idempotently, and return the answers of launches."""
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
            answers += (_refuse_if_unanswered(Refused, attempt.number, launches),)
        if canary is not None:
            sends = partial(self._send_canary, run, canary, oldest().get(canary.placement.pool))
            answers += (_refuse_if_unanswered(CanaryRefused, canary.number, sends),)
        rest: list[Callable[[], StopRefused | FollowersTold | None]] = []
        if owed.stop is not None:
            rest.append(partial(self._stop_job, run, owed.stop))
        given_up = (canary for canary in run.canaries if canary.job_name == owed.stop_canary)
        rest += [partial(self._stop_canary, run, canary) for canary in given_up]
        if owed.tell_followers:
            rest.append(partial(self._tell_followers, run, owed.told))
        # After the launch: if this run is the oldest, it has taken the room itself.
        return answers + _try_each([*rest, *(partial(self._wake_oldest, pool, oldest) for pool in served)])

    def host(self, run: Run, owed: Outbox) -> tuple[HostingAnswered, ...]:
        """Make the next call of each task for the run's model that is owed, and return the answers."""
        if self.hosting is None:
            return ()
        tasks = [task for task in run.hosting if task.kind in owed.host and task.is_open]
        return tuple(HostingAnswered(task.kind, task.step, _host(self.hosting, run, task)) for task in tasks)

    def copy(self, run: Run, owed: Outbox) -> tuple[CheckpointsCopied, ...]:
        """Copy the next checkpoints of another run if that is owed, and return how far that came."""
        uri, copying = run.checkpoint_uri, run.copying
        waits = run.waits_to_begin and not (run.has_ended or run.stop_requested)
        if self.copies is None or uri is None or copying is None or not (owed.copy and waits):
            return ()
        try:
            return (CheckpointsCopied(copying, self.copies.copy(copying, uri)),)
        except Exception as error:  # noqa: BLE001 - the run tries again later, whatever it was
            return (CheckpointsCopied(copying, Uncopied(f"{type(error).__name__}: {error}", passes=True)),)

    def publish(self, run: Run, owed: Outbox) -> Exception | None:
        """Write the run's status document if that is owed, and return what went wrong."""
        try:
            if owed.status:
                self.documents.write(run.id, status_document(run, self.where.region))
        except Exception as error:  # noqa: BLE001 - no error of any kind may keep the run from continuing
            return error
        return None

    def tell(self, run: Run, owed: Outbox) -> Told:
        """Answer the tasks that wait for the end of a saved run, announce its news, and return what became of that."""
        done, gone, announced = set(), [], set()
        failure: Exception | None = None
        for token in owed.tasks:
            try:
                no = self.waiting_tasks.answer(token, task_error(run), summarise(run))
            except Exception as error:  # noqa: BLE001 - no error of any kind may keep the run from continuing
                failure = error
            else:
                done.add(token)
                gone += [TaskGone(no.because)] if no else []
        for first in range(0, len(owed.news), MOST_AT_ONCE):
            events = {one.number: build_event(run, one, self.where) for one in owed.news[first : first + MOST_AT_ONCE]}
            try:
                rejected = self.announcements.announce(tuple(events.values()))
            except Exception as error:  # noqa: BLE001 - no error of any kind may keep the run from continuing
                failure = error
            else:
                announced |= {number for number, event in events.items() if event.id not in rejected}
                failure = NotAnnouncedError(str(rejected)) if rejected else failure
        return Told(frozenset(done), tuple(gone), frozenset(announced), failure)

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

    def _tell_followers(self, run: Run, told: str) -> FollowersTold | None:
        """Wake the next followers of this ended run, and return how far that went, unless these were the last.

        The first of these calls also wakes the oldest runs that wait for others of its template.
        """
        followers, until = self.store.list_followers(run.id, told, self.most_told)
        if run.start.template is not None and run.start.at_most is not None and not told:
            # More than the one for which there is a place now: the index may still list runs that have begun.
            followers += self.store.list_queued(run.start.template, run.start.at_most)
        if followers:
            self.wakeups.tell(followers)
        return None if until is None else FollowersTold(until)

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
            # Before this answer is saved, another function may have moved the attempt elsewhere.
            return Launched(number, answer.arn, answer.placement or attempt.placement)
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


def _host(hosting: Hosting, run: Run, task: HostingTask) -> Made | Unmade | Endpoint | NoEndpoint:
    # Imported here to keep cold starts short: few runs do anything with their models.
    from spot_relay.domain.run.hosting_part import part_of

    try:
        part = part_of(run, task.step)
        return hosting.find_endpoint(run.endpoint_name) if part is None else hosting.create(part)
    except Exception as error:  # noqa: BLE001 - no error of any kind may keep the run from everything else
        return Unmade(f"{type(error).__name__}: {error}", passes=True)


def _refuse_if_unanswered(refused: type[_Refused], number: int, launch: Callable[[], _Answer]) -> _Answer | _Refused:
    """Return the answer of a launch, or a refusal for now if SageMaker did not answer what the launch had to know.

    Such a question says nothing about the launch. Only an error that nobody knows is taken for its answer, so that the
    run does not wait for ever.
    """
    try:
        return launch()
    except UnansweredError as error:
        unknown = error.refusal is Refusal.UNRECOGNIZED
        return refused(number, error.refusal if unknown else Refusal.UNDESCRIBED, str(error))


def _try_each(
    duties: Iterable[Callable[[], StopRefused | FollowersTold | None]],
) -> tuple[StopRefused | FollowersTold, ...]:
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
