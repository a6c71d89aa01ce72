"""The values that the API's JSON becomes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from spot_relay_client.models import Run, RunSummary
from tests.unit.client.documents import NOW, ago, attempt_document, run, run_document


def test_a_run_of_an_older_stack_has_defaults_for_what_it_does_not_say() -> None:
    found = run()
    assert (found.training_job, found.tags, found.model_artifacts, found.created) == ({}, (), None, None)
    assert found.log_group == "/aws/sagemaker/TrainingJobs"
    assert found.attempts[0].log_stream_prefix == "churn-relay-01/"


def test_fields_that_the_client_does_not_know_are_ignored_but_kept_in_the_document() -> None:
    found = run(mood="calm", attempts=[attempt_document(colour="blue")])
    assert found.document["mood"] == "calm"
    assert found.attempts[0].document["colour"] == "blue"


def test_times_are_aware_and_say_the_same_moment() -> None:
    found = run(ended_at="2026-05-01T11:00:00.000Z")
    assert found.ended_at == NOW - timedelta(hours=1)


def test_the_newer_fields_of_a_run_are_read() -> None:
    transition = {"status": "Starting", "started_at": ago(hours=2), "ended_at": ago(hours=1), "message": "Launching"}
    found = run(
        attempts=[attempt_document(job_arn="arn:1", log_stream_prefix="other/", transitions=[transition])],
        training_job={"RoleArn": "arn:aws:iam::000000000000:role/a"},
        training_job_arn="arn:run",
        tags=[{"Key": "a", "Value": "b"}],
        model_artifacts="s3://models/model.tar.gz",
        created=True,
    )
    (attempt,) = found.attempts
    assert (attempt.job_arn, attempt.log_stream_prefix) == ("arn:1", "other/")
    assert attempt.transitions[0].started_at == NOW - timedelta(hours=2)
    assert (found.training_job_arn, found.model_artifacts) == ("arn:run", "s3://models/model.tar.gz")
    assert found.tags[0]["Key"] == "a"
    assert found.created is True


@pytest.mark.parametrize(
    ("status", "ended"), [("Pending", False), ("Stopping", False), ("Completed", True), ("Failed", True)]
)
def test_a_run_has_ended_by_its_status(status: str, ended: bool) -> None:
    assert run(status=status).ended is ended


def test_runs_are_equal_by_what_they_say() -> None:
    assert run() == Run.from_document(run_document(unknown=1))
    assert dataclasses.replace(run(), reason="another") != run()


def test_a_summary_is_read_from_a_list() -> None:
    document = {
        "run_id": "churn",
        "status": "Pending",
        "reason": "It waits.",
        "attempts": 2,
        "created_at": ago(hours=1),
        "updated_at": ago(hours=1),
    }
    found = RunSummary.from_document(document)
    assert (found.name, found.attempts, found.created_at) == ("churn", 2, NOW - timedelta(hours=1))
