"""A run as SageMaker would answer about one training job: its members as in JSON, with times in epoch seconds.

A run that waits for its next attempt is a training job in progress, which is pending. No attempt's end is the run's.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from spot_relay_client.sagemaker.specs import CALL_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
# How a training job is described that has ended: its run may have gone on since.
_ENDED_SECONDARIES: Final = _ENDED | {"MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
_LONGEST_REASON: Final = 1024


def describe(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of DescribeTrainingJob."""
    job = {key: value for key, value in run["training_job"].items() if key != "Tags"}
    transitions = _transitions(run)
    artifacts = run["model_artifacts"]
    return _present(
        job
        | {
            "TrainingJobName": run["run_id"],
            "TrainingJobArn": run["training_job_arn"],
            "TrainingJobStatus": _status(run),
            "SecondaryStatus": transitions[-1]["Status"],
            "FailureReason": run["reason"][:_LONGEST_REASON] if run["status"] == "Failed" else None,
            # SDK v2 reads the key's name from every job that it attaches to.
            "OutputDataConfig": {"KmsKeyId": ""} | job["OutputDataConfig"],
            "ModelArtifacts": {"S3ModelArtifacts": artifacts} if artifacts else None,
            "CreationTime": _epoch(run["created_at"]),
            "TrainingStartTime": _first_start(run),
            "TrainingEndTime": _epoch(run["ended_at"]),
            "LastModifiedTime": _epoch(run["updated_at"]),
            "SecondaryStatusTransitions": transitions,
            "EnableManagedSpotTraining": job.get("EnableManagedSpotTraining", False),
            "EnableNetworkIsolation": job.get("EnableNetworkIsolation", False),
            "EnableInterContainerTrafficEncryption": job.get("EnableInterContainerTrafficEncryption", False),
            # SDK v2 divides by the first.
            "TrainingTimeInSeconds": run["training_seconds"] or None,
            "BillableTimeInSeconds": run["billable_seconds"] or None,
        }
    )


def summarize(summary: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """Return the entry of ListTrainingJobs for a run in a page of the API."""
    ended = summary["status"] in _ENDED
    return _present(
        {
            "TrainingJobName": summary["run_id"],
            "TrainingJobArn": arn,
            "CreationTime": _epoch(summary["created_at"]),
            # Nothing changes in a run after its end.
            "TrainingEndTime": _epoch(summary["updated_at"]) if ended else None,
            "LastModifiedTime": _epoch(summary["updated_at"]),
            "TrainingJobStatus": _status(summary),
        }
    )


def tags_of(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the tags of a run as its user gave them."""
    return [tag for tag in run["tags"] if tag["Key"] != CALL_TAG]


def _status(run: Mapping[str, Any]) -> str:
    status: str = run["status"]
    return "InProgress" if status == "Pending" else status


def _transitions(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the transitions of all attempts, and at last what the run itself is in, if no attempt shows it."""
    found = [_transition(step) for attempt in run["attempts"] for step in attempt["transitions"]]
    newest = found[-1]["Status"] if found else None
    match run["status"]:
        case "Completed" | "Failed" | "Stopped" | "Stopping" as status:
            secondary = status
        case _:
            secondary = "Pending" if newest is None or newest in _ENDED_SECONDARIES else newest
    if secondary == newest:
        return found
    ends = [attempt["ended_at"] for attempt in run["attempts"] if attempt["ended_at"]]
    since = run["ended_at"] or (ends[-1] if ends and secondary == "Pending" else None) or run["updated_at"]
    return [*found, {"Status": secondary, "StartTime": _epoch(since), "StatusMessage": run["reason"]}]


def _transition(step: Mapping[str, Any]) -> dict[str, Any]:
    return _present(
        {
            "Status": step["status"],
            "StartTime": _epoch(step["started_at"]),
            "EndTime": _epoch(step["ended_at"]),
            # SDK v2 prints it, and needs it to be there.
            "StatusMessage": step["message"] or step["status"],
        }
    )


def _first_start(run: Mapping[str, Any]) -> float | None:
    starts: Iterable[str] = (a["training_started_at"] for a in run["attempts"] if a["training_started_at"])
    return min((_seconds(start) for start in starts), default=None)


def _epoch(moment: str | None) -> float | None:
    return None if moment is None else _seconds(moment)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
