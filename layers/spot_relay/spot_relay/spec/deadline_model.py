"""The deadline of a policy: when, how long the training takes, and the rules on the job that is to meet it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.spec.problem import child, shown
from spot_relay.spec.run_name import check_canary_name
from spot_relay.spec.strict_model import Strict, fault
from spot_relay.spec.training_job import (
    MAX_RUNTIME_SECONDS,
    built_in_without_checkpoints,
    max_runtime,
    part,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.ladder_model import RungModel
    from spot_relay.spec.problem import Problems

# A training job lives 30 days at most.
MAX_DEADLINE_SECONDS = 30 * 86_400
MIN_EXPECTED_RUNTIME_SECONDS = 60
MAX_CHANGEOVER_SECONDS = 86_400
# ISO 8601 without years and months, whose length depends on the calendar. So many digits fit a timedelta.
_DURATION = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,8})W)?(?:(?P<days>[0-9]{1,8})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,8})H)?(?:(?P<minutes>[0-9]{1,8})M)?(?:(?P<seconds>[0-9]{1,8})S)?)?"
)
# The same for readers of a JSON schema, whose expressions know no names of groups and look for a part of the text.
_DURATION_TEXT = Annotated[str, Field(pattern=re.sub(r"\?P<\w+>", "", f"^{_DURATION.pattern}$"))]
_DURATIONS = 'an ISO 8601 duration of weeks, days, hours, minutes and seconds such as "P3D" or "PT48H"'


def _duration(least: int, most: int) -> BeforeValidator:
    def check(value: Any) -> int:
        seconds = _read_duration(value)
        if seconds is None:
            raise fault(f"Found {shown(value)}: write {_DURATIONS}, or whole seconds without quotes.")
        return _within(seconds, least, most, value)

    return BeforeValidator(check, Annotated[int, Field(ge=least, le=most)] | _DURATION_TEXT)


def _read_duration(value: Any) -> int | None:
    """Give the seconds that a value says, or None if it is no duration."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return round(timedelta(**{unit: int(count) for unit, count in match.groupdict("0").items()}).total_seconds())


def _within(seconds: int, least: int, most: int, value: Any) -> int:
    if seconds < least:
        raise fault(f"Found {shown(value)}, and it must be at least {least} seconds.")
    if seconds > most:
        raise fault(f"Found {shown(value)}, and it must be at most {most} seconds (P{most // 86_400}D).")
    return seconds


def _read_deadline(value: Any) -> int | datetime:
    """Give the seconds or the instant (in UTC, so that one instant is one value) that a value says."""
    seconds = _read_duration(value)
    if seconds is not None:
        return _within(seconds, 1, MAX_DEADLINE_SECONDS, value)
    wanted = f'{_DURATIONS}, whole seconds without quotes, or an instant such as "2026-12-01T06:00:00Z"'
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise fault(f"Found {shown(value)}: write {wanted}.") from None
    if instant.tzinfo is None:
        raise fault(f'Found {shown(value)}, which names no zone: add one, such as "Z" for UTC or "+02:00".')
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise fault(f"Found {shown(value)}, which no calendar has in UTC: write {wanted}.") from None


_DEADLINE = BeforeValidator(
    _read_deadline, Annotated[int, Field(ge=1, le=MAX_DEADLINE_SECONDS)] | _DURATION_TEXT | datetime
)


class DeadlineKeys(Strict):
    """The keys of a deadline, which stand among others."""

    deadline: Annotated[int | datetime | None, _DEADLINE] = None
    expected_runtime: Annotated[int | None, _duration(MIN_EXPECTED_RUNTIME_SECONDS, MAX_RUNTIME_SECONDS)] = None
    changeover: Annotated[int | None, _duration(0, MAX_CHANGEOVER_SECONDS)] = None
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
    def least_seconds(self) -> int | None:
        """What the run takes on demand alone; None as long as its training is not known."""
        if self.expected_runtime is None:
            return None
        return self.expected_runtime + (Deadline.changeover_seconds if self.changeover is None else self.changeover)


def deadline_of(keys: DeadlineKeys, return_to_spot: ReturnToSpot) -> Deadline | None:
    """Give the domain's deadline, or None if there is none."""
    if keys.deadline is None or keys.expected_runtime is None:
        return None
    return Deadline(
        expected_runtime_seconds=keys.expected_runtime,
        at=keys.at,
        within_seconds=keys.within_seconds,
        changeover_seconds=Deadline.changeover_seconds if keys.changeover is None else keys.changeover,
        return_to_spot=return_to_spot,
    )


