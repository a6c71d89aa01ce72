"""ListTrainingJobs with runs among the training jobs of the account: each run once, its attempts not at all."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from spot_relay_client.sagemaker.answers import summarize
from spot_relay_client.sagemaker.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEFAULT_SIZE: Final = 10
_NOT_OF_RUNS: Final = ("WarmPoolStatusEquals", "TrainingPlanArnEquals")
_MEMBERS: Final = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}

Summary = dict[str, Any]


@dataclass(frozen=True)
class _Position:
    """Where a page begins: in which page of SageMaker's, after how many of its jobs, and after which run."""

    theirs: str | None = None
    jobs: int = 0
    run: tuple[Any, str] | None = None


@dataclass(frozen=True)
class _Order:
    member: str
    descending: bool

    def key(self, entry: Summary) -> tuple[Any, str]:
        return entry[self.member], entry["TrainingJobName"]

    def is_after(self, entry: Summary, run: tuple[Any, str] | None) -> bool:
        return run is None or (self.key(entry) < run if self.descending else self.key(entry) > run)

    def comes_first(self, run: Summary, job: Summary) -> bool:
        """Whether a run belongs before a job. Among equals, SageMaker's own order is not known, and not disturbed."""
        first, second = run[self.member], job[self.member]
        return bool(first > second if self.descending else first < second)


def list_jobs(
    request: Mapping[str, Any],
    runs: Iterable[Summary],
    fetch: Callable[[Mapping[str, Any]], dict[str, Any]],
    is_hidden: Callable[[str], bool],
) -> dict[str, Any]:
    """Return a page of training jobs and of runs, merged in the order that the request asks for.

    ``runs`` are all runs, as `summarize` returns them. ``fetch`` calls SageMaker. ``is_hidden`` says of the name of a
    job whether it belongs to a run.
    """
    at = _read_token(request.get("NextToken"))
    own = {name: value for name, value in request.items() if name != "NextToken"}
    page = fetch(own | ({"NextToken": at.theirs} if at.theirs else {}))
    jobs, following = page["TrainingJobSummaries"], page.get("NextToken")
    order = _order_of(request, jobs)
    wanted = (run for run in runs if _matches(run, request) and order.is_after(run, at.run))
    waiting = sorted(wanted, key=order.key, reverse=order.descending)
    shown: list[Summary] = []
    size, place, last = request.get("MaxResults", _DEFAULT_SIZE), at.jobs, at.run
    while len(shown) < size:
        job = jobs[place] if place < len(jobs) else None
        # Once the page is through, only its successor says which runs come next.
        if waiting and (order.comes_first(waiting[0], job) if job is not None else not following):
            last = order.key(waiting[0])
            shown.append(waiting.pop(0))
        elif job is not None:
            place += 1
            shown += [] if is_hidden(job["TrainingJobName"]) else [job]
        else:
            break
    answer: dict[str, Any] = {"TrainingJobSummaries": shown}
    if place >= len(jobs) and following:
        answer["NextToken"] = _write_token(_Position(following, 0, last))
    elif place < len(jobs) or waiting:
        answer["NextToken"] = _write_token(_Position(at.theirs, place, last))
    return answer


def read_all(read_page: Callable[[str | None], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the API lists of all runs, read page by page."""
    found: list[dict[str, Any]] = []
    token = None
    while True:
        page = read_page(token)
        found += page["runs"]
        token = page["next_token"]
        if token is None:
            return found


def summarize_all(runs: Iterable[Mapping[str, Any]], some_arn: str) -> list[Summary]:
    """Return the entries of runs; ``some_arn`` is the ARN of any training job of the account."""
    beginning = some_arn.rpartition("/")[0]
    return [summarize(run, f"{beginning}/{run['run_id'].lower()}") for run in runs]


def _order_of(request: Mapping[str, Any], jobs: list[Summary]) -> _Order:
    member = _MEMBERS.get(request.get("SortBy", ""), "CreationTime")
    # Without a wish, SageMaker's order is what its page shows.
    by_itself = "SortOrder" not in request and bool(jobs) and jobs[0][member] > jobs[-1][member]
    return _Order(member, by_itself or request.get("SortOrder") == "Descending")


def _matches(run: Summary, request: Mapping[str, Any]) -> bool:
    return (
        not any(name in request for name in _NOT_OF_RUNS)
        and request.get("NameContains", "").lower() in run["TrainingJobName"].lower()
        and request.get("StatusEquals", run["TrainingJobStatus"]) == run["TrainingJobStatus"]
        and all(_within(run[member], member, request) for member in ("CreationTime", "LastModifiedTime"))
    )


def _within(moment: float, member: str, request: Mapping[str, Any]) -> bool:
    after, before = request.get(f"{member}After"), request.get(f"{member}Before")
    return (after is None or moment > after) and (before is None or moment < before)


def _write_token(at: _Position) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.theirs, at.jobs, at.run]).encode()).decode()


def _read_token(text: str | None) -> _Position:
    if not text:
        return _Position()
    try:
        theirs, jobs, run = json.loads(base64.urlsafe_b64decode(text))
        return _Position(theirs, int(jobs), (run[0], run[1]) if run is not None else None)
    except (ValueError, TypeError, LookupError) as error:
        raise ServiceError("ValidationException", "Invalid NextToken") from error
