"""Models that are registered and deployed, on the deployed template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.relay import eventually, spec

if TYPE_CHECKING:
    from tests.e2e.relay import Relay

LIVE, GROUP = "forecast-live", "forecasts"
INSTANCES = {"instance_type": "ml.m5.large"}


def hosted(name: str, **wanted: Any) -> dict[str, Any]:
    """Return a spec that says what to do with its model."""
    return spec(name) | {"on_success": wanted}


def settled(relay: Relay, run_id: str) -> dict[str, Any]:
    """Wait until everything was done with a run's model, and return its status document."""
    relay.ends(run_id)

    def look() -> dict[str, Any] | None:
        document: dict[str, Any] = relay.api.show(run_id)
        tasks = [task for task in document["hosting"].values() if task is not None]
        return document if all(task["settled_at"] for task in tasks) else None

    return eventually(f"{run_id} is hosted", look)


@pytest.fixture(scope="module")
def first(relay: Relay) -> dict[str, Any]:
    """The run that has created the endpoint, and registered its model."""
    relay.stack.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    relay.rule("forecast", capacity={"after": 0}, train_seconds=0.5)
    deploy = {"endpoint": LIVE, "environment": {"MODE": "fast"}, **INSTANCES}
    relay.upload("runs/forecast.json", hosted("forecast", register_model={"group": GROUP}, deploy=deploy))
    return settled(relay, "forecast")


def test_the_model_of_a_run_is_registered_and_comes_into_service(relay: Relay, first: dict[str, Any]) -> None:
    sagemaker = relay.stack.client("sagemaker")
    registration, deployment = first["hosting"]["register_model"], first["hosting"]["deploy"]
    assert (registration["status"], deployment["status"]) == ("Succeeded", "Succeeded")
    package = sagemaker.describe_model_package(ModelPackageName=registration["arn"])
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == first["model_artifacts"]
    endpoint = sagemaker.describe_endpoint(EndpointName=LIVE)
    assert (endpoint["EndpointArn"], endpoint["EndpointConfigName"]) == (deployment["arn"], "forecast-relay-01")
    model = sagemaker.describe_model(ModelName=deployment["model_name"])
    assert model["PrimaryContainer"]["ModelDataUrl"] == first["model_artifacts"]
    assert model["PrimaryContainer"]["Environment"] == {"MODE": "fast"}
    assert (relay.status("forecast") or {}).get("hosting") == first["hosting"]


def test_the_end_of_a_deployment_is_known_by_its_event(first: dict[str, Any]) -> None:
    observed = [decision["observation"] for decision in first["decisions"]]
    assert "EndpointChanged" in observed, first["decisions"]


@pytest.mark.usefixtures("first")
def test_a_second_run_updates_the_endpoint_of_the_first(relay: Relay) -> None:
    relay.rule("forecast-2", capacity={"after": 0}, train_seconds=0.5)
    relay.api.submit(hosted("forecast-2", deploy={"endpoint": LIVE, **INSTANCES}))

    second = settled(relay, "forecast-2")

    assert second["hosting"]["deploy"]["status"] == "Succeeded"
    sagemaker = relay.stack.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=LIVE)
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "forecast-2-relay-01")
    assert sum(one["EndpointName"].startswith("forecast") for one in sagemaker.list_endpoints()["Endpoints"]) == 1


def test_an_endpoint_that_fails_is_reported_and_its_run_stays_completed(relay: Relay) -> None:
    rule = {"name": "doomed-live", "fail": {"reason": "The container did not answer.", "status": "Creating"}}
    relay.simulate({"endpoints": [rule]})
    relay.rule("doomed-model", capacity={"after": 0}, train_seconds=0.5)
    relay.api.submit(hosted("doomed-model", deploy={"endpoint": "doomed-live", **INSTANCES}))

    document = settled(relay, "doomed-model")

    assert document["status"] == "Completed"
    assert document["hosting"]["deploy"]["status"] == "Failed"
    assert "The container did not answer." in document["hosting"]["deploy"]["reason"]
