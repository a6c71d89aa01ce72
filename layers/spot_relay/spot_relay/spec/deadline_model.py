"""The deadline of a policy: read its times, and check that the job can meet it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.domain.sagemaker.built_in import find_built_in_without_checkpoints
from spot_relay.request.problem import describe, join_path
from spot_relay.spec.job_rules import (
    MAX_RUNTIME_SECONDS,
    get_mapping,
    read_max_runtime,
)
from spot_relay.spec.strict_model import Strict
from spot_relay.spec.times import (
    DURATION_HINT,
    DURATION_TEXT,
    INSTANT_HINT,
    check_bounds,
    read_duration,
    read_instant,
    validate_duration,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems
    from spot_relay.spec.ladder_model import RungModel

# A training job, including its wait for capacity, lasts at most 30 days.
MAX_DEADLINE_SECONDS = 30 * 86_400
MIN_EXPECTED_RUNTIME_SECONDS = 60
MAX_CHANGEOVER_SECONDS = 86_400


def _read_deadline(value: Any) -> int | datetime:
    """Return the seconds or the instant that a value stands for."""
    seconds = read_duration(value)
    if seconds is not None:
        return check_bounds(seconds, 1, MAX_DEADLINE_SECONDS, value)
    return read_instant(value, f"Use {DURATION_HINT}, whole seconds without quotes, or {INSTANT_HINT}.")


_DEADLINE = BeforeValidator(
    _read_deadline, Annotated[int, Field(ge=1, le=MAX_DEADLINE_SECONDS)] | DURATION_TEXT | datetime
)


class DeadlineKeys(Strict):
    """The keys of a deadline, for the models that have other keys as well."""

    deadline: Annotated[int | datetime | None, _DEADLINE] = None
    expected_runtime: Annotated[int | None, validate_duration(MIN_EXPECTED_RUNTIME_SECONDS, MAX_RUNTIME_SECONDS)] = None
    changeover: Annotated[int | None, validate_duration(0, MAX_CHANGEOVER_SECONDS)] = None
    return_to_spot: Literal["canary", "blind", "never"] | None = None

    @property
    def at(self) -> datetime | None:
        """The deadline, if it was given as an instant."""
        return self.deadline if isinstance(self.deadline, datetime) else None

    @property
    def within_seconds(self) -> int | None:
        """The deadline, if it was given as a duration."""
        return self.deadline if isinstance(self.deadline, int) else None

    @property
    def minimum_seconds(self) -> int | None:
        """How long the run takes if it runs only on-demand; None if its expected runtime is not given."""
        if self.expected_runtime is None:
            return None
        return self.expected_runtime + (Deadline.changeover_seconds if self.changeover is None else self.changeover)


def build_deadline(keys: DeadlineKeys, return_to_spot: ReturnToSpot) -> Deadline | None:
    """Return the domain's deadline, or None if there is none."""
    if keys.deadline is None or keys.expected_runtime is None:
        return None
    return Deadline(
        expected_runtime_seconds=keys.expected_runtime,
        at=keys.at,
        within_seconds=keys.within_seconds,
        changeover_seconds=Deadline.changeover_seconds if keys.changeover is None else keys.changeover,
        return_to_spot=return_to_spot,
    )


def choose_return_to_spot(keys: DeadlineKeys, ladder: list[RungModel] | None, job: Mapping[str, Any]) -> ReturnToSpot:
    """Return how the run returns to spot: as the spec says, or else the best way that is possible for it."""
    if keys.return_to_spot is not None:
        return ReturnToSpot(keys.return_to_spot)
    impossible = _explain_impossible_returns(ladder, job)
    ways = (Deadline.return_to_spot, ReturnToSpot.BLIND, ReturnToSpot.NEVER)
    return next(way for way in ways if way not in impossible)


