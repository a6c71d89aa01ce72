"""Whole runs on the deployed template: what users do, and what SageMaker does to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from spot_relay_client.errors import ConflictError, InvalidSpecError, NoSuchRunError
from tests.e2e.relay import Relay, eventually, spec

FOREVER: dict[str, Any] = {"capacity": {"after": 0}, "train_seconds": 3600}


def test_an_uploaded_spec_becomes_a_run_that_completes_with_its_savings(relay: Relay) -> None:
    relay.rule("uploaded", capacity={"after": 0.2}, train_seconds=2, billable_share=0.5)
    relay.upload("runs/team/uploaded.yaml", yaml.safe_dump(spec("uploaded")).encode())
    document = relay.ends("uploaded")
    assert document["status"] == "Completed"
    assert document["savings_percent"] > 0
    assert [attempt["job_name"] for attempt in document["attempts"]] == ["uploaded-relay-01"]
    assert relay.read("errors/runs/team/uploaded.yaml.json") is None


def test_a_bare_request_posted_to_the_api_becomes_a_run_that_can_be_shown_and_listed(relay: Relay) -> None:
    relay.rule("posted", capacity={"after": 0}, train_seconds=0.5)
    request = {"TrainingJobName": "posted", **spec("posted")["training_job"]}
    assert relay.api.submit(request)["run_id"] == "posted"
    relay.ends("posted")
    assert relay.api.show("posted")["status"] == "Completed"
    listed = relay.api.list(status="Completed", limit=100)
    assert "posted" in [run["run_id"] for run in listed["runs"]]


def test_the_same_post_again_is_the_same_run_and_another_body_is_a_conflict(relay: Relay) -> None:
    relay.rule("again", **FOREVER)
    first, second = relay.api.submit(spec("again")), relay.api.submit(spec("again"))
    assert first["created_at"] == second["created_at"]
    with pytest.raises(ConflictError) as refused:
        relay.api.submit(spec("again", max_wait=99))
    assert refused.value.code == "NameConflict"
    assert relay.jobs("again") == ["again-relay-01"]


def test_the_api_tells_every_problem_of_a_spec_with_its_path(relay: Relay) -> None:
    bad = spec("bad-post")
    bad["training_job"]["StoppingCondition"]["MaxWaitTimeInSeconds"] = 1
    bad["training_job"]["RoleArn"] = "arn:aws:iam::000000000000:role/admin"
    with pytest.raises(InvalidSpecError) as refused:
        relay.api.submit(bad)
    assert {detail["path"] for detail in refused.value.details} == {
        "training_job.StoppingCondition.MaxWaitTimeInSeconds",
        "training_job.RoleArn",
    }


def test_a_run_that_is_not_there_is_answered_with_a_code(relay: Relay) -> None:
    with pytest.raises(NoSuchRunError):
        relay.api.show("nobody")


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (None, "Missing Authentication Token"),
        ("sagemaker", "Credential should be scoped to correct service: 'execute-api'. "),
    ],
)
def test_the_api_refuses_requests_that_are_not_signed_for_it(relay: Relay, service: str | None, message: str) -> None:
    answer = relay.send("GET", "/runs", signed_for=service)
    assert (answer.status_code, answer.json()) == (403, {"message": message})


def test_two_open_runs_cannot_share_a_checkpoint_prefix(relay: Relay) -> None:
    relay.rule("owner", **FOREVER)
    relay.api.submit(spec("owner"))
    copy = spec("owner") | {"name": "copycat"}
    with pytest.raises(ConflictError) as refused:
        relay.api.submit(copy)
    assert refused.value.code == "CheckpointPrefixTaken"
    relay.upload("runs/copycat.json", copy)
    report = eventually("the error report", lambda: relay.read("errors/runs/copycat.json.json"))
    assert "belongs to the run owner" in report["errors"][0]["message"]


def test_a_bad_upload_is_reported_beside_it_and_leaves_no_message_behind(relay: Relay) -> None:
    bad = spec("bad")
    bad["training_job"]["ResourceConfig"]["InstanceTyp"] = "ml.m5.xlarge"
    bad["policy"]["budgets"] = {"expired_waits": -1}
    relay.upload("runs/bad.json", bad)
    report = eventually("the error report", lambda: relay.read("errors/runs/bad.json.json"))
    assert {error["path"] for error in report["errors"]} >= {
        "training_job.ResourceConfig.InstanceTyp",
        "policy.budgets.expired_waits",
    }
    assert relay.status("bad") is None
    del bad["training_job"]["ResourceConfig"]["InstanceTyp"]
    bad["policy"]["budgets"] = {"expired_waits": 1}
    relay.rule("bad", train_seconds=0.2)
    relay.upload("runs/bad.json", bad)
    assert relay.ends("bad")["status"] == "Completed"
    assert relay.read("errors/runs/bad.json.json") is None


def test_the_same_spec_uploaded_twice_is_one_run_and_one_job(relay: Relay) -> None:
    relay.rule("twice", **FOREVER)
    relay.upload("runs/twice.json", spec("twice"))
    relay.upload("runs/twice.json", spec("twice"))
    relay.comes_to("twice", "InProgress")

    def both_read() -> bool | None:
        accepted = [line for line in relay.stack.logs("submit") if "the spec is accepted" in line and '"twice"' in line]
        return True if len(accepted) == 2 else None

    eventually("both uploads being read", both_read)
    assert relay.jobs("twice") == ["twice-relay-01"]


def test_an_expired_wait_is_followed_by_an_attempt_from_the_checkpoint(relay: Relay) -> None:
    relay.rule("waiting", train_seconds=2, checkpoints={"every_seconds": 1})
    relay.rule(
        "waiting",
        "01",
        capacity={"after": 0, "interruptions": [{"after_checkpoints": 2}]},
        train_seconds=60,
        checkpoints={"every_seconds": 1},
        events={"duplicates": 1},
    )
    relay.upload("runs/waiting.json", spec("waiting", max_wait=6))
    document = relay.ends("waiting")
    assert document["status"] == "Completed"
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["MaxWaitTimeExceeded", "Completed"]
    assert document["attempts"][1]["resumes_from"]["key"] == "waiting/checkpoints/xgboost-checkpoint.2"
    assert document["interruptions"] == 1
    assert relay.jobs("waiting") == ["waiting-relay-01", "waiting-relay-02"]
    metrics = relay.metrics()
    assert metrics["RelaunchesAfterMaxWaitTimeExceeded"] >= 1
    assert metrics["WaitsExpired"] >= 1
    assert metrics["LateOrDuplicateEvents"] >= 1


def test_a_failure_of_the_users_code_fails_the_run_with_its_reason(relay: Relay) -> None:
    relay.rule("faulty", fail={"reason": "AlgorithmError: exit code 1", "phase": "Training"})
    relay.upload("runs/faulty.json", spec("faulty"))
    document = relay.ends("faulty")
    assert document["status"] == "Failed"
    assert "exit code 1" in document["reason"]


def test_a_user_stops_a_run_and_resumes_it(relay: Relay) -> None:
    relay.rule("halted", **FOREVER)
    relay.upload("runs/halted.json", spec("halted"))
    relay.comes_to("halted", "InProgress")
    relay.api.stop("halted")
    assert relay.ends("halted")["status"] == "Stopped"
    relay.rule("halted", train_seconds=0.2)
    relay.api.resume("halted", {})
    assert relay.comes_to("halted", "Completed")["attempts"][1]["cause"] == "Resumed"
    with pytest.raises(ConflictError):
        relay.api.stop("halted")


def test_a_poison_message_ends_in_the_dead_letter_queue_and_the_others_are_worked_on(relay: Relay) -> None:
    sqs, url = relay.stack.client("sqs"), relay.stack.outputs["ObserveQueueUrl"]
    given = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy", "VisibilityTimeout"])["Attributes"]
    impatient = {**json.loads(given["RedrivePolicy"]), "maxReceiveCount": "2"}
    relay.rule("unharmed", train_seconds=0.5)
    try:
        sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(impatient), "VisibilityTimeout": "1"}
        )
        sqs.send_message(QueueUrl=url, MessageBody="this is no event")
        relay.upload("runs/unharmed.json", spec("unharmed"))
        assert relay.ends("unharmed")["status"] == "Completed"
        dead = eventually("the dead letter", lambda: relay.messages("ObserveDeadLetterQueueUrl") or None)
        assert dead == ["this is no event"]
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=given)


@pytest.mark.begun
def test_a_capacity_error_is_relaunched_by_the_tick_after_its_backoff(relay: Relay) -> None:
    document = relay.ends("scarce", seconds=150)
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["CapacityError", "Completed"]


@pytest.mark.begun
def test_a_run_of_which_every_event_is_lost_is_brought_to_its_end_by_the_tick(relay: Relay) -> None:
    assert relay.ends("deaf", seconds=150)["status"] == "Completed"
