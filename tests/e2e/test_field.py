"""What real accounts have seen, on the deployed template: refusals, documents, texts and objects of all kinds."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay_client.errors import ConflictError, InvalidSpecError
from tests.e2e.relay import CHECKPOINTS, NEVER, Relay, eventually, spec

FOREVER: dict[str, Any] = {"capacity": {"after": 0}, "train_seconds": 3600}
LONGEST = (
    "The account-level service limit 'Longest run time for a training job' is 432000 Seconds, with current utilization "
    "of 0 Seconds and a request delta of 864000 Seconds."
)
# Each of these takes six bytes in JSON, and none may reach a terminal, a mail or a page.
WORST = "AlgorithmError: " + "\x00\x1b\x07\u202e" * 252


def refuse(relay: Relay, run: str, code: str, message: str, **more: Any) -> None:
    """Refuse each job of a run."""
    error = {"operation": "CreateTrainingJob", "code": code, "message": message, "times": None}
    relay.rule(run, errors=[error], **more)


def test_an_error_of_an_unknown_code_is_shown_holds_nobody_back_and_lets_the_run_be_stopped(relay: Relay) -> None:
    refuse(relay, "odd", "ConflictException", "Something is in conflict")
    relay.rule("younger", capacity={"after": 0}, train_seconds=0.2)
    odd = relay.api.submit(spec("odd"))
    assert odd["status"] == "Pending"
    assert "ConflictException: Something is in conflict." in odd["reason"]
    relay.api.submit(spec("younger"))
    assert relay.ends("younger")["status"] == "Completed"
    # It ends in five minutes, when it is certain that no job was created after all.
    assert relay.api.stop("odd")["status"] == "Stopping"
    assert relay.jobs("odd") == []


def test_a_rung_that_sagemaker_rejects_is_skipped_and_the_run_goes_on(relay: Relay) -> None:
    refuse(relay, "picky", "ValidationException", "This algorithm only supports GPU instances", instance_type="ml.c4.*")
    relay.rule("picky", capacity={"after": 0}, train_seconds=0.2, instance_type="ml.m5.*")
    ladder = [{"instance_type": "ml.c4.2xlarge"}, {"instance_type": "ml.m5.xlarge", "market": "on-demand"}]
    relay.upload("runs/picky.json", spec("picky") | {"policy": {"ladder": ladder}})
    document = relay.ends("picky")
    assert document["status"] == "Completed"
    assert [attempt["placement"]["instance_type"] for attempt in document["attempts"]] == ["ml.m5.xlarge"]
    assert any("only supports GPU instances" in decision["reason"] for decision in document["decisions"])


def test_a_request_that_sagemaker_finds_wrong_fails_the_run_on_its_first_rung(relay: Relay) -> None:
    refuse(relay, "wrong", "ValidationException", "No S3 objects found under S3 URL s3://data/gpu/ given in input data")
    ladder = [{"instance_type": "ml.m5.xlarge"}, {"instance_type": "ml.c5.xlarge"}]
    relay.upload("runs/wrong.json", spec("wrong") | {"policy": {"ladder": ladder}})
    document = relay.ends("wrong")
    assert (document["status"], len(document["attempts"])) == ("Failed", 1)
    assert "No S3 objects found" in document["reason"]


def test_a_quota_that_can_never_hold_the_job_fails_the_run_with_what_to_raise(relay: Relay) -> None:
    refuse(relay, "longest", "ResourceLimitExceeded", LONGEST)
    document = relay.api.submit(spec("longest"))
    assert document["status"] == "Failed"
    assert "Ask AWS to raise the service quota 'Longest run time for a training job'" in document["reason"]


def test_a_run_that_may_be_refused_no_more_gives_up_and_says_by_which_budget(relay: Relay) -> None:
    refuse(relay, "weary", "ResourceLimitExceeded", "You have too many training jobs")
    document = relay.api.submit(spec("weary") | {"policy": {"budgets": {"refusals": 0}}})
    assert "budgets.refusals" in document["reason"]
    assert "Checking in 5 minutes that it does not exist." in document["reason"]
    assert relay.jobs("weary") == []


def test_max_pending_time_goes_with_on_demand_jobs_alone(relay: Relay) -> None:
    relay.rule("pending", market="spot", **NEVER)
    relay.rule("pending", capacity={"after": 0}, train_seconds=0.2, market="on-demand")
    made = spec("pending", max_wait=2, max_runtime=1)
    made["training_job"]["StoppingCondition"]["MaxPendingTimeInSeconds"] = 1800
    ladder = [{"instance_type": "ml.m5.xlarge"}, {"instance_type": "ml.m5.xlarge", "market": "on-demand"}]
    answer = relay.api.submit(made | {"policy": {"ladder": ladder}})
    assert "MaxPendingTimeInSeconds is left out of jobs on spot" in answer["decisions"][0]["reason"]
    assert relay.ends("pending")["status"] == "Completed"
    describe = relay.stack.client("sagemaker").describe_training_job
    limits = [describe(TrainingJobName=f"pending-relay-{number}")["StoppingCondition"] for number in ("01", "02")]
    assert [one.get("MaxPendingTimeInSeconds") for one in limits] == [None, 1800]


def test_logs_and_data_beside_a_checkpoint_are_newer_and_are_not_taken_for_it(relay: Relay) -> None:
    folder, beside = "logged/checkpoints", ["events.out.tfevents.1.algo-1", "data/train.npy", "metrics.pkl"]
    relay.rule("logged", **FOREVER, checkpoints={"every_seconds": 0.5})
    relay.api.submit(spec("logged"))

    def find_checkpoint() -> bool | None:
        return bool(relay.s3.list_objects_v2(Bucket=CHECKPOINTS, Prefix=folder).get("Contents")) or None

    eventually("the first checkpoint", find_checkpoint)
    relay.api.stop("logged")
    assert relay.ends("logged")["status"] == "Stopped"
    for name in beside:
        relay.s3.put_object(Bucket=CHECKPOINTS, Key=f"{folder}/{name}", Body=b"newer")
    relay.rule("logged", capacity={"after": 0}, train_seconds=0.2)
    relay.api.resume("logged", {})
    second = relay.comes_to("logged", "Completed")["attempts"][1]
    assert second["resumes_from"]["key"].startswith(f"{folder}/xgboost-checkpoint.")
    found = relay.s3.list_objects_v2(Bucket=CHECKPOINTS, Prefix=folder)["Contents"]
    last = max((one["LastModified"], one["Key"]) for one in found if "xgboost" in one["Key"])
    assert second["resumes_from"]["key"] == last[1]


@pytest.mark.parametrize("other", ["inner/checkpoints/fold-1", "inner"], ids=["inside", "around"])
def test_a_prefix_inside_or_around_that_of_an_open_run_is_refused(relay: Relay, other: str) -> None:
    relay.rule("inner", **FOREVER)
    relay.api.submit(spec("inner"))
    nested = spec("nested")
    nested["training_job"]["CheckpointConfig"]["S3Uri"] = f"s3://{CHECKPOINTS}/{other}"
    with pytest.raises(ConflictError) as refused:
        relay.api.submit(nested)
    assert refused.value.code == "CheckpointPrefixTaken"
    assert "inner" in str(refused.value)
    assert relay.status("nested") is None


def test_a_tag_that_sagemaker_would_refuse_is_refused_at_once_and_the_name_stays_free(relay: Relay) -> None:
    relay.rule("tagged", capacity={"after": 0}, train_seconds=0.2)
    made = spec("tagged")
    made["training_job"]["Tags"] = [{"Key": "team", "Value": "R&D"}]
    with pytest.raises(InvalidSpecError) as refused:
        relay.api.submit(made)
    assert [detail["path"] for detail in refused.value.details] == ["training_job.Tags[0].Value"]
    made["training_job"]["Tags"][0]["Value"] = "R+D"
    relay.api.submit(made)
    assert relay.ends("tagged")["status"] == "Completed"


def test_a_document_of_another_tool_is_reported_as_what_it_is(relay: Relay) -> None:
    request = {"TrainingJobName": "foreign", **spec("foreign")["training_job"]}
    state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": request}
    relay.upload("runs/foreign.json", state)
    report = eventually("the error report", lambda: relay.read("errors/runs/foreign.json.json"))
    (problem,) = report["errors"]
    assert problem["message"].startswith("This is a Step Functions state. The request is at Parameters")
    described = request | {"TrainingJobArn": "arn:aws:sagemaker:us-east-1:1:training-job/foreign", "CreationTime": 1}
    with pytest.raises(InvalidSpecError) as refused:
        relay.api.submit(described | {"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"})
    assert len(refused.value.details) == 1
    assert "DescribeTrainingJob" in refused.value.details[0]["message"]


def test_the_worst_texts_and_names_are_shown_harmlessly_and_stop_no_run(relay: Relay) -> None:
    relay.rule("worst", fail={"reason": WORST, "phase": "Training"}, checkpoints={"every_seconds": 0.1})
    for name in ("epoch\x1b[2J-1.pt", "\u202eckpt'\"<b>.pt"):
        relay.s3.put_object(Bucket=CHECKPOINTS, Key=f"worst/checkpoints/{name}", Body=b"1")
    relay.upload("runs/worst.json", spec("worst"))
    assert relay.ends("worst")["status"] == "Failed"
    shown = relay.api.show("worst")
    assert "AlgorithmError" in shown["reason"]
    assert not any(character in shown["reason"] for character in "\x00\x1b\x07\u202e")


@pytest.mark.begun
def test_a_canary_whose_creation_got_no_answer_is_found_and_is_the_only_one(relay: Relay) -> None:
    document = relay.ends("unheard", seconds=170)
    assert document["status"] == "Completed"
    assert [attempt["placement"]["market"] for attempt in document["attempts"]] == ["on-demand", "spot"]
    live = [entry["job_name"] for entry in relay.log(job="unheard-canary-*", kind="transition") if entry["live"]]
    assert set(live) == {"unheard-canary-01"}
    assert relay.most_live_at_once("unheard-relay-*") == 1
