"""A dry run over the API: what would happen to a spec, and that nothing of it does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.prices import DynamoDBPrices
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.prices import Price, PriceList
from tests.integration.runs import a_run, waiting
from tests.integration.stack import CHECKPOINTS, SPEC, TABLE, spec

if TYPE_CHECKING:
    from tests.integration.stack import Stack

DRY = {"dry_run": "true"}


def dry_run(stack: Stack, document: Any = SPEC) -> dict[str, Any]:
    code, answer = stack.call("create-run", document, DRY)
    assert code == 200
    assert set(answer) == {"problems", "warnings", "plan"}
    return answer


def everything(stack: Stack) -> list[dict[str, Any]]:
    """All items of the table."""
    items: list[dict[str, Any]] = stack.client("dynamodb").scan(TableName=TABLE)["Items"]
    return sorted(items, key=lambda item: item["id"]["S"])


def test_a_dry_run_stores_claims_and_launches_nothing(stack: Stack) -> None:
    answer = dry_run(stack)
    assert answer["problems"] == []
    assert answer["plan"]["run_id"] == "churn"
    assert everything(stack) == []
    assert stack.aws.simulator.created() == []
    assert "Contents" not in stack.client("s3").list_objects_v2(Bucket="spot-relay-specs-000000000000-us-east-1")


def test_a_spec_can_be_submitted_after_its_dry_run(stack: Stack) -> None:
    dry_run(stack)
    assert stack.call("create-run")[0] == 202
    assert stack.call("create-run", SPEC, {"dry_run": "false"})[0] == 202
    assert stack.aws.simulator.created() == ["churn-relay-01"]


@pytest.mark.parametrize("query", [{"dry_run": "1"}, {"dry_run": ""}, {"dry_run": "True"}, {"dryrun": "true"}])
def test_a_query_that_is_not_understood_submits_nothing(stack: Stack, query: dict[str, str]) -> None:
    code, error = stack.call("create-run", SPEC, query)
    assert (code, error["code"]) == (400, "InvalidQuery")
    assert everything(stack) == []


def test_all_problems_of_a_bad_spec_are_answered_and_it_has_no_plan(stack: Stack) -> None:
    bad = spec(RoleArn="arn:aws:iam::000000000000:role/admin", Enviroment={"A": "b"})
    answer = dry_run(stack, bad)
    assert {problem["path"] for problem in answer["problems"]} == {"training_job.RoleArn", "training_job.Enviroment"}
    assert answer["plan"] is None
    code, error = stack.call("create-run", bad)
    assert (code, error["details"]) == (400, answer["problems"])


@pytest.mark.parametrize("body", ["", "{", "null", "[]"])
def test_a_body_that_is_no_spec_is_a_problem(stack: Stack, body: str) -> None:
    answer = dry_run(stack, body)
    assert (len(answer["problems"]), answer["warnings"], answer["plan"]) == (1, [], None)


def test_a_deadline_that_cannot_be_met_is_a_problem(stack: Stack) -> None:
    policy = {"deadline": "PT2H", "expected_runtime": "PT3H"}
    job = SPEC["training_job"] | {
        "StoppingCondition": {"MaxRuntimeInSeconds": 20_000, "MaxWaitTimeInSeconds": 20_000},
    }
    answer = dry_run(stack, {"name": "churn", "training_job": job, "policy": policy})
    assert [problem["path"] for problem in answer["problems"]] == ["policy.deadline"]


def test_a_name_that_belongs_to_another_spec_is_a_problem_and_its_own_run_a_warning(stack: Stack) -> None:
    stack.call("create-run")
    before = everything(stack)
    same = dry_run(stack)
    assert same["problems"] == []
    assert [(w["rule"], w["path"]) for w in same["warnings"] if w["rule"] == "run-exists"] == [("run-exists", "name")]
    other = dry_run(stack, spec(HyperParameters={"num_round": "1"}))
    assert [problem["path"] for problem in other["problems"]] == ["name"]
    assert everything(stack) == before


@pytest.mark.parametrize("prefix", ["checkpoints/", "checkpoints/deep/", ""])
def test_a_checkpoint_prefix_of_another_open_run_is_a_problem(stack: Stack, prefix: str) -> None:
    taken = f"s3://{CHECKPOINTS}/team/checkpoints/"
    stack.call("create-run", spec(CheckpointConfig={"S3Uri": taken}))
    before = everything(stack)
    wanted = spec(CheckpointConfig={"S3Uri": f"s3://{CHECKPOINTS}/team/{prefix}"}) | {"name": "other"}
    answer = dry_run(stack, wanted)
    assert ["churn" in problem["message"] for problem in answer["problems"]] == [True]
    assert stack.call("create-run", wanted)[1]["code"] == "CheckpointPrefixTaken"
    assert everything(stack) == before


def test_lint_findings_are_warnings(stack: Stack) -> None:
    answer = dry_run(stack, spec(OutputDataConfig={"S3OutputPath": "s3://sagemaker-eu-west-1-000000000000/out"}))
    (warning,) = [w for w in answer["warnings"] if w["rule"] == "bucket-in-another-region"]
    assert warning["path"] == "training_job.OutputDataConfig.S3OutputPath"
    assert warning["page"] == "docs/lint.md#bucket-in-another-region"


def test_lint_looks_into_the_options_of_an_estimator(stack: Stack) -> None:
    options = {"role": SPEC["training_job"]["RoleArn"], "max_run": 500_000, "output_path": "s3://models"}
    answer = dry_run(stack, {"name": "churn", "estimator": options})
    assert [(w["rule"], w["path"]) for w in answer["warnings"]] == [("max-runtime-above-limit", "estimator.max_run")]


def test_a_plan_has_the_stacks_prices_limits_and_queue(stack: Stack) -> None:
    kind = SPEC["training_job"]["ResourceConfig"]["InstanceType"]
    stack.limit_attempts(f"{kind}=1")
    database = stack.client("dynamodb")
    DynamoDBPrices(database, TABLE, "us-east-1").write(PriceList("a list", stack.clock(), {kind: Price(0.5, 0.1)}))
    stack.call("create-run")
    store = DynamoDBRunStore(database, TABLE)
    first = replace(a_run("first", stack.clock()), reason="The quota has no room (1 of 1 in use, 1 needed).")
    store.create(waiting(first))
    store.create(waiting(a_run("second", stack.clock())))
    third = spec(CheckpointConfig={"S3Uri": f"s3://{CHECKPOINTS}/third/"}) | {"name": "third"}
    (placement, *_) = dry_run(stack, third)["plan"]["placements"]
    assert (placement["on_demand_usd_per_hour"], placement["spot_usd_per_hour"]) == (0.5, 0.1)
    assert placement["limit"] == {"limit": 1, "used": 1, "source": "the stack's parameter AttemptLimits"}
    assert (placement["queue"]["place"], placement["queue"]["waiting"]) == (3, 2)
    assert placement["queue"]["oldest"]["run_id"] == "first"
    assert "1 of 1 in use" in placement["queue"]["oldest"]["message"]


def test_a_run_that_waits_is_shown_with_its_place_in_the_queue(stack: Stack) -> None:
    kind = SPEC["training_job"]["ResourceConfig"]["InstanceType"]
    stack.limit_attempts(f"{kind}=1")
    database = stack.client("dynamodb")
    assert stack.call("create-run")[1]["queue"] is None
    assert stack.call("get-run")[1]["queue"] is None
    store = DynamoDBRunStore(database, TABLE)
    for name in ("first", "second"):
        store.create(waiting(a_run(name, stack.clock())))
    stack.clock.passes(60)
    third = spec(CheckpointConfig={"S3Uri": f"s3://{CHECKPOINTS}/third/"}) | {"name": "third"}
    status, shown = stack.call("create-run", third)
    assert (status, shown["queue"]["ahead"]) == (202, None)
    queue = stack.call("get-run", path="/runs/third")[1]["queue"]
    assert (queue["pool"], queue["ahead"]) == (f"{kind} (spot)", 2)


def test_a_dry_run_reads_no_secret_back(stack: Stack) -> None:
    secret = "hunter2-hunter2-hunter2"
    assert secret not in json.dumps(dry_run(stack, spec(HyperParameters={"api_key": secret})))