def _explain_impossible_returns(ladder: list[RungModel] | None, job: Mapping[str, Any]) -> dict[ReturnToSpot, str]:
    """Return the ways of returning to spot that are impossible for a run, each with the reason and what to do."""
    job_is_spot = job.get("EnableManagedSpotTraining") is True
    has_spot = job_is_spot if ladder is None else any(rung.market == "spot" for rung in ladder)
    if not has_spot:
        why = "the run has no spot placement to return to. Add a spot rung to the ladder, or remove the key."
        return {ReturnToSpot.CANARY: why, ReturnToSpot.BLIND: why}
    why = ""
    if "AlgorithmName" in get_mapping(job, "AlgorithmSpecification"):
        why = "a canary needs a TrainingImage and the job has an AlgorithmName"
    elif get_mapping(job, "ResourceConfig").get("InstanceGroups"):
        why = "a canary needs a single instance type and the job has InstanceGroups"
    return {ReturnToSpot.CANARY: f"{why}. Use blind or never."} if why else {}


class DeadlineChecker:
    """Checks that a job can meet the deadline of the policy at ``path``."""

    def __init__(self, keys: DeadlineKeys, path: str, problems: Problems) -> None:
        self._keys = keys
        self._path = path
        self._problems = problems

    def check(self, ladder: list[RungModel] | None, job: Mapping[str, Any], *, relaunches_on_max_runtime: bool) -> None:
        """Report every reason why this job cannot have the deadline."""
        if self._keys.deadline is None:
            self._check_keys_without_deadline()
            return
        self._check_time()
        if not job:
            # It is missing or not a mapping, which has been reported already.
            return
        self._check_checkpoints(job)
        if not relaunches_on_max_runtime:
            self._check_runtime(job)
        way = choose_return_to_spot(self._keys, ladder, job)
        impossible = _explain_impossible_returns(ladder, job)
        if way in impossible:
            path = join_path(self._path, "return_to_spot")
            self._problems.add(path, f"Found {describe(way.value)}, but {impossible[way]}")

    def _check_keys_without_deadline(self) -> None:
        for key in ("expected_runtime", "changeover", "return_to_spot"):
            if getattr(self._keys, key) is not None:
                message = "This key has no effect without a deadline. Add deadline, or remove the key."
                self._problems.add(join_path(self._path, key), message)

    def _check_time(self) -> None:
        keys = self._keys
        if keys.expected_runtime is None:
            message = "This key is required with a deadline: it says how long the whole training takes. Add it."
            self._problems.add_missing(join_path(self._path, "expected_runtime"), message)
        elif keys.within_seconds is not None and keys.minimum_seconds and keys.within_seconds < keys.minimum_seconds:
            message = (
                f"Found {keys.within_seconds} seconds, but the run takes {keys.minimum_seconds} seconds even if all "
                "of it is on-demand (expected_runtime plus changeover). Allow more time."
            )
            self._problems.add(join_path(self._path, "deadline"), message)

    def _check_checkpoints(self, job: Mapping[str, Any]) -> None:
        built_in = find_built_in_without_checkpoints(job)
        if built_in:
            message = (
                f"The built-in algorithm {built_in} writes no checkpoints, so an interruption loses all progress and "
                "Spot Relay cannot keep a deadline. Remove the deadline."
            )
            self._problems.add(join_path(self._path, "deadline"), message)
        elif "CheckpointConfig" not in job:
            message = (
                "This key is required with a deadline, because without checkpoints an interruption loses all "
                "progress. Add it, or remove policy.deadline."
            )
            self._problems.add_missing("training_job.CheckpointConfig", message)

    def _check_runtime(self, job: Mapping[str, Any]) -> None:
        runtime, minimum = read_max_runtime(job), self._keys.minimum_seconds
        if runtime is None or minimum is None or runtime >= minimum:
            return
        is_given = "MaxRuntimeInSeconds" in get_mapping(job, "StoppingCondition")
        found = f"Found {runtime} seconds" if is_given else f"The key is missing and its default is {runtime} seconds"
        message = (
            f"{found}, but the run takes {minimum} seconds (policy.expected_runtime plus changeover). Set it to at "
            f"least {minimum}, or set policy.relaunch_on_max_runtime to true."
        )
        self._problems.add_missing("training_job.StoppingCondition.MaxRuntimeInSeconds", message)
