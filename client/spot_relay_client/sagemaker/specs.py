"""A CreateTrainingJob request becomes a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spot_relay_client.sagemaker.policies import is_spec_tag, keys_of_tags, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

# A tag that only one call of CreateTrainingJob has. By it, a call that is repeated after its answer was lost finds the
# run that it made, while a script that is run again has its name refused, as SageMaker would.
CALL_TAG: Final = "SpotRelayCall"


def is_routed(request: Mapping[str, Any], *, all_jobs: bool) -> bool:
    """Whether a CreateTrainingJob request becomes a run: managed spot training does, the rest only if asked for."""
    return all_jobs or request.get("EnableManagedSpotTraining") is True


def spec_of(request: Mapping[str, Any], policy: Mapping[str, Any], call: str) -> dict[str, Any]:
    """Return the spec of a CreateTrainingJob request, with a policy and with what its tags add to it.

    ``call`` is a text of this call's own.
    """
    tags = [tag for tag in request.get("Tags", ()) if tag.get("Key") != CALL_TAG]
    job = {key: value for key, value in request.items() if key not in ("TrainingJobName", "Tags")}
    kept = [tag for tag in tags if not is_spec_tag(tag)]
    spec: dict[str, Any] = {
        "name": request.get("TrainingJobName"),
        "training_job": job | {"Tags": [*kept, {"Key": CALL_TAG, "Value": call}]},
    }
    return spec | merge({"policy": policy} if policy else {}, keys_of_tags(tags))


def is_of_call(run: Mapping[str, Any], call: str) -> bool:
    """Whether a run was made by this call of CreateTrainingJob."""
    return {"Key": CALL_TAG, "Value": call} in run["tags"]
