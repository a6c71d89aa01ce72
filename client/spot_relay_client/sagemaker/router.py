"""Which calls of SageMaker and of CloudWatch Logs concern runs, and what they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from spot_relay.domain.sagemaker.job import attempt_name, canary_name, parse_attempt_name, parse_canary_name
from spot_relay.domain.shown.report import LOG_GROUP
from spot_relay_client.errors import ConflictError, NoSuchRunError, RefusedError, UnreachableError
from spot_relay_client.sagemaker import answers, listing, log_streams
from spot_relay_client.sagemaker.errors import refuse_creation, refuse_stop
from spot_relay_client.sagemaker.specs import is_of_call, is_routed, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# As botocore names services in its events, and operations in its models.
ROUTED: Final = {
    "sagemaker": ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "ListTrainingJobs", "ListTags"),
    "cloudwatch-logs": ("DescribeLogStreams", "GetLogEvents"),
}
_PAGE: Final = 100
_TRAINING_JOB: Final = ":training-job/"


class Runs(Protocol):
    """What the router needs of a stack's `Api`."""

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]: ...
    def show(self, run: str) -> dict[str, Any]: ...
    def stop(self, run: str) -> dict[str, Any]: ...
    def list(self, *, limit: int | None = None, token: str | None = None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Call:
    """A call of one of the operations in `ROUTED`."""

    operation: str
    request: Mapping[str, Any]
    """The request as in JSON."""
    id: str
    """A text of this call's own, which its retries share."""
    aws: Callable[[], Any]
    """Returns a client of the same service that calls AWS itself, with the rights of whoever calls."""


class Router:
    """Answers the calls that concern the runs of one stack.

    ``runs`` finds the stack, and is called only when a call may concern a run.
    """

    def __init__(self, runs: Callable[[], Runs], policy: Mapping[str, Any], *, all_jobs: bool) -> None:
        self._runs = runs
        self._policy = policy
        self._all_jobs = all_jobs
        self._operations: Mapping[str, Callable[[Call], dict[str, Any] | None]] = {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": self._describe,
            "StopTrainingJob": self._stop,
            "ListTrainingJobs": self._list,
            "ListTags": self._list_tags,
            "DescribeLogStreams": self._describe_log_streams,
            "GetLogEvents": self._get_log_events,
        }

    def answer(self, call: Call) -> dict[str, Any] | None:
        """Return the answer to a call as in JSON, or None if the call concerns no run and is for AWS.

        Raises ServiceError for what SageMaker would refuse, and SpotRelayError if the stack cannot be found or used.
        """
        return self._operations[call.operation](call)

    def _create(self, call: Call) -> dict[str, Any] | None:
        if not is_routed(call.request, all_jobs=self._all_jobs):
            return None
        spec, runs = spec_of(call.request, self._policy, call.id), self._runs()
        try:
            run = runs.submit(spec)
        except UnreachableError as error:
            # Its answer may be all that was lost.
            run = self._find_made(spec["name"], call.id, error)
        except RefusedError as error:
            raise refuse_creation(error, spec["name"]) from error
        return {"TrainingJobArn": run["training_job_arn"]}

    def _find_made(self, name: str, call: str, otherwise: UnreachableError) -> dict[str, Any]:
        """Return the run that a call has made; raise an error if it made none."""
        try:
            run = self._find(name)
        except UnreachableError:
            raise otherwise from None
        if run is None or not is_of_call(run, call):
            raise otherwise
        return run

    def _describe(self, call: Call) -> dict[str, Any] | None:
        run = self._find(call.request.get("TrainingJobName"))
        return answers.describe(run) if run else None

    def _stop(self, call: Call) -> dict[str, Any] | None:
        try:
            self._runs().stop(call.request["TrainingJobName"])
        except NoSuchRunError:
            return None
        except ConflictError as error:
            raise refuse_stop(error) from error
        return {}

    def _list(self, call: Call) -> dict[str, Any] | None:
        runs = self._runs()
        found = listing.read_all(lambda token: runs.list(limit=_PAGE, token=token))
        if not found:
            return None
        names = [run["run_id"] for run in found]
        some_arn = runs.show(names[0])["training_job_arn"]
        return listing.list_jobs(
            call.request,
            listing.summarize_all(found, some_arn),
            lambda wanted: _as_in_json(call.aws().list_training_jobs(**wanted)),
            lambda job: _is_of_any(job, names),
        )

    def _list_tags(self, call: Call) -> dict[str, Any] | None:
        arn = call.request.get("ResourceArn", "")
        run = self._find(arn.partition(_TRAINING_JOB)[2])
        return {"Tags": answers.tags_of(run)} if run and run["training_job_arn"] == arn.lower() else None

    def _describe_log_streams(self, call: Call) -> dict[str, Any] | None:
        name, slash, _host = call.request.get("logStreamNamePrefix", "").partition("/")
        run = self._find(name) if slash and _names_log_group(call.request) else None
        if run is None:
            return None
        return log_streams.describe_streams(name, log_streams.find_streams(call.aws(), run), call.request)

    def _get_log_events(self, call: Call) -> dict[str, Any] | None:
        named = log_streams.run_of_stream(call.request.get("logStreamName", ""))
        run = self._find(named[0]) if named and _names_log_group(call.request) else None
        if named is None or run is None:
            return None
        return log_streams.read_events(call.aws(), run, named[1], call.request)

    def _find(self, name: str | None) -> dict[str, Any] | None:
        """Return the run of a name, or None if there is none."""
        if not name:
            return None
        try:
            return self._runs().show(name)
        except NoSuchRunError:
            return None


def _is_of_any(job: str, runs: list[str]) -> bool:
    """Whether a job is an attempt or a canary of one of the runs."""
    for parse, build in ((parse_attempt_name, attempt_name), (parse_canary_name, canary_name)):
        if (parsed := parse(job)) is not None:
            return any(build(run, parsed[1]).lower() == job.lower() for run in runs)
    return False


def _names_log_group(request: Mapping[str, Any]) -> bool:
    """Whether a request is about the log group of training jobs."""
    group: str = request.get("logGroupName") or request.get("logGroupIdentifier", "")
    return group == LOG_GROUP or group.endswith(f":log-group:{LOG_GROUP}")


def _as_in_json(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of ListTrainingJobs with its times as in JSON."""
    jobs = [
        {name: value.timestamp() if isinstance(value, datetime) else value for name, value in job.items()}
        for job in answer["TrainingJobSummaries"]
    ]
    return answer | {"TrainingJobSummaries": jobs}