def way_back(keys: DeadlineKeys, ladder: list[RungModel] | None, job: Mapping[str, Any]) -> ReturnToSpot:
    """Give how the run finds back to spot: as it says, else by the best way that it can take."""
    if keys.return_to_spot is not None:
        return ReturnToSpot(keys.return_to_spot)
    closed = _closed_ways(ladder, job)
    ways = (Deadline.return_to_spot, ReturnToSpot.BLIND, ReturnToSpot.NEVER)
    return next(way for way in ways if way not in closed)


def _closed_ways(ladder: list[RungModel] | None, job: Mapping[str, Any]) -> dict[ReturnToSpot, str]:
    """Tell which ways back to spot a run cannot take, and why."""
    own_is_spot = job.get("EnableManagedSpotTraining") is True
    has_spot = own_is_spot if ladder is None else any(rung.market == "spot" for rung in ladder)
    if not has_spot:
        why = "no placement of the run is on spot: add a spot rung to the ladder, or remove the key"
        return {ReturnToSpot.CANARY: why, ReturnToSpot.BLIND: why}
    why = ""
    if "AlgorithmName" in part(job, "AlgorithmSpecification"):
        why = "a canary needs a TrainingImage, and the job has an AlgorithmName"
    elif part(job, "ResourceConfig").get("InstanceGroups"):
        why = "a canary has one instance type, and the job has InstanceGroups"
    return {ReturnToSpot.CANARY: f"{why}: use blind or never"} if why else {}


class DeadlineRules:
    """Notes what keeps a run from having its deadline; ``path`` is the policy's."""

    def __init__(self, keys: DeadlineKeys, path: str, problems: Problems) -> None:
        self._keys = keys
        self._path = path
        self._problems = problems

    def check(
        self, name: Any, ladder: list[RungModel] | None, job: Mapping[str, Any], *, relaunches_on_max_runtime: bool
    ) -> None:
        """Note every rule that the deadline breaks with this job."""
        if self._keys.deadline is None:
            self._check_alone()
            return
        self._check_time()
        if not job:
            # There is none, or no mapping, which was said already.
            return
        self._check_checkpoints(job)
        if not relaunches_on_max_runtime:
            self._check_runtime(job)
        way, closed = way_back(self._keys, ladder, job), _closed_ways(ladder, job)
        if way in closed:
            where = child(self._path, "return_to_spot")
            self._problems.add(where, f"Found {shown(way.value)}, but {closed[way]}.")
        elif way is ReturnToSpot.CANARY:
            check_canary_name(name, "name", self._problems)

    def _check_alone(self) -> None:
        for key in ("expected_runtime", "changeover", "return_to_spot"):
            if getattr(self._keys, key) is not None:
                message = "There is no deadline that the key could be for: add deadline, or remove the key."
                self._problems.add(child(self._path, key), message)

    def _check_time(self) -> None:
        keys = self._keys
        if keys.expected_runtime is None:
            message = "The key is missing: a deadline needs the training that the whole run takes. Add it."
            self._problems.missing(child(self._path, "expected_runtime"), message)
        elif keys.within_seconds is not None and keys.least_seconds and keys.within_seconds < keys.least_seconds:
            message = (
                f"Found {keys.within_seconds} seconds, less than expected_runtime and changeover together "
                f"({keys.least_seconds} seconds), which the run takes on demand alone: raise it."
            )
            self._problems.add(child(self._path, "deadline"), message)

    def _check_checkpoints(self, job: Mapping[str, Any]) -> None:
        built_in = built_in_without_checkpoints(job)
        if built_in:
            message = (
                f"The built-in {built_in} writes no checkpoints, so that an interruption loses everything and no "
                "deadline can be promised: remove it."
            )
            self._problems.add(child(self._path, "deadline"), message)
        elif "CheckpointConfig" not in job:
            message = (
                "The key is missing: a run with a deadline needs it, because without checkpoints an interruption "
                "loses everything. Add it, or remove policy.deadline."
            )
            self._problems.missing("training_job.CheckpointConfig", message)

    def _check_runtime(self, job: Mapping[str, Any]) -> None:
        runtime, least = max_runtime(job), self._keys.least_seconds
        if runtime is None or least is None or runtime >= least:
            return
        given = "MaxRuntimeInSeconds" in part(job, "StoppingCondition")
        found = f"Found {runtime}" if given else f"The key is missing, and its default is {runtime}"
        message = (
            f"{found}, less than policy.expected_runtime and changeover together ({least} seconds): raise it, or set "
            "policy.relaunch_on_max_runtime to true."
        )
        self._problems.missing("training_job.StoppingCondition.MaxRuntimeInSeconds", message)
