"""Recognise documents that are about a training job but are no spec, and say what to take from them.

Checked against SageMaker's model, such a document would have a dozen problems, each with a hint that misleads. Here it
has one, which says what the document is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.request.problem import InvalidSpecError, format_key, join_path
from spot_relay.request.request_model import list_request_keys
from spot_relay.request.suggestion import SDK_OPTIONS, find_nearest, squeeze
from spot_relay.spec.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Two of these keys, in any spelling, make a mapping a CreateTrainingJob request.
_CORE = frozenset(
    {"trainingjobname", "rolearn", "algorithmspecification", "resourceconfig", "outputdataconfig", "stoppingcondition"}
    | {"inputdataconfig", "checkpointconfig", "enablemanagedspottraining"}
)
_OF_DESCRIPTION = frozenset({"trainingjobstatus", "secondarystatus", "secondarystatustransitions", "trainingjobarn"})
_OTHER_REQUESTS = {
    "HyperParameterTuningJobName": "CreateHyperParameterTuningJob",
    "HyperParameterTuningJobConfig": "CreateHyperParameterTuningJob",
    "ProcessingJobName": "CreateProcessingJob",
    "TransformJobName": "CreateTransformJob",
    "AutoMLJobName": "CreateAutoMLJob",
    "CompilationJobName": "CreateCompilationJob",
    "LabelingJobName": "CreateLabelingJob",
    "EndpointConfigName": "CreateEndpointConfig",
}
_MODEL_TRAINER = frozenset({"source_code", "compute", "training_image"})
_AIRFLOW = frozenset({"task_id", "aws_conn_id", "wait_for_completion", "operator"})
_SPELLINGS = (
    ("_", "snake_case, as in Terraform and the SageMaker Python SDK"),
    ("-", "the form of the AWS CLI's options"),
    ("", "another spelling, as in CloudTrail, Kubernetes and the SDKs for Java and JavaScript"),
)
_ARGUMENTS = (
    "These are arguments of the SageMaker Python SDK's {}. Put them under the key estimator, and the name of the run "
    "next to it under the key name."
)
_MOST_LISTED = 30
_MOST_KEY_CHARACTERS = 64
_MOST_VISITED = 2000
_MOST_LEVELS = 8
_MOST_TEXTS = 20
_IN_TEXT = " (JSON text)"


def recognise_foreign(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the path and the message of the one problem of a document that is no spec, or None if it may be one."""
    job = document.get("training_job")
    if isinstance(job, dict):
        message = _recognise_wrapped_twice(job) or _recognise(job)
        return None if message is None else ("training_job", message)
    if isinstance(document.get("estimator"), dict):
        return None
    message = _recognise(document) or _recognise_nested(document)
    return None if message is None else ("", message)


def _recognise_wrapped_twice(job: Mapping[str, Any]) -> str | None:
    if not isinstance(job.get("training_job"), dict) or _has_request_key(job):
        return None
    beside = "".join(f", and move {format_key(key)} next to it" for key in list(job)[:5] if key != "training_job")
    return f"The request is wrapped twice. Move what is under training_job.training_job up to training_job{beside}."


def _recognise(document: Mapping[str, Any]) -> str | None:
    return next((message for recognise in _RECOGNISERS if (message := recognise(document)) is not None), None)


def _recognise_nested(document: Mapping[str, Any]) -> str | None:
    """Recognise a request in a wrapper that is known to nobody here."""
    if _has_request_key(document):
        return None
    path, found = _find_request(document)
    if found is None:
        return None
    if (message := _recognise_description(found)) is not None:
        return f"At {path}: {message}"
    # A misspelt training_job gets a suggestion instead.
    key = path.removesuffix(_IN_TEXT)
    is_misspelt = "." not in key and find_nearest(key, ("training_job",)) is not None
    return None if is_misspelt else _advise("a CreateTrainingJob request in a wrapper", document)


def _has_request_key(document: Mapping[str, Any]) -> bool:
    return any(key in document for key in list_request_keys())


