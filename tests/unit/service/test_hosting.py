"""What is done with the model of a run that has completed, over many calls and whatever becomes of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.rules.hosting import MOST_TRIES, PATIENCE
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, OnSuccess, Serverless, Unmade
from spot_relay.domain.run.observation import Due, EndpointChanged
from spot_relay.domain.run.run import RunStatus
from tests.hosting import ARN
from tests.unit.hosted import DEPLOYMENT, IMAGE, REGISTRATION, ROLE, Hosted, model_of
from tests.unit.hosting_scenes import deployed

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

LIVE = "churn-live"


def served() -> Hosted:
    """Two runs of one endpoint: `churn` is in service, and `again` has just begun to replace it."""
    hosted = deployed()
    hosted.world.clock.passes(60)
    hosted.world.hosting.deploys(LIVE)
    hosted.told()
    hosted.world.clock.passes(600)
    hosted.completes("again")
    return hosted


def bare(run: Run) -> Run:
    """A run without what may change after its end."""
    return replace(run, hosting=(), decisions=(), updated_at=run.created_at, version=0, news=0)


def test_a_run_that_completes_has_its_model_registered_and_its_endpoint_created() -> None:
    hosted = Hosted()

    run = hosted.completes()

    assert run.status is RunStatus.COMPLETED
    assert hosted.world.hosting.calls == [
        *("ModelPackage", "Model", "EndpointConfig", "find churn-live", "Endpoint"),
    ]
    registered, deployment = run.hosting
    assert (registered.status, registered.arn) == (HostingStatus.SUCCEEDED, f"{ARN}:model-package/churn-models/1")
    assert (deployment.status, deployment.arn) == (HostingStatus.IN_PROGRESS, f"{ARN}:endpoint/churn-live")
    # Nobody is told before the endpoint is in service.
    assert hosted.world.announcements.hosting == []
    assert deployment.check_at is not None
    assert run.due_at is not None
    hosted.world.passes(120)
    assert hosted.run().due_at == deployment.check_at


def test_the_parts_of_a_deployment_are_named_after_the_job_that_made_the_model() -> None:
    hosted = Hosted(OnSuccess(REGISTRATION, replace(DEPLOYMENT, environment={"MODE": "fast"})))

    hosted.completes()

    parts = hosted.world.hosting.parts
    ours = [{"Key": "spot-relay:run-id", "Value": "churn"}, {"Key": "spot-relay:submission", "Value": "submission-1"}]
    assert parts[f"{ARN}:model/churn-relay-01"].request == {
        "ModelName": "churn-relay-01",
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": model_of("churn"), "Environment": {"MODE": "fast"}},
        "Tags": ours,
    }
    assert parts[f"{ARN}:endpoint-config/churn-relay-01"].request == {
        "EndpointConfigName": "churn-relay-01",
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": "churn-relay-01",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        "Tags": ours,
    }
    assert parts[f"{ARN}:endpoint/churn-live"].request == {
        "EndpointName": LIVE,
        "EndpointConfigName": "churn-relay-01",
        "Tags": ours,
    }
    package = dict(parts[f"{ARN}:model-package/churn-models/1"].request)
    assert len(package.pop("ClientToken")) == 32
    assert package == {
        "ModelPackageGroupName": "churn-models",
        "ModelPackageDescription": "The model of the run churn, trained by churn-relay-01.",
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": model_of("churn")}]},
        "ModelApprovalStatus": "PendingManualApproval",
    }


def test_a_serverless_endpoint_and_the_details_of_a_version_are_asked_for() -> None:
    details: dict[str, Any] = {"content_types": ("text/csv",), "response_types": ("application/json",)}
    hosted = Hosted(
        OnSuccess(
            replace(REGISTRATION, approval_status="Approved", description="who leaves", **details),
            replace(DEPLOYMENT, instance_type=None, serverless=Serverless(2048, 5)),
        )
    )
    hosted.submit(Tags=[{"Key": "team", "Value": "retention"}])

    hosted.ends("churn", "Completed", model_artifacts=model_of("churn"))

    parts = hosted.world.hosting.parts
    (variant,) = parts[f"{ARN}:endpoint-config/churn-relay-01"].request["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert "InstanceType" not in variant
    assert parts[f"{ARN}:endpoint/churn-live"].request["Tags"][0] == {"Key": "team", "Value": "retention"}
    package = parts[f"{ARN}:model-package/churn-models/1"].request
    assert package["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]
    assert package["InferenceSpecification"]["SupportedResponseMIMETypes"] == ["application/json"]
    assert (package["ModelApprovalStatus"], package["ModelPackageDescription"]) == ("Approved", "who leaves")


def test_an_endpoint_in_service_settles_the_deployment_and_everybody_is_told() -> None:
    hosted = Hosted()
    hosted.completes()
    hosted.world.hosting.deploys(LIVE)

    task = hosted.told()

    assert (task.status, task.check_at) == (HostingStatus.SUCCEEDED, None)
    document = hosted.world.documents.written["churn"]["hosting"]
    assert document["deploy"]["status"] == "Succeeded"
    assert document["deploy"]["model_name"] == "churn-relay-01"
    assert document["register_model"]["arn"] == f"{ARN}:model-package/churn-models/1"
    (told,) = hosted.world.announcements.hosting
    assert (told["run_id"], told["status"], told["hosting"]) == ("churn", "Succeeded", document)
    assert hosted.world.telemetry.total("HostingSucceeded") == 2
    assert hosted.world.telemetry.total("RunsCompleted") == 1


def test_without_an_event_the_tick_sees_that_the_endpoint_is_in_service() -> None:
    hosted = deployed()
    assert hosted.looks().status is HostingStatus.IN_PROGRESS
    hosted.world.hosting.deploys(LIVE)

    assert hosted.looks().status is HostingStatus.SUCCEEDED
    hosted.world.passes(180)
    assert hosted.run().due_at is None


def test_an_endpoint_that_fails_is_reported_and_the_run_stays_completed() -> None:
    hosted = deployed()
    before = hosted.run()
    hosted.world.hosting.becomes(LIVE, "Failed", failure_reason="The image can't be pulled with very-secret")

    task = hosted.told()

    assert task.status is HostingStatus.FAILED
    assert "The image can't be pulled" in task.reason
    assert "very-secret" not in task.reason
    assert bare(hosted.run()) == bare(before)
    (told,) = hosted.world.announcements.hosting
    assert (told["status"], told["reason"]) == ("Failed", task.reason)
    assert hosted.world.telemetry.total("HostingFailed") == 1


def test_a_second_run_updates_the_endpoint_of_the_first() -> None:
    hosted = served()

    assert hosted.world.hosting.endpoints[LIVE].pending_config_name == "again-relay-01"
    assert hosted.told("again").status is HostingStatus.IN_PROGRESS
    hosted.world.clock.passes(60)
    hosted.world.hosting.deploys(LIVE)
    assert hosted.told("again").status is HostingStatus.SUCCEEDED
    assert hosted.world.hosting.calls.count("Endpoint") == 1


def test_an_update_that_was_rolled_back_has_failed_although_the_endpoint_is_in_service() -> None:
    hosted = served()
    hosted.world.clock.passes(60)
    hosted.world.hosting.rolls_back(LIVE)

    task = hosted.told("again")

    assert task.status is HostingStatus.FAILED
    assert "rolled it back to churn-relay-01" in task.reason
    assert hosted.run("again").status is RunStatus.COMPLETED


def test_an_old_description_does_not_prove_that_an_update_was_rolled_back() -> None:
    hosted = served()
    now = hosted.world.hosting.endpoints[LIVE]
    seen = hosted.task(name="again").replaces_since
    assert seen is not None
    old = replace(now, status="InService", pending_config_name=None, modified_at=seen)
    hosted.world.hosting.endpoints[LIVE] = old

    assert hosted.told("again").status is HostingStatus.IN_PROGRESS
    hosted.world.hosting.endpoints[LIVE] = now
    hosted.world.clock.passes(60)
    hosted.world.hosting.deploys(LIVE)
    assert hosted.told("again").status is HostingStatus.SUCCEEDED


def test_a_deployment_waits_for_another_one_on_the_same_endpoint() -> None:
    hosted = deployed()
    hosted.completes("again")

    assert "Creating with another configuration" in hosted.task(name="again").reason
    hosted.world.hosting.deploys(LIVE)
    assert hosted.told().status is HostingStatus.SUCCEEDED
    assert hosted.looks("again").step is HostingStep.FOLLOW
    hosted.world.clock.passes(60)
    hosted.world.hosting.deploys(LIVE)
    assert hosted.looks("again").status is HostingStatus.SUCCEEDED


def test_a_deployment_that_another_one_has_replaced_unseen_says_so() -> None:
    hosted = deployed()
    hosted.world.hosting.deploys(LIVE)
    hosted.world.clock.passes(60)
    hosted.completes("again")
    hosted.world.clock.passes(60)
    hosted.world.hosting.deploys(LIVE)

    assert "was updated to again-relay-01 in the meantime" in hosted.looks().reason


def test_a_deployment_succeeds_as_long_as_its_configuration_serves_while_another_is_on_its_way() -> None:
    hosted = served()

    assert hosted.world.hosting.endpoints[LIVE].status == "Updating"
    assert hosted.task(name="churn").status is HostingStatus.SUCCEEDED
    hosted.world.hosting.becomes(LIVE, "RollingBack", config_name="again-relay-01")
    assert hosted.told("again").status is HostingStatus.SUCCEEDED


def test_an_endpoint_of_others_is_left_alone() -> None:
    hosted = deployed()
    hosted.world.hosting.becomes(LIVE, "InService", is_ours=False)

    hosted.completes("again")

    task = hosted.task(name="again")
    assert task.status is HostingStatus.FAILED
    assert "has not created" in task.reason
    assert "EndpointUpdate" not in hosted.world.hosting.calls


@pytest.mark.parametrize(
    ("status", "said"),
    [("Failed", "can only be deleted"), ("OutOfService", "OutOfService, and can't be updated")],
)
def test_an_endpoint_that_cannot_be_updated_is_an_error(status: str, said: str) -> None:
    hosted = deployed()
    hosted.world.hosting.becomes(LIVE, status, config_name="an-old-one")

    hosted.completes("again")

    assert said in hosted.task(name="again").reason


def test_a_model_of_others_that_has_the_name_is_an_error() -> None:
    hosted = deployed()
    other = Hosted(OnSuccess(deploy=DEPLOYMENT))
    for arn, part in hosted.world.hosting.parts.items():
        other.world.hosting.parts[arn] = replace(part, tags={})

    other.completes()

    assert other.task().status is HostingStatus.FAILED
    assert other.world.hosting.calls == ["Model"]


def test_a_run_that_leaves_no_model_cannot_be_hosted() -> None:
    hosted = Hosted()

    run = hosted.completes(model=None)

    assert [(task.status, task.reason) for task in run.hosting] == [
        (HostingStatus.FAILED, "The run has left no model."),
        (HostingStatus.FAILED, "The run has left no model."),
    ]
    assert hosted.world.hosting.calls == []
    assert hosted.world.announcements.hosting[0]["status"] == "Failed"
    assert hosted.world.telemetry.total("HostingFailed") == 2


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_only_a_run_that_has_completed_is_hosted(status: str) -> None:
    hosted = Hosted()
    hosted.submit()

    run = hosted.ends("churn", status, model_artifacts=model_of("churn"))

    assert run.has_ended
    assert run.hosting == ()
    assert hosted.world.hosting.calls == []
    assert hosted.world.documents.written["churn"]["hosting"]["deploy"]["status"] == "Waiting"


def test_a_registration_that_fails_does_not_keep_the_model_from_being_deployed() -> None:
    hosted = Hosted()
    hosted.world.hosting.groups.clear()
    hosted.completes()
    hosted.world.hosting.deploys(LIVE)
    hosted.told()

    registered, deployment = hosted.run().hosting
    assert (registered.status, deployment.status) == (HostingStatus.FAILED, HostingStatus.SUCCEEDED)
    assert "does not exist" in registered.reason
    assert hosted.world.announcements.hosting[0]["status"] == "Failed"
    assert hosted.world.announcements.hosting[0]["reason"] == registered.reason


def test_a_call_that_is_refused_for_now_is_tried_again_and_creates_nothing_twice() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.world.hosting.refusals = [Unmade("Rate exceeded", passes=True)]

    hosted.completes()

    assert (hosted.task().step, hosted.task().tries) == (HostingStep.MODEL, 1)
    assert hosted.task().reason == "Rate exceeded. Trying again."
    assert hosted.looks().step is HostingStep.FOLLOW
    assert hosted.world.hosting.calls == ["Model", "Model", "EndpointConfig", "find churn-live", "Endpoint"]


def test_an_endpoint_whose_creation_was_not_answered_is_looked_for_first() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    create = hosted.world.hosting.create

    def loses(part: Any) -> Any:
        answer = create(part)
        return Unmade("no answer", passes=True) if part.step is HostingStep.ENDPOINT else answer

    hosted.world.hosting.create = loses  # type: ignore[method-assign]
    hosted.completes()

    assert hosted.task().step is HostingStep.LOOK
    assert hosted.looks().step is HostingStep.FOLLOW
    assert hosted.world.hosting.calls.count("Endpoint") == 1


def test_a_call_that_is_refused_again_and_again_is_given_up() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.world.hosting.refusals = [Unmade("Rate exceeded", passes=True)] * 100

    hosted.completes()
    for _ in range(MOST_TRIES):
        if hosted.task().is_open:
            hosted.looks()

    assert hosted.task().status is HostingStatus.FAILED
    assert hosted.task().reason == "Rate exceeded. Giving up after 20 tries."
    assert hosted.world.hosting.calls == ["Model"] * MOST_TRIES


def test_an_endpoint_that_never_gets_into_service_is_given_up_after_a_day() -> None:
    hosted = deployed()

    hosted.world.clock.passes(PATIENCE.total_seconds())

    assert "Giving up after 24 hours" in hosted.looks().reason
    assert hosted.task().status is HostingStatus.FAILED


def test_an_endpoint_that_was_deleted_has_failed_once_it_must_have_been_visible() -> None:
    hosted = deployed()
    del hosted.world.hosting.endpoints[LIVE]

    assert hosted.told().status is HostingStatus.IN_PROGRESS
    hosted.world.clock.passes(300)
    assert "has been deleted" in hosted.told().reason


def test_events_change_nothing_before_and_after_a_deployment() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.submit()
    before = hosted.run()
    assert hosted.world.service.advance("churn", EndpointChanged()) == before
    hosted.ends("churn", "Completed", model_artifacts=model_of("churn"))
    hosted.world.hosting.deploys(LIVE)
    hosted.told()
    hosted.world.passes(180)
    settled = hosted.run()

    for observation in (EndpointChanged(), Due()):
        assert hosted.world.service.advance("churn", observation) == settled


def test_whatever_goes_wrong_within_a_call_the_run_is_published_and_its_followers_are_woken() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.world.hosting.create = None  # type: ignore[assignment,method-assign]

    run = hosted.completes()

    assert run.status is RunStatus.COMPLETED
    assert hosted.world.documents.written["churn"]["status"] == "Completed"
    assert "TypeError" in hosted.task().reason


def test_a_function_that_may_not_host_leaves_it_to_the_others() -> None:
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    service, elsewhere = hosted.world.service, replace(hosted.world.service, hosting=None)
    hosted.world.service = elsewhere

    run = hosted.completes()

    assert run.status is RunStatus.COMPLETED
    assert run.outbox.host == (HostingKind.DEPLOY,)
    assert hosted.world.documents.written["churn"]["status"] == "Completed"
    assert hosted.world.hosting.calls == []
    hosted.world.service = service
    assert hosted.looks().step is HostingStep.FOLLOW
