"""ListTrainingJobs shows runs among other training jobs, in SageMaker's order and pages."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay_client.sagemaker.errors import ServiceError
from spot_relay_client.sagemaker.listing import list_jobs
from tests.thoroughness import examples

STATUSES = ("Completed", "Failed", "InProgress")


def entry(name: str, at: float, status: str = "Completed") -> dict[str, Any]:
    return {"TrainingJobName": name, "CreationTime": at, "LastModifiedTime": at, "TrainingJobStatus": status}


class Account:
    """Training jobs of SageMaker, listed in an order that is its own where entries are equal."""

    def __init__(self, jobs: list[dict[str, Any]]) -> None:
        self.jobs = jobs

    def fetch(self, request: Any) -> dict[str, Any]:
        member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(request.get("SortBy"), "CreationTime")
        descending = request.get("SortOrder") == "Descending"
        jobs = sorted(self.jobs, key=lambda job: job[member], reverse=descending)
        first, size = int(request.get("NextToken", "0")), request.get("MaxResults", 10)
        following = {"NextToken": str(first + size)} if first + size < len(jobs) else {}
        return {"TrainingJobSummaries": jobs[first : first + size], **following}


def read_all(request: dict[str, Any], runs: list[dict[str, Any]], account: Account) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    token: dict[str, Any] = {}
    while True:
        answer = list_jobs(request | token, runs, account.fetch, lambda name: "-relay-" in name)
        pages.append(answer["TrainingJobSummaries"])
        if "NextToken" not in answer:
            return pages
        token = {"NextToken": answer["NextToken"]}


@examples(200)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 5)),
    by=st.sampled_from([None, "Name", "Status", "CreationTime"]),
    order=st.sampled_from(["Ascending", "Descending"]),
)
def test_every_run_and_every_other_job_is_listed_once_and_in_order(
    seed: int, sizes: tuple[int, int, int], by: str | None, order: str
) -> None:
    random = Random(seed)  # noqa: S311
    names = [f"{random.choice('abc')}{number}" for number in range(sizes[0] + sizes[1])]
    entries = [entry(name, random.randint(1, 9), random.choice(STATUSES)) for name in names]
    jobs, runs = entries[: sizes[0]], entries[sizes[0] :]
    attempts = [entry(f"{run['TrainingJobName']}-relay-01", random.randint(1, 9)) for run in runs]
    shuffled = random.sample(jobs + attempts, len(jobs + attempts))
    request = {"MaxResults": sizes[2], "SortOrder": order} | ({"SortBy": by} if by else {})
    pages = read_all(request, runs, Account(shuffled))
    assert all(len(page) <= sizes[2] for page in pages)
    found = [each for page in pages for each in page]
    assert sorted(each["TrainingJobName"] for each in found) == sorted(names)
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(by or "", "CreationTime")
    values = [each[member] for each in found]
    assert all(a <= b if order == "Ascending" else a >= b for a, b in pairwise(values))


def test_without_a_wish_the_order_is_that_of_sagemakers_page() -> None:
    newest_first = {"TrainingJobSummaries": [entry("c", 3), entry("a", 1)]}
    answer = list_jobs({}, [entry("b", 2), entry("d", 4)], lambda _: newest_first, lambda _: False)
    assert [each["TrainingJobName"] for each in answer["TrainingJobSummaries"]] == ["d", "c", "b", "a"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"NameContains": "CHU"}, True),
        ({"NameContains": "x"}, False),
        ({"StatusEquals": "Completed"}, True),
        ({"StatusEquals": "Failed"}, False),
        ({"CreationTimeAfter": 4}, True),
        ({"CreationTimeAfter": 5}, False),
        ({"LastModifiedTimeBefore": 6}, True),
        ({"LastModifiedTimeBefore": 5}, False),
        ({"WarmPoolStatusEquals": "InUse"}, False),
    ],
)
def test_the_filters_hold_for_runs(wanted: dict[str, Any], found: bool) -> None:
    answer = list_jobs(wanted, [entry("churn", 5)], lambda _: {"TrainingJobSummaries": []}, lambda _: False)
    assert bool(answer["TrainingJobSummaries"]) is found


@pytest.mark.parametrize("token", ["x", "e30=", "WzEsMiwzXQ=="])
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match="NextToken"):
        list_jobs({"NextToken": token}, [], lambda _: {"TrainingJobSummaries": []}, lambda _: False)
