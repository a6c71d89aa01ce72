"""`api`, handed its documents and what users get wrong."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.prices import DynamoDBPrices
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from tests.integration.runs import a_run
from tests.integration.stack import ROOT, SPEC, TABLE, document, spec

if TYPE_CHECKING:
    from tests.integration.stack import Stack

LONG = {"train_seconds": 90_000}


def fill(stack: Stack) -> list[str]:
    """Keep twelve runs of every status, each a minute younger than the one before; give their ids, newest first."""
    store, now = DynamoDBRunStore(stack.client("dynamodb"), TABLE), stack.clock()
    for number in range(12):
        status = list(RunStatus)[number % 6]
        store.create(a_run(f"run-{number:02d}", now + timedelta(minutes=number), status=status))
    return [f"run-{number:02d}" for number in reversed(range(12))]


def test_a_posted_spec_becomes_a_run_with_one_job_and_posted_again_it_is_the_same_run(stack: Stack) -> None:
    code, first = stack.call("create-run")
    assert (code, first["run_id"], first["status"]) == (202, "churn", "InProgress")
    assert first["budgets"]["expired_waits"] == SPEC["policy"]["budgets"]["expired_waits"]
    assert stack.call("create-run") == (202, first | {"created": False})
    assert first.pop("created") is True
    assert stack.status() == first
    assert stack.aws.simulator.calls("CreateTrainingJob") == [("churn-relay-01", "ok")]


def test_a_spec_posted_again_after_its_run_has_ended_is_answered_with_when_that_was(stack: Stack) -> None:
    stack.call("create-run")
    stack.clock.passes(60)
    stack.observe("completed")
    stack.clock.passes(60)
    code, run = stack.call("create-run")
    assert (code, run["status"], run.pop("created")) == (202, "Completed", False)
    assert run.pop("notice") == (
        f"This spec was submitted before, and its run churn has been Completed since {run['ended_at']}. Nothing was "
        "launched. To train again, submit it under another name."
    )
    assert run == stack.status()
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_a_run_is_found_by_its_name_in_any_case(stack: Stack) -> None:
    stack.call("create-run", {**SPEC, "name": "Churn"})
    assert stack.call("get-run") == (200, stack.status("Churn"))
    code, error = stack.call("create-run", SPEC)
    assert (code, error["code"]) == (409, "NameConflict")
    assert stack.call("stop-run")[1]["run_id"] == "Churn"


def test_a_body_in_base64_is_read_too(stack: Stack) -> None:
    code, run = stack.call("create-run", base64.b64encode(json.dumps(SPEC).encode()).decode(), isBase64Encoded=True)
    assert (code, run["run_id"]) == (202, "churn")


def test_a_run_from_s3_and_from_the_api_is_one_run(stack: Stack) -> None:
    stack.submit()
    code, run = stack.call("create-run")
    assert (code, run["created"]) == (202, False)
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_another_spec_of_a_taken_name_is_a_conflict(stack: Stack) -> None:
    stack.call("create-run")
    code, error = stack.call("create-run", spec(HyperParameters={"num_round": "1"}))
    assert (code, error["code"], error["details"]) == (409, "NameConflict", [])
    assert "churn" in error["message"]


def test_a_bad_spec_is_refused_with_every_problem_and_its_path(stack: Stack) -> None:
    code, error = stack.call("create-run", spec(RoleArn="arn:aws:iam::000000000000:role/admin", Enviroment={"A": "b"}))
    assert (code, error["code"]) == (400, "InvalidSpec")
    assert {detail["path"] for detail in error["details"]} == {"training_job.RoleArn", "training_job.Enviroment"}
    assert error["message"] == "The document has 2 problems."
    assert all(detail["message"] for detail in error["details"])
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


@pytest.mark.parametrize("body", ["", "{", "null", "[]", json.dumps({"name": "x" * 262_144})])
def test_a_body_that_is_no_spec_is_refused(stack: Stack, body: str) -> None:
    code, error = stack.call("create-run", body)
    assert (code, error["code"], len(error["details"])) == (400, "InvalidSpec", 1)


def test_a_call_without_a_body_is_refused(stack: Stack) -> None:
    answer = stack.invoke("api", document("api/create-run") | {"body": None})
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "InvalidSpec")


def test_a_run_is_shown_as_its_status_document_shows_it(stack: Stack) -> None:
    stack.submit()
    assert stack.call("get-run") == (200, stack.status())


def test_a_run_shows_what_was_submitted_without_secrets_and_where_its_jobs_logs_and_model_are(stack: Stack) -> None:
    given = {"HyperParameters": {"num_round": "9", "api_key": "hunter2"}, "Tags": [{"Key": "team", "Value": "growth"}]}
    stack.call("create-run", spec(**given))
    stack.clock.passes(60)
    stack.observe("completed")
    run = stack.call("get-run")[1]
    submitted = spec(**given)["training_job"]
    assert run["training_job"] == submitted | {"HyperParameters": {"num_round": "9", "api_key": "[hidden]"}}
    assert run["tags"] == given["Tags"]
    job = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    [attempt] = run["attempts"]
    assert run["training_job_arn"] == job["TrainingJobArn"].removesuffix("-relay-01")
    assert attempt["job_arn"] == job["TrainingJobArn"]
    assert run["model_artifacts"] == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert (run["log_group"], attempt["log_stream_prefix"]) == ("/aws/sagemaker/TrainingJobs", "churn-relay-01/")
    assert [(one["status"], one["message"]) for one in attempt["transitions"]] == [
        (one["Status"], one["StatusMessage"]) for one in job["SecondaryStatusTransitions"]
    ]
    assert attempt["transitions"][-1]["status"] == "Completed"


def test_a_run_that_has_not_completed_shows_no_model(stack: Stack) -> None:
    stack.call("create-run")
    assert stack.call("get-run")[1]["model_artifacts"] is None


def test_a_listing_holds_the_runs_of_the_status_asked_for(stack: Stack) -> None:
    fill(stack)
    code, page = stack.call("list-runs")
    assert code == 200
    assert [run["run_id"] for run in page["runs"]] == ["run-07", "run-01"]
    assert {run["status"] for run in page["runs"]} == {"InProgress"}
    assert page["next_token"] is None
    assert set(page["runs"][0]) == {"run_id", "status", "reason", "attempts", "created_at", "updated_at"}


@pytest.mark.parametrize("limit", [1, 5, 12, 100])
def test_a_listing_is_paged_newest_first_over_all_statuses(stack: Stack, limit: int) -> None:
    newest_first = fill(stack)
    found: list[str] = []
    query = {"limit": str(limit)}
    while True:
        code, page = stack.call("list-runs", query=query)
        assert code == 200
        assert 0 < len(page["runs"]) <= limit
        found += [run["run_id"] for run in page["runs"]]
        if page["next_token"] is None:
            break
        query["token"] = page["next_token"]
    assert found == newest_first


def test_a_listing_of_no_runs_is_empty(stack: Stack) -> None:
    assert stack.call("list-runs", query={}) == (200, {"runs": [], "next_token": None})


@pytest.mark.parametrize(
    "query",
    [
        {"status": "Running"},
        {"status": ""},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "ten"},
        {"limit": "-1"},
        {"limit": "٣"},
        {"token": "yesterday"},
        {"token": "2025-06-03T09:14:00.000000Z#churn\n"},
        {"page": "2"},
    ],
)
def test_a_query_that_cannot_be_used_is_refused_and_named(stack: Stack, query: dict[str, str]) -> None:
    code, error = stack.call("list-runs", query=query)
    assert (code, error["code"], error["details"]) == (400, "InvalidQuery", [])
    assert next(iter(query)) in error["message"]


def test_a_stop_is_accepted_passed_on_and_final(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(60)
    code, run = stack.call("stop-run")
    assert (code, run["status"], run["stop_requested"]) == (202, "Stopping", True)
    assert stack.call("stop-run")[0] == 202
    assert stack.aws.simulator.calls("StopTrainingJob") == [("churn-relay-01", "ok")]
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    assert stack.status()["status"] == "Stopped"
    assert stack.status()["reason"] == "Stopped by request."
    assert stack.call("stop-run") == (202, stack.status())


def test_a_run_is_moved_on_demand_and_continues_from_its_newest_checkpoint(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.checkpoint()
    stack.clock.passes(60)
    code, run = stack.call("resume-run", {"market": "on-demand"}, path="/runs/churn/move")
    assert (code, run["status"]) == (202, "InProgress")
    assert run["reason"] == "A move to on-demand was requested. Stopping churn-relay-01 to continue on-demand."
    assert stack.call("resume-run", {"market": "on-demand"}, path="/runs/churn/move") == (code, run)
    assert stack.aws.simulator.calls("StopTrainingJob") == [("churn-relay-01", "ok")]
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    attempt = stack.status()["attempts"][1]
    assert (attempt["cause"], attempt["placement"]["market"]) == ("Moved", "on-demand")
    assert attempt["resumes_from"]["key"] == "checkpoints/churn/xgboost-checkpoint.7"
    job = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-02")
    assert not job.get("EnableManagedSpotTraining")


def test_a_deadline_is_set_changed_and_removed_and_one_that_cannot_be_met_is_refused(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(60)

    def ask(**body: Any) -> tuple[int, dict[str, Any]]:
        return stack.call("resume-run", body, path="/runs/churn/deadline")

    assert ask(deadline="P2D")[1]["message"].startswith("The run has no deadline yet.")
    code, run = ask(deadline="P2D", expected_runtime="PT2H")
    assert (code, run["deadline"]["expected_runtime_seconds"]) == (202, 7200)
    code, error = ask(deadline="PT2H")
    assert (code, error["code"]) == (409, "Rejected")
    assert "cannot be met, even on-demand" in error["message"]
    assert stack.call("get-run")[1] == run
    code, run = ask(deadline=None)
    assert (code, run["deadline"]) == (202, None)
    code, error = ask(deadline=None, expected_runtime="PT2H")
    assert (code, error["details"][0]["path"]) == (400, "expected_runtime")


def test_a_stopped_run_is_resumed_with_its_next_attempt_from_its_newest_checkpoint(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.checkpoint()
    stack.clock.passes(60)
    stack.call("stop-run")
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    code, run = stack.call("resume-run")
    assert (code, run["status"], run["ended_at"]) == (202, "InProgress", None)
    assert run["attempts"][1]["resumes_from"]["key"] == "checkpoints/churn/xgboost-checkpoint.7"
    assert stack.aws.simulator.created() == ["churn-relay-01", "churn-relay-02"]


def test_a_stop_of_a_completed_run_and_the_resume_of_an_open_one_are_rejected(stack: Stack) -> None:
    stack.submit()
    code, error = stack.call("resume-run")
    assert (code, error["code"]) == (409, "Rejected")
    assert "InProgress" in error["message"]
    stack.clock.passes(60)
    stack.observe("completed")
    code, error = stack.call("stop-run")
    assert (code, error["code"]) == (409, "Rejected")
    assert "Completed" in error["message"]
    assert stack.call("resume-run")[0] == 409


def failed(stack: Stack) -> None:
    """Let the run of the story fail because it has no second try, and leave a checkpoint."""
    reason = "CapacityError: Unable to provision requested ML compute capacity."
    fails = {"name": "churn-relay-01", "fail": {"reason": reason, "phase": "Starting"}}
    stack.aws.simulator.play(rules=[fails], default=LONG)
    policy = {"budgets": {"capacity_failures": 0, "expired_waits": 5}}
    stack.call("create-run", spec() | {"policy": policy})
    stack.checkpoint()
    stack.clock.passes(60)
    stack.observe("capacity-error")
    assert "policy.budgets.capacity_failures" in stack.run().reason


def test_a_failed_run_is_resumed_with_the_budgets_that_are_raised_and_the_others_as_they_were(stack: Stack) -> None:
    failed(stack)
    code, run = stack.call("resume-run", {"budgets": {"capacity_failures": 3}})
    assert (code, run["status"], run["spent"]["capacity_failures"]) == (202, "InProgress", 0)
    assert (run["budgets"]["capacity_failures"], run["budgets"]["expired_waits"]) == (3, 5)
    assert [attempt["cause"] for attempt in run["attempts"]] == ["Submitted", "Resumed"]
    assert run["attempts"][1]["resumes_from"]["key"] == "checkpoints/churn/xgboost-checkpoint.7"
    assert stack.call("get-run") == (200, run)


def test_a_failed_run_is_resumed_with_a_deadline_that_counts_from_now(stack: Stack) -> None:
    failed(stack)
    body = {"deadline": "PT2H", "expected_runtime": "PT30M", "return_to_spot": "blind"}
    code, run = stack.call("resume-run", body)
    assert code == 202
    assert run["deadline"] == {
        "at": "2025-06-03T11:15:00.000Z",
        "expected_runtime_seconds": 1800,
        "progress_seconds": 0,
        "return_to_spot": "blind",
        "pace": 0.8,
        "reserve_seconds": 1500,
        "on_demand_from": "2025-06-03T10:20:00.000Z",
    }
    assert (run["next"]["action"], run["next"]["at"]) == ("go_on_demand", "2025-06-03T10:20:00.000Z")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"budgets": {"capacity_failures": -1}}, {"budgets.capacity_failures"}),
        ({"budgets": {"capacity_failure": 3, "money_usd": "5"}}, {"budgets.capacity_failure", "budgets.money_usd"}),
        ({"ladder": [], "budget": {}}, {"ladder", "budget"}),
        ({"deadline": "tomorrow"}, {"deadline"}),
        ({"training_job": {}}, {"training_job"}),
        ("[]", {""}),
        ("{", {""}),
    ],
    ids=["negative", "unknown and text", "unknown keys", "no deadline", "a training job", "a list", "no JSON"],
)
def test_a_resumption_that_cannot_be_read_is_refused_with_every_problem_and_its_path(
    stack: Stack, body: dict[str, object] | str, paths: set[str]
) -> None:
    failed(stack)
    before = stack.run()
    code, error = stack.call("resume-run", body)
    assert (code, error["code"]) == (400, "InvalidSpec")
    assert {detail["path"] for detail in error["details"]} == paths
    assert all(detail["message"] for detail in error["details"])
    assert stack.run() == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"deadline": "PT1M", "expected_runtime": "PT30M"}, "cannot be met"),
        ({"expected_runtime": "PT30M"}, "The run has no deadline"),
        ({"budgets": {"money_usd": 100}}, "the stack had no price list when the run was submitted"),
    ],
    ids=repr,
)
def test_a_resumption_that_the_run_cannot_have_is_rejected_and_changes_nothing(
    stack: Stack, body: dict[str, object], said: str
) -> None:
    failed(stack)
    before = stack.run()
    code, error = stack.call("resume-run", body)
    assert (code, error["code"]) == (409, "Rejected")
    assert said in error["message"]
    assert stack.run() == before


def test_a_run_is_shown_with_its_decisions_and_what_it_cost(stack: Stack) -> None:
    price_list = PriceList("a price list", stack.clock(), {"ml.m5.xlarge": Price(on_demand_usd=3600, spot_usd=900)})
    DynamoDBPrices(stack.client("dynamodb"), TABLE, "us-east-1").write(price_list)
    stack.aws.simulator.play(default={"train_seconds": 100, "billable_share": 0.25})
    stack.submit()
    stack.clock.passes(600)
    stack.observe("completed")
    code, run = stack.call("get-run")
    assert code == 200
    assert [(decision["observation"], decision["times"]) for decision in run["decisions"]] == [
        ("Launched", 1),
        ("JobChanged", 1),
    ]
    assert run["decisions"][-1]["reason"] == run["reason"]
    assert [decision["at"] for decision in run["decisions"]] == ["2025-06-03T09:14:00.000Z", "2025-06-03T09:24:00.000Z"]
    # 3600 USD an hour are a dollar a second.
    assert (run["cost_usd"], run["on_demand_cost_usd"]) == (run["billable_seconds"], run["training_seconds"])
    assert 0 < run["cost_usd"] < run["on_demand_cost_usd"]
    assert (run["wasted_usd"], run["wasted_seconds"]) == (0, 0)
    assert run["prices"] == {"source": "a price list", "as_of": "2025-06-03T09:14:00.000Z"}


def test_a_run_of_a_stack_without_prices_is_shown_without_costs(stack: Stack) -> None:
    stack.submit()
    run = stack.call("get-run")[1]
    assert [run[key] for key in ("cost_usd", "on_demand_cost_usd", "wasted_usd", "prices")] == [None] * 4


@pytest.mark.parametrize("name", ["get-run", "stop-run", "resume-run"])
def test_a_run_that_does_not_exist_is_not_found(stack: Stack, name: str) -> None:
    code, error = stack.call(name)
    assert (code, error["code"], error["details"]) == (404, "NoSuchRun", [])
    assert "There is no run churn" in error["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/jobs"), ("DELETE", "/runs/churn"), ("POST", "/runs/churn/start")]
)
def test_a_route_that_does_not_exist_is_not_found_and_the_routes_are_named(
    stack: Stack, method: str, path: str
) -> None:
    code, error = stack.call("get-run", httpMethod=method, path=path)
    assert (code, error["code"], error["details"]) == (404, "NoSuchRoute", [])
    assert "POST /runs/{id}/stop" in error["message"]


@pytest.mark.parametrize("run_id", ["%2e%2e", "a b", "x" * 2000, "churn%2Fstop", "é"])
def test_a_run_id_of_any_shape_is_answered_with_not_found(stack: Stack, run_id: str) -> None:
    code, error = stack.call("get-run", path=f"/runs/{run_id}")
    assert (code, set(error)) == (404, {"code", "message", "details"})


def test_a_fault_of_ours_is_told_without_its_inside(stack: Stack) -> None:
    stack.client("dynamodb").delete_table(TableName=TABLE)
    code, error = stack.call("get-run")
    assert (code, error["code"], error["details"]) == (500, "InternalError", [])
    assert "Table" not in error["message"]


def test_every_document_for_the_api_is_called_here() -> None:
    names = {path.stem for path in (ROOT / "events" / "api").glob("*.json")}
    assert names == {"create-run", "get-run", "list-runs", "resume-run", "stop-run"}
