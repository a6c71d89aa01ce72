"""Training jobs are created, described and stopped in memory as through boto3, against the simulator."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from spot_relay.adapters.training_jobs import SageMakerTrainingJobs
from spot_relay.domain.run.launch import Created, launch_of_attempt
from spot_relay.domain.sagemaker.job import Absent, Job, Market, Placement
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.ports import UnansweredError
from tests.fakes import NOON
from tests.integration.fake_aws import HOST
from tests.integration.runs import a_run
from tests.integration.sagemakers import ANSWERS, DENIALS, FULL, NAME, ONCE, OPEN, RUN, Answer, Simulated, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.run.run import Run
    from tests.integration.fake_aws import FakeAWS

# For a server that never answers; one that does may take longer than this on a busy machine.
IMPATIENT = ONCE.merge(Config(read_timeout=0.3))


LAUNCH = launch_of_attempt(RUN, RUN.current)


def create(world: World, run: Run = RUN) -> Created | NotCreated:
    return world.port.create(launch_of_attempt(run, run.current))


def existing(answer: Created | NotCreated) -> Created:
    """Return the answer to the same launch, tried again: it says where the job runs."""
    assert isinstance(answer, Created)
    return replace(answer, placement=RUN.current.placement)


def described(world: World) -> Job:
    job = world.port.describe(NAME)
    assert isinstance(job, Job)
    return job


def test_a_created_job_is_launched_and_described_with_the_arn_of_its_launch(world: World) -> None:
    launched = create(world)
    assert isinstance(launched, Created)
    job = described(world)
    assert (launched.arn, launched.placement, job.name) == (job.arn, None, NAME)
    assert (job.status, job.secondary_status, job.created_at) == ("InProgress", "Starting", NOON)
    assert (job.ended_at, job.training_seconds, job.billable_seconds, job.failure_reason) == (None, None, None, None)


def test_a_job_that_was_created_before_is_launched_not_created_again(world: World) -> None:
    launched = create(world)
    assert create(world) == existing(launched)
    assert world.created() == [NAME]


def test_a_job_that_was_created_elsewhere_before_tells_where_it_runs(world: World) -> None:
    elsewhere = replace(RUN.current, placement=Placement("ml.g5.xlarge", 3, Market.ON_DEMAND))
    assert elsewhere.placement != RUN.current.placement
    launched = world.port.create(launch_of_attempt(RUN, elsewhere))
    assert isinstance(launched, Created)
    assert launched.placement is None
    assert create(world) == replace(launched, placement=elsewhere.placement)
    assert described(world).placement == elsewhere.placement


def test_a_job_that_has_ended_since_is_launched_all_the_same(world: World) -> None:
    launched = create(world)
    world.complete()
    assert create(world) == existing(launched)


def test_the_job_of_an_earlier_run_of_the_same_name_is_somebody_elses(world: World) -> None:
    launched = create(world, replace(RUN, submission_id="submission-0"))
    assert isinstance(launched, Created)
    refused = create(world)
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.NAME_TAKEN
    assert launched.arn in refused.because


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refusal_tells_its_kind_and_text_and_creates_nothing(world: World, answer: Answer) -> None:
    world.refuse(answer)
    assert create(world) == NotCreated(answer.message, answer.refusal)
    assert world.port.describe(NAME) == Absent()
    assert isinstance(create(world), Created)


def test_an_attempts_own_job_is_found_by_its_tags(world: World) -> None:
    launched = create(world)
    found = world.port.find(LAUNCH)
    assert isinstance(found, Job)
    assert isinstance(launched, Created)
    assert found.arn == launched.arn


def test_a_job_of_the_same_name_that_is_somebody_elses_is_not_found(world: World) -> None:
    assert world.port.find(LAUNCH) == Absent()
    create(world, replace(RUN, submission_id="submission-0"))
    assert world.port.find(LAUNCH) == Absent()


@pytest.mark.parametrize("answer", DENIALS, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refusal_that_says_that_there_is_no_job_is_not_believed_of_one_that_exists(
    world: World, answer: Answer
) -> None:
    launched = create(world)
    world.refuse(answer)
    assert create(world) == existing(launched)


@pytest.mark.parametrize("answer", OPEN, ids=lambda answer: f"{answer.refusal}-{answer.code}")
def test_a_refusal_that_leaves_open_whether_there_is_a_job_is_given_as_it_is(world: World, answer: Answer) -> None:
    launched = create(world)
    world.refuse(answer)
    assert create(world) == NotCreated(answer.message, answer.refusal)
    assert create(world) == existing(launched)


def test_a_quota_that_the_job_itself_has_filled_is_no_refusal(sagemaker: Simulated) -> None:
    # SageMaker need not look at the name before the quota, which the job of the lost answer uses.
    lost = {"code": "InternalFailure", "message": "lost", "http_status": 500, "takes_effect": True}
    full = {"code": "ResourceLimitExceeded", "message": FULL.format(limit=1, used=1, delta=1)}
    errors = [{"operation": "CreateTrainingJob", **error} for error in (lost, full)]
    sagemaker.simulator.play(default={"errors": errors})
    assert create(sagemaker) == NotCreated("lost", Refusal.UNAVAILABLE)
    assert isinstance(create(sagemaker), Created)
    assert sagemaker.simulator.calls("CreateTrainingJob") == [
        (NAME, "InternalFailure"),
        (NAME, "ResourceLimitExceeded"),
    ]


def test_a_job_that_was_never_created_is_absent(world: World) -> None:
    create(world)
    assert world.port.describe("churn-relay-02") == Absent()


def test_a_stop_makes_a_job_stop_and_a_second_one_changes_nothing(world: World) -> None:
    create(world)
    world.port.stop(NAME)
    assert described(world).status == "Stopping"
    world.port.stop(NAME)
    assert described(world).status == "Stopping"


def test_a_job_that_has_ended_or_never_was_is_left_as_it_is_by_a_stop(world: World) -> None:
    create(world)
    world.complete()
    world.port.stop(NAME)
    world.port.stop("churn-relay-02")
    assert described(world).status == "Completed"
    assert world.port.describe("churn-relay-02") == Absent()


def test_a_quota_with_room_for_later_is_told_from_one_that_can_never_hold_the_job(sagemaker: Simulated) -> None:
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 1}
    sagemaker.simulator.play(default={"train_seconds": 1000}, quotas=[quota])
    assert isinstance(create(sagemaker, a_run("other", NOON)), Created)
    full = create(sagemaker)
    assert isinstance(full, NotCreated)
    assert full.refusal is Refusal.QUOTA_FULL
    sagemaker.simulator.play(quotas=[quota | {"limit": 0}])
    small = create(sagemaker)
    assert isinstance(small, NotCreated)
    assert small.refusal is Refusal.QUOTA_TOO_SMALL
    assert "'ml.m5.xlarge for spot training job usage' is 0 Instances" in small.because


def test_a_job_whose_creation_was_not_answered_is_found_when_it_is_tried_again(sagemaker: Simulated) -> None:
    lost = {"code": "InternalFailure", "message": "lost", "http_status": 500, "takes_effect": True}
    sagemaker.errs(operation="CreateTrainingJob", **lost)
    assert create(sagemaker) == NotCreated("lost", Refusal.UNAVAILABLE)
    assert isinstance(create(sagemaker), Created)
    assert [outcome for _, outcome in sagemaker.simulator.calls("CreateTrainingJob")] == [
        "InternalFailure",
        "ResourceInUse",
    ]


def test_a_request_that_botocore_itself_refuses_is_invalid(sagemaker: Simulated) -> None:
    wrong = replace(RUN, training_job=RUN.training_job | {"HyperParameters": {"num_round": 400}})
    refused = create(sagemaker, wrong)
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.INVALID
    assert "HyperParameters.num_round" in refused.because


def test_a_request_that_breaks_a_rule_of_sagemaker_is_invalid_with_its_text(sagemaker: Simulated) -> None:
    resources = RUN.training_job["ResourceConfig"] | {"KeepAlivePeriodInSeconds": 60}
    refused = create(sagemaker, replace(RUN, training_job=RUN.training_job | {"ResourceConfig": resources}))
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.INVALID
    assert refused.because.startswith("KeepAlivePeriodInSeconds is not supported")


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which something listens that never answers."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("place", ["closed_port", "silent_port"])
def test_a_sagemaker_that_does_not_answer_is_unavailable_for_a_launch_and_proves_nothing_else(
    aws: FakeAWS, request: pytest.FixtureRequest, place: str
) -> None:
    url = f"http://{HOST}:{request.getfixturevalue(place)}"
    client = boto3.client("sagemaker", endpoint_url=url, config=IMPATIENT)
    jobs = SageMakerTrainingJobs(client)
    refused = jobs.create(LAUNCH)
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.UNAVAILABLE
    assert refused.because.startswith("SageMaker did not answer: ")
    for call in (jobs.describe, jobs.stop):
        with pytest.raises(UnansweredError, match="SageMaker did not answer"):
            call(NAME)
    client.close()


@pytest.mark.parametrize(
    ("code", "status"), [("ConflictException", 400), ("SerializationException", 400), ("Odd", 409)]
)
def test_an_error_that_nobody_knows_is_a_refusal_that_names_its_code(
    sagemaker: Simulated, code: str, status: int
) -> None:
    sagemaker.errs(operation="CreateTrainingJob", code=code, message="no", http_status=status)
    assert create(sagemaker) == NotCreated(f"{code}: no", Refusal.UNRECOGNIZED)


def test_a_job_that_cannot_be_looked_at_after_its_name_was_found_taken_may_be_ours(sagemaker: Simulated) -> None:
    create(sagemaker)
    sagemaker.errs(operation="DescribeTrainingJob", code="AccessDeniedException", message="no")
    refused = create(sagemaker)
    assert isinstance(refused, NotCreated)
    assert refused.refusal is Refusal.UNRECOGNIZED
    assert "AccessDeniedException" in refused.because


@pytest.mark.parametrize(
    ("code", "status", "refusal"),
    [
        ("AccessDeniedException", 400, Refusal.UNRECOGNIZED),
        ("ConflictException", 409, Refusal.UNRECOGNIZED),
        ("InternalFailure", 500, Refusal.UNAVAILABLE),
        ("RequestTimeout", 408, Refusal.UNAVAILABLE),
        ("ThrottlingException", 400, Refusal.THROTTLED),
        ("Odd", 429, Refusal.THROTTLED),
    ],
)
def test_a_job_that_cannot_be_described_or_stopped_is_not_taken_for_absent(
    sagemaker: Simulated, code: str, status: int, refusal: Refusal
) -> None:
    create(sagemaker)
    sagemaker.errs(operation="DescribeTrainingJob", code=code, http_status=status)
    with pytest.raises(UnansweredError, match=code) as raised:
        sagemaker.port.describe(NAME)
    assert raised.value.refusal is refusal
    sagemaker.errs(operation="StopTrainingJob", code=code, http_status=status)
    with pytest.raises(UnansweredError, match=code) as raised:
        sagemaker.port.stop(NAME)
    assert raised.value.refusal is refusal


def test_every_field_of_a_described_job_is_read_in_utc(sagemaker: Simulated) -> None:
    interruption = {"after_training_seconds": 100, "capacity_returns_after": 50}
    capacity = {"after": 30, "interruptions": [interruption]}
    checkpoints = {"every_seconds": 10}
    rule = {"train_seconds": 200, "capacity": capacity, "checkpoints": checkpoints, "billable_share": 0.25}
    sagemaker.simulator.play(default=rule)
    create(sagemaker)
    sagemaker.clock.passes(1000)
    job = described(sagemaker)
    answer = sagemaker.client.describe_training_job(TrainingJobName=NAME)
    assert (job.status, job.secondary_status, job.interruptions) == ("Completed", "Completed", 1)
    assert (job.training_seconds, job.billable_seconds) == (
        answer["TrainingTimeInSeconds"],
        answer["BillableTimeInSeconds"],
    )
    assert (job.training_started_at, job.ended_at) == (answer["TrainingStartTime"], answer["TrainingEndTime"])
    told = [(t["Status"], t["StatusMessage"]) for t in answer["SecondaryStatusTransitions"]]
    assert [(t.status, t.message) for t in job.transitions] == told
    assert job.model_artifacts == answer["ModelArtifacts"].get("S3ModelArtifacts")
    assert all(
        one.ended_at == other.started_at for one, other in zip(job.transitions, job.transitions[1:], strict=False)
    )
    assert job.seconds_waited(NOON) in {80, 81}
    moments = [job.created_at, job.training_started_at, job.ended_at, *(t.started_at for t in job.transitions)]
    assert all(moment is not None and moment.tzinfo is UTC for moment in moments)


def test_a_failure_is_described_with_its_reason(sagemaker: Simulated) -> None:
    sagemaker.simulator.play(default={"fail": {"reason": "AlgorithmError: «ä»", "after_seconds": 1}})
    create(sagemaker)
    sagemaker.clock.passes(60)
    job = described(sagemaker)
    assert (job.status, job.failure_reason) == ("Failed", "AlgorithmError: «ä»")
    assert job.ended_at is not None
    assert job.ended_at - NOON < timedelta(seconds=60)


def test_the_tags_of_a_taken_name_are_read_page_by_page(sagemaker: Simulated) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{NAME}"
    ours = [
        {"Key": "spot-relay:run-id", "Value": "churn"},
        {"Key": "spot-relay:attempt", "Value": "1"},
        {"Key": "spot-relay:submission", "Value": "submission-1"},
    ]
    create(sagemaker)
    answer = sagemaker.client.describe_training_job(TrainingJobName=NAME)
    answer = answer | {"ModelArtifacts": {"S3ModelArtifacts": "s3://churn/model.tar.gz"}}
    with Stubber(sagemaker.client) as stub:
        stub.add_client_error("create_training_job", "ResourceInUse")
        stub.add_response("describe_training_job", answer)
        stub.add_response("list_tags", {"Tags": ours[:2], "NextToken": "more"})
        stub.add_response("list_tags", {"Tags": ours[2:]}, {"ResourceArn": arn, "NextToken": "more"})
        assert create(sagemaker) == Created(arn, RUN.current.placement)
        stub.assert_no_pending_responses()