def _advise(what: str, document: Mapping[str, Any]) -> str:
    """Return the message for a document that has a request somewhere in it."""
    path, found = _find_request(document)
    if found is None:
        return f"This is {what}, and no CreateTrainingJob request was found in it. Submit a request."
    advice = [f"This is {what}. The request is at {path}: submit only that."]
    misspelt = _list_misspelt(found)
    if misspelt:
        advice.append(f"Write its keys as CreateTrainingJob has them: {misspelt}.")
    if reference := next(_list_references(found), None):
        advice.append(f"Replace references such as {format_key(reference)} with values.")
    if "trainingjobname" not in {squeeze(key.removesuffix(".$")) for key in found}:
        advice.append("Add TrainingJobName, which becomes the name of the run.")
    return " ".join(advice)


def _find_request(document: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the path of the request nearest to the top of a document, and the request, after bounded work.

    Services that call others have requests as JSON text: Batch, Scheduler, and state machines in CloudFormation.
    """
    queue: list[tuple[str, Any, int]] = [("", document, 0)]
    texts = 0
    for visited, (path, value, level) in enumerate(queue):
        if visited > _MOST_VISITED or level > _MOST_LEVELS:
            break
        if isinstance(value, dict):
            if path and _is_request(value):
                return path, value
            queue += [(join_path(path, key), item, level + 1) for key, item in list(value.items())[:100]]
        elif isinstance(value, list):
            queue += [(f"{path}[{index}]", item, level + 1) for index, item in enumerate(value[:100])]
        elif isinstance(value, str) and value[:100].lstrip().startswith("{") and texts < _MOST_TEXTS:
            texts += 1
            queue.append((path + _IN_TEXT, _read_text(value), level + 1))
    return "", None


def _read_text(text: str) -> Any:
    try:
        return read_json(text)
    except InvalidSpecError:
        return None


def _is_request(value: Mapping[str, Any]) -> bool:
    keys = {squeeze(key.removesuffix(".$")) for key in list(value)[:100] if len(key) <= _MOST_KEY_CHARACTERS}
    return len(keys & _CORE) > 1


def _list_misspelt(request: Mapping[str, Any]) -> str:
    """Return up to three keys that a request spells otherwise than CreateTrainingJob does, each with its right name."""
    names = {squeeze(name): name for name in list_request_keys()}
    found = [(names.get(squeeze(key.removesuffix(".$"))), key) for key in request if len(key) <= _MOST_KEY_CHARACTERS]
    pairs = [f"{name} for {format_key(key)}" for name, key in found if name is not None and name != key]
    return ", ".join(pairs[:3])


def _list_references(value: Any, level: int = 0) -> Iterator[str]:
    """Yield what stands for a value elsewhere: of Step Functions, Pipelines, CloudFormation, Terraform or Airflow."""
    if isinstance(value, dict) and level < _MOST_LEVELS:
        for key, item in value.items():
            if key.endswith(".$"):
                yield key
            elif key in {"Ref", "Get"} or key.startswith(("Fn::", "Std:")):
                yield f'{{"{key}": …}}'
            yield from _list_references(item, level + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _list_references(item, level + 1)
    elif isinstance(value, str) and value[:200].lstrip().startswith(("${", "{{", "{%", "$.", "$$.")):
        yield value


def _recognise_description(document: Mapping[str, Any]) -> str | None:
    squeezed = {squeeze(key) for key in document if len(key) <= _MOST_KEY_CHARACTERS}
    if not squeezed & _OF_DESCRIPTION and not ("ResponseMetadata" in document and _has_request_key(document)):
        return None
    kept = [key for key in list_request_keys() if key in document]
    if not kept and not _is_request(document):
        return (
            "This is an answer of SageMaker about a training job, without the job's request. Submit the "
            "CreateTrainingJob request."
        )
    rest = [format_key(key) for key in document if key not in kept]
    keep = f"Keep {', '.join(kept)}" if kept else "Keep what CreateTrainingJob has, spelled as it spells it"
    return (
        f"This is a response of DescribeTrainingJob, not a request. {keep}, and remove {_list(rest)}. TrainingJobName "
        "becomes the name of the run."
    )


def _list(keys: list[str]) -> str:
    more = f" and {len(keys) - _MOST_LISTED} more" if len(keys) > _MOST_LISTED else ""
    return ", ".join(keys[:_MOST_LISTED]) + more


def _recognise_event(document: Mapping[str, Any]) -> str | None:
    if "requestParameters" in document and "eventName" in document:
        return _advise("a CloudTrail record", document)
    detail = document.get("detail")
    if "detail-type" not in document or not isinstance(detail, dict):
        return None
    if "requestParameters" in detail:
        return _advise("a CloudTrail record in an EventBridge event", detail)
    return (
        "This is an EventBridge event, which has only a part of a job's request: no EnableManagedSpotTraining, "
        "CheckpointConfig or Environment. Submit the request that created the job."
    )


def _recognise_workflow(document: Mapping[str, Any]) -> str | None:
    if isinstance(document.get("States"), dict):
        return _advise("a Step Functions state machine", document)
    given = {key for key in ("Parameters", "Arguments") if isinstance(document.get(key), dict)}
    if isinstance(document.get("Steps"), list) or "PipelineDefinition" in document:
        return _advise("a SageMaker pipeline", document)
    kind = document.get("Type")
    if kind == "Task" or (given and "Resource" in document):
        return _advise("a Step Functions state", document)
    if isinstance(kind, str) and "Arguments" in given:
        return _advise("a step of a SageMaker pipeline", document)
    states = [value for value in list(document.values())[:100] if isinstance(value, dict)]
    if states and all(value.get("Type") == "Task" for value in states):
        return _advise("a mapping of Step Functions states", document)
    return None


def _recognise_template(document: Mapping[str, Any]) -> str | None:
    resources = document.get("Resources")
    entries = list(resources.values())[:100] if isinstance(resources, dict) else [document, *document.values()][:100]
    kinds = [entry.get("Type") for entry in entries if isinstance(entry, dict)]
    if any(isinstance(kind, str) and kind.startswith(("AWS::", "Custom::")) for kind in kinds):
        return _advise("a CloudFormation template or resource", document)
    if "apiVersion" in document and "kind" in document:
        return _advise("a Kubernetes resource", document)
    if isinstance(document.get("resource"), dict) and not _is_request(document):
        return _advise("a Terraform configuration", document)
    if any(key.startswith("aws_sagemaker_") for key in document):
        return _advise("a Terraform resource", document)
    return None


def _recognise_other_request(document: Mapping[str, Any]) -> str | None:
    if "TrainingJobSummaries" in document:
        return "This is an answer of ListTrainingJobs. Submit the CreateTrainingJob request of a single job."
    operation = next((operation for key, operation in _OTHER_REQUESTS.items() if key in document), None)
    if operation is None:
        return None
    return f"This is a request of {operation}. Spot Relay runs training jobs: submit a CreateTrainingJob request."


def _recognise_own(document: Mapping[str, Any]) -> str | None:
    if "run_id" in document and "attempts" in document:
        return "This is the status document of a run. Submit its spec; to continue a run that has ended, resume it."
    if "errors" in document and "reported_at" in document:
        return "This is an error report. Submit the spec that it is about, with its problems corrected."
    return None


def _recognise_skeleton(document: Mapping[str, Any]) -> str | None:
    if document.get("TrainingJobName") == "" == document.get("RoleArn"):
        return (
            "This is a skeleton of the AWS CLI without values. Fill in TrainingJobName, RoleArn and what else your job "
            "needs, and remove all other keys."
        )
    return None


def _recognise_arguments(document: Mapping[str, Any]) -> str | None:
    if isinstance(document.get("config"), dict) and _AIRFLOW & set(document):
        return _advise("a task of Airflow's SageMakerTrainingOperator", document)
    if _has_request_key(document):
        return None
    if isinstance(document.get("compute"), dict) and _MODEL_TRAINER & set(document) > {"compute"}:
        return _ARGUMENTS.format("ModelTrainer")
    spelled = {squeeze(key) for key in list_request_keys()}
    options = [key for key in document if key in SDK_OPTIONS and squeeze(key) not in spelled]
    return _ARGUMENTS.format("Estimator") if len(options) > 2 else None


def _recognise_spelling(document: Mapping[str, Any]) -> str | None:
    if _has_request_key(document) or not _is_request(document):
        return None
    keys = [key for key in document if squeeze(key) in _CORE]
    style = next(style for mark, style in _SPELLINGS if any(mark in key for key in keys))
    return (
        f"The keys of this request are in {style}. Write all of them, also the nested ones, as CreateTrainingJob has "
        f"them: {_list_misspelt(document)}."
    )


_RECOGNISERS: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
    _recognise_event,
    _recognise_workflow,
    _recognise_template,
    _recognise_other_request,
    _recognise_own,
    _recognise_skeleton,
    _recognise_description,
    _recognise_arguments,
    _recognise_spelling,
)
