"""The protocols of what the service needs from outside, and the errors that these raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from spot_relay.domain.errors import CallerError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from spot_relay.domain.rules.checkpoints import CheckpointSearch
    from spot_relay.domain.rules.turns import Lane
    from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyAnswer
    from spot_relay.domain.run.hosting import Endpoint, Made, NoEndpoint, Part, Unmade
    from spot_relay.domain.run.launch import Created, Launch
    from spot_relay.domain.run.outbox import Measure
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.run import DueRun, Run, RunStatus, Waiting
    from spot_relay.domain.run.template import Burst, Schedule
    from spot_relay.domain.sagemaker.job import Absent, Job, Pool
    from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
    from spot_relay.domain.shown.events import Event
    from spot_relay.domain.values import No

# So many events fit into one call to EventBridge.
MOST_AT_ONCE = 10


class ConflictError(Exception):
    """Another writer saved the run since it was loaded."""


class RunExistsError(Exception):
    """There is already a run with that id."""


class RunTooLargeError(Exception):
    """The record of a run is larger than the store allows, even without its history."""


class NewerSchemaError(CallerError):
    """A newer release has stored the run, and this one would lose the parts that it does not know."""

    code = "NewerSchema"
    status = 503

    def __init__(self, run_id: str, found: int, known: int) -> None:
        super().__init__(
            f"The run {run_id} was stored by a newer release: its schema version is {found}, and this release knows "
            f"{known} at most. The run is left unchanged. If a deployment is in progress, try again when it has "
            "finished; otherwise deploy the newer release again."
        )


class UnansweredError(Exception):
    """SageMaker did not answer: it refused the call, failed, or could not be reached. That proves nothing.

    ``refusal`` is THROTTLED, UNAVAILABLE, or UNRECOGNIZED for an error that may not pass by itself.
    """

    def __init__(self, because: str, refusal: Refusal) -> None:
        super().__init__(because)
        self.refusal = refusal


class NotAnnouncedError(Exception):
    """The event bus has rejected events. They stay owed."""


class PrefixTakenError(SpecError):
    """Another open run uses the checkpoint prefix, one above it, or one inside it."""

    code = "CheckpointPrefixTaken"
    status = 409

    def __init__(self, uri: str, owner: str | None, overlap: str | None = None) -> None:
        whose = f"the run {owner} until that run ends" if owner else "another run until that run ends"
        place = f"{uri} {overlap}" if overlap else uri
        harm = "restore each other's files" if overlap else "overwrite each other's checkpoints"
        message = (
            f"The checkpoint prefix {place} belongs to {whose}, and two runs would {harm}. Use a different prefix."
        )
        super().__init__(message, [("CheckpointConfig.S3Uri", message)])


class RunStore(Protocol):
    """Stores runs; each write is atomic. No open run's checkpoint prefix lies inside another's.

    A run that would be too large is stored without the oldest part of its history, and returned like that. Where that
    is not enough, each write raises RunTooLargeError.

    Ids that differ only in case are the same id, except for runs that were stored before this was so.
    """

    def create(self, run: Run) -> Run:
        """Store a new run, and return it with its version; raise RunExistsError or PrefixTakenError if it can't be."""
        ...

    def reopen(self, run: Run) -> Run:
        """Store a run that had ended and continues, as `save` does; raise PrefixTakenError if its prefix is taken."""
        ...

    def load(self, run_id: str) -> Run | None:
        """Return a run, read consistently, or None; raise NewerSchemaError if a newer release has stored it."""
        ...

    def save(self, run: Run) -> Run:
        """Store a run if its version is unchanged, and return it with the next version; else raise ConflictError."""
        ...

    def list_due(self, until: datetime) -> Iterable[DueRun]:
        """Return the runs whose `due_at` has passed by then, the earliest first. It may lag behind."""
        ...

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        """Return the oldest run that waits for room in each of these pools, if there is one.

        It may miss a run that has only just begun to wait, but returns none that has stopped waiting.
        """
        ...

    def list_followers(self, run_id: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
        """Return runs that wait for the end of this one, and how far in their list that is; None at the list's end.

        The list goes on after ``told``, which is empty at its beginning. It may miss a run that has only just begun to
        wait, and may have some that wait no more.
        """
        ...

    def list_queued(self, template: str, most: int) -> tuple[str, ...]:
        """Return the oldest runs that wait for others of their template to end. It may lag behind."""
        ...

    def page(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of summaries, newest first, and the `created_before` of the next page, or None."""
        ...


class TemplateFiles(Protocol):
    """The templates in the bucket for specs, and the reports of their problems."""

    def list(self) -> Iterable[tuple[str, str]]:
        """Return the key of each template, and what changes whenever its content does."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return what is there now, as far as a template may be long, or None."""
        ...

    def report(self, key: str, errors: Sequence[dict[str, str]], now: datetime) -> None:
        """Write a report of every problem with a template, or with a spec that was made from one."""
        ...

    def clear(self, key: str) -> None:
        """Delete the report of a template, if there is one."""
        ...


class Bursts(Protocol):
    """The newest burst of objects in each folder that a template waits for."""

    def load(self, template: str, bucket: str, folder: str) -> Burst | None:
        """Return the newest burst, read consistently, or None if none is known."""
        ...

    def open(self, template: str, bucket: str, folder: str, burst: Burst, instead_of: Burst | None) -> bool:
        """Store a new burst if the stored one is still ``instead_of``, and return whether it was stored."""
        ...


class Schedules(Protocol):
    """The schedules of templates."""

    def put(self, template: str, schedule: Schedule) -> No | None:
        """Create or change the schedule of a template; return No if it is refused."""
        ...

    def remove(self, template: str) -> None:
        """Delete the schedule of a template, if it has one."""
        ...


class Slots(Protocol):
    """The stack's own limits on concurrent attempts per instance type, for both markets together."""

    def limit(self, instance_type: str) -> int | None:
        """Return the limit on attempts of an instance type, or None for no limit."""
        ...

    def take(self, instance_type: str, holder: str) -> No | None:
        """Take a slot for a training job unless it already holds one or there is no limit.

        Return No if jobs of open runs hold all slots.
        """
        ...

    def give_back(self, instance_type: str, holder: str) -> None:
        """Release the slot of a training job, if it holds one."""
        ...

    def take_place(self, template: str, run_id: str, most: int) -> bool:
        """Take a place among the runs of a template that are under way; return whether the run has one.

        It keeps the place until it has ended.
        """
        ...


class Turns(Protocol):
    """The stack's turns to call CreateTrainingJob, spaced so that SageMaker throttles few calls. Each is taken once."""

    def take(self, lane: Lane, now: datetime) -> datetime:
        """Take the first free turn of a lane, and return when it is: now, or later."""
        ...

    def take_by(self, latest: datetime, lane: Lane, now: datetime) -> datetime | None:
        """Take the first free turn of a lane, as `take` does; take none and return None if it is after ``latest``."""
        ...


class Vacancies(Protocol):
    """What stands in the way of a run that is not submitted yet. It is only read, and may lag behind."""

    def list_waiting(self, pool: Pool) -> tuple[Waiting, ...]:
        """Return the runs that wait for room in a pool, the oldest first; the first 100 of them."""
        ...

    def count_attempts(self, instance_type: str) -> int:
        """Return how many attempts hold a slot of an instance type; 0 if the stack does not limit it."""
        ...

    def check_prefix(self, uri: str, run_id: str) -> None:
        """Raise PrefixTakenError if an open run other than this one keeps it from taking a checkpoint prefix."""
        ...


class Wakeups(Protocol):
    """The queue that wakes runs, for room that was freed, for their turns, or because a run before them has ended."""

    def wake(self, run_id: str) -> None:
        """Ask the run to try its launch again soon."""
        ...

    def tell(self, run_ids: tuple[str, ...]) -> None:
        """Wake runs because a run before them has ended; raise an error if any could not be woken."""
        ...

    def look(self, run_id: str, after: timedelta) -> None:
        """Have the run looked at after that time, as the tick does. The message may arrive up to a second later."""
        ...


class Prices(Protocol):
    """The stack's price list."""

    def read(self) -> PriceList | None:
        """Return the stack's price list, or None if it has none yet."""
        ...


class InputFiles(Protocol):
    """The input data in S3."""

    def count(self, uri: str, at_most: int) -> int | None:
        """Return the number of objects under a prefix, up to a limit; None if they cannot be listed."""
        ...


class TrainingJobs(Protocol):
    """SageMaker's training jobs. A failed call raises an UnansweredError, because it proves nothing about the job."""

    def create(self, launch: Launch) -> Created | NotCreated:
        """Create a training job; one that exists already and has the launch's tags counts as created."""
        ...

    def find(self, launch: Launch) -> Job | Absent:
        """Describe the job of a launch, recognised by its tags; another job of the same name counts as absent."""
        ...

    def describe(self, job_name: str) -> Job | Absent:
        """Describe a job, or return Absent if there is none of that name."""
        ...

    def stop(self, job_name: str) -> None:
        """Ask SageMaker to stop a job; one that has ended or never existed is left as it is."""
        ...


class Hosting(Protocol):
    """SageMaker's models, endpoints and model packages. A failed call is an answer: it proves nothing."""

    def create(self, part: Part) -> Made | Unmade:
        """Create a part, or update the endpoint; what exists already and has the part's tags counts as made."""
        ...

    def find_endpoint(self, name: str) -> Endpoint | NoEndpoint | Unmade:
        """Describe an endpoint, with whether Spot Relay has created it."""
        ...


class Checkpoints(Protocol):
    """The checkpoints in S3."""

    def find_newest(self, uri: str, pattern: str | None) -> CheckpointSearch | No:
        """Return the newest checkpoint under a prefix, or No if not all objects could be listed.

        A pattern, relative to the prefix, says which objects are checkpoints; without one, their names do.
        """
        ...


class CheckpointCopies(Protocol):
    """Copies of checkpoints from one prefix in S3 to another."""

    def copy(self, copy: CheckpointCopy, destination: str) -> CopyAnswer:
        """Copy the next objects, as many as there is time for in one call of a function; again is the same."""
        ...


class StatusDocuments(Protocol):
    """What users read about a run in S3."""

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        """Write `status/<run-id>.json`."""
        ...


class Announcements(Protocol):
    """The event bus on which others learn what happens to runs."""

    def announce(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish up to `MOST_AT_ONCE` events, and return the ids of those that the bus has rejected, with its words.

        Each may be published more than once.
        """
        ...


class WaitingTasks(Protocol):
    """The tasks of Step Functions that wait for runs to end."""

    def answer(self, token: str, error: str | None, summary: dict[str, Any]) -> No | None:
        """Report the end of a run to a task: with its summary as a success, or as a failure with that error.

        Return No, which says how the token was refused, if the task no longer waits.
        """
        ...


class Telemetry(Protocol):
    """Logs and metrics."""

    def log_decision(self, run: Run, observation: str, reason: str) -> None:
        """Log a decision, with the run's id and the attempt's job name."""
        ...

    def measure(self, run_id: str, measures: tuple[Measure, ...]) -> None:
        """Publish metrics immediately, with the id of the run that they are about."""
        ...
