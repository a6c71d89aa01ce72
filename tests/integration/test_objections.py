"""A valid spec that can't become a run, for its deadline, its money or its files, is refused at both doors."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.prices import DynamoDBPrices
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from tests.integration.stack import CHECKPOINTS, SPEC, TABLE, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.stack import Stack

REPORT = "errors/runs/churn.json.json"
# An hour of one instance, which is what the job of the story may run, costs a dollar, or 25 cents on spot.
PRICES = {"ml.m5.xlarge": Price(on_demand_usd=1, spot_usd=0.25)}


def with_policy(**policy: Any) -> dict[str, Any]:
    return spec() | {"policy": policy}


def sharded(count: int = 1) -> dict[str, Any]:
    """The training job of the story on so many instances, which share out the files of the channel `train`."""
    job: dict[str, Any] = copy.deepcopy(SPEC["training_job"])
    job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    job["ResourceConfig"]["InstanceCount"] = count
    return job


def priced(stack: Stack) -> None:
    store = DynamoDBPrices(stack.client("dynamodb"), TABLE, "us-east-1")
    store.write(PriceList("a price list", stack.clock(), PRICES))


def two_files(stack: Stack) -> None:
    stack.client("s3").create_bucket(Bucket=CHECKPOINTS)
    for name in ("a", "b"):
        stack.client("s3").put_object(Bucket=CHECKPOINTS, Key=f"train/{name}.csv", Body=b"1,2")


def nothing(stack: Stack) -> None:
    """The stack as it was deployed."""


@dataclass(frozen=True)
class Case:
    """A spec, what there is in the stack, and what is said against the spec, by its path."""

    spec: dict[str, Any]
    said: dict[str, str]
    before: Callable[[Stack], None] = nothing


LATE = {"deadline": "2025-06-03T09:53:00Z", "expected_runtime": "PT30M"}
LADDER: list[dict[str, Any]] = [
    {"instance_type": "ml.m5.xlarge"},
    {"instance_type": "ml.m5.xlarge", "instance_count": 3},
]
CASES = {
    "deadline": Case(
        with_policy(**LATE),
        {"policy.deadline": "The deadline 2025-06-03T09:53:00+00:00 cannot be met"},
    ),
    "money": Case(
        with_policy(budgets={"money_usd": 0.2}),
        {"policy.budgets.money_usd": "an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.2500 USD"},
        priced,
    ),
    "money without prices": Case(
        with_policy(budgets={"money_usd": 1000}),
        {"policy.budgets.money_usd": "the stack had no price list when the run was submitted"},
    ),
    "files": Case(
        spec() | {"training_job": sharded(3)},
        {"ResourceConfig.InstanceCount": "channel train has fewer objects under its prefix (2)"},
        two_files,
    ),
    "files of a rung": Case(
        {"name": "churn", "training_job": sharded(), "policy": {"ladder": LADDER}},
        {"policy.ladder[1].instance_count": "channel train has fewer objects under its prefix (2)"},
        two_files,
    ),
    "all": Case(
        {"name": "churn", "training_job": sharded(), "policy": {"ladder": LADDER, "budgets": {"money_usd": 1}, **LATE}},
        {
            "policy.ladder[1].instance_count": "Use fewer instances or more files.",
            "policy.deadline": "2025-06-03T09:54:00+00:00",
            "policy.budgets.money_usd": "the stack had no price list",
        },
        two_files,
    ),
}


def check(problems: list[dict[str, str]], case: Case) -> None:
    assert {problem["path"] for problem in problems} == set(case.said)
    for problem in problems:
        assert case.said[problem["path"]] in problem["message"]


@pytest.mark.parametrize("name", CASES)
def test_a_post_of_it_is_answered_with_every_objection_and_its_path(stack: Stack, name: str) -> None:
    case = CASES[name]
    case.before(stack)
    code, error = stack.call("create-run", case.spec)
    assert (code, error["code"]) == (400, "InvalidSpec")
    check(error["details"], case)
    problems = f"{len(case.said)} problem{'s' * (len(case.said) > 1)}"
    assert error["message"] == f"The document has {problems}."
    assert stack.find("churn") is None
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


@pytest.mark.parametrize("name", CASES)
def test_an_upload_of_it_is_reported_with_every_objection_and_its_path(stack: Stack, name: str) -> None:
    case = CASES[name]
    case.before(stack)
    assert stack.invoke("submit", stack.upload(json.dumps(case.spec))) == {"batchItemFailures": []}
    check(stack.object(REPORT)["errors"], case)
    assert stack.find("churn") is None
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


def test_what_was_refused_leaves_its_name_and_prefix_to_a_spec_that_is_mended(stack: Stack) -> None:
    assert stack.call("create-run", CASES["deadline"].spec)[0] == 400
    stack.invoke("submit", stack.upload(json.dumps(CASES["deadline"].spec)))
    assert stack.keys("errors/") == [REPORT]
    in_time = with_policy(**LATE | {"deadline": "2025-06-03T09:54:00Z"})
    assert stack.invoke("submit", stack.upload(json.dumps(in_time))) == {"batchItemFailures": []}
    assert stack.run().status is RunStatus.IN_PROGRESS
    assert stack.keys("errors/") == []


def test_an_affordable_deadline_with_a_file_for_each_instance_is_accepted(stack: Stack) -> None:
    priced(stack)
    two_files(stack)
    policy = {"ladder": [LADDER[0] | {"instance_count": 2}], "budgets": {"money_usd": 0.5}}
    code, run = stack.call("create-run", {"name": "churn", "training_job": sharded(), "policy": policy})
    assert (code, run["status"]) == (202, "InProgress")
    assert run["budgets"]["money_usd"] == 0.5


def test_files_that_may_not_be_counted_are_held_against_nobody(stack: Stack) -> None:
    code, run = stack.call("create-run", spec() | {"training_job": sharded(3)})
    assert (code, run["status"]) == (202, "InProgress")


def test_an_accepted_spec_that_comes_again_too_late_is_the_run_it_was(stack: Stack) -> None:
    in_time = with_policy(**LATE | {"deadline": "2025-06-03T10:14:00Z"})
    stack.aws.simulator.play(default={"train_seconds": 90_000})
    assert stack.call("create-run", in_time)[0] == 202
    stack.clock.passes(7200)
    code, run = stack.call("create-run", in_time)
    assert (code, run["run_id"], run["created_at"]) == (202, "churn", "2025-06-03T09:14:00.000Z")
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_a_taken_name_is_a_conflict_whatever_else_speaks_against_the_spec(stack: Stack) -> None:
    stack.submit()
    code, error = stack.call("create-run", CASES["deadline"].spec)
    assert (code, error["code"]) == (409, "NameConflict")
