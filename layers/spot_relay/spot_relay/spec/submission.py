"""Turn a plain document into a submission: recognise its shape, collect its problems, and fingerprint it."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from spot_relay.domain.run.hosting import OnSuccess
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.start import Start
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Market
from spot_relay.request.estimator import ESTIMATOR, translate
from spot_relay.request.problem import InvalidSpecError, Problem, Problems, describe, format_key, join_path
from spot_relay.request.request_model import check_request, find_place, list_request_keys
from spot_relay.request.suggestion import find_nearest, squeeze
from spot_relay.spec.document import Format, copy_plain, parse_document
from spot_relay.spec.foreign_document import recognise_foreign
from spot_relay.spec.job_rules import Allowlist, check_job, normalise_job
from spot_relay.spec.notify import NOTIFY, check_notify
from spot_relay.spec.on_end import ON_END, TASK_TOKEN, check_on_end
from spot_relay.spec.run_name import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.domain.run.news import NoticeKind
    from spot_relay.spec.policy_model import PolicyModel
    from spot_relay.spec.start_model import StartModel
    from spot_relay.spec.success_model import SuccessModel

_START_KEYS = ("start_at", "after", "continue_from")
_ON_SUCCESS = "on_success"
_WRAPPER_KEYS = ("name", "estimator", "training_job", "policy", "on_end", *_START_KEYS, _ON_SUCCESS, NOTIFY)
# A DynamoDB item has at most 400 KB; fifty attempts, with everything that is stored about them, need the rest.
MAX_STORED_BYTES = 80_000
_SHAPES = (
    "A spec is a CreateTrainingJob request, or a mapping with the keys name, training_job or estimator, policy, "
    "start_at, after, continue_from, on_success, on_end and notify."
)
_MISSING_NAME = "This key is required: it is the name of the run. Add it."


def read_submission(data: bytes, as_format: Format, allowlist: Allowlist) -> Submission:
    """Read and validate a spec; raise ``InvalidSpecError`` with every problem."""
    parsed = parse_document(data, as_format)
    # Before its values are checked: a template has references such as !Ref, which are not what is wrong with it here.
    _refuse_foreign(parsed)
    return parse_submission(copy_plain(parsed), allowlist)


def parse_submission(document: Mapping[str, Any], allowlist: Allowlist) -> Submission:
    """Validate a document that ``read_document`` returned.

    Raises
    ------
    InvalidSpecError
        With all problems, or the first 100.
    """
    _refuse_foreign(document)
    problems = Problems()
    if _is_wrapped(document):
        name, job, models = _check_wrapped(document, allowlist, problems)
    else:
        (name, job), models = _check_bare(document, allowlist, problems), _Models()
    problems.raise_if_any()
    training_job = normalise_job(copy.deepcopy(job))
    _check_size(training_job, document, problems)
    policy = models.policy.build(training_job) if models.policy else Policy()
    token = document[ON_END][TASK_TOKEN] if ON_END in document else None
    start = models.start.build() if models.start else Start()
    success = models.success.build(training_job) if models.success else OnSuccess()
    others: dict[str, Any] = {"start": start, "on_success": success}
    fingerprint = _fingerprint(name, training_job, policy, models.notify, **others)
    return Submission(name, training_job, policy, fingerprint, **others, task_token=token, notify=models.notify)


class _Models(NamedTuple):
    """The parts of a document beside the training job, each None if it has no such part, or an invalid one."""

    policy: PolicyModel | None = None
    start: StartModel | None = None
    success: SuccessModel | None = None
    notify: tuple[NoticeKind, ...] | None = None


def _refuse_foreign(document: Mapping[str, Any]) -> None:
    if foreign := recognise_foreign(document):
        raise InvalidSpecError((Problem(*foreign),))


def _check_size(training_job: Mapping[str, Any], document: Mapping[str, Any], problems: Problems) -> None:
    """Refuse a job too large for a DynamoDB item: aliases, escapes and multi-byte characters can inflate it."""
    parts = {"The training job": training_job}
    if _is_wrapped(document) and _ON_SUCCESS in document:
        parts[f"{_ON_SUCCESS} together with the training job"] = {**training_job, _ON_SUCCESS: document[_ON_SUCCESS]}
    for name, part in parts.items():
        size = len(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())
        if size <= MAX_STORED_BYTES:
            continue
        path = next((key for key in (ESTIMATOR, "training_job") if key in document), "")
        message = f"{name} takes {size} bytes as JSON, but at most {MAX_STORED_BYTES} can be stored. Shorten it."
        problems.add(path if part is training_job else _ON_SUCCESS, message)
        problems.raise_if_any()


def _is_wrapped(document: Mapping[str, Any]) -> bool:
    """Whether the training job is wrapped in a mapping. Exact keys decide; without any, similar keys do."""
    if "training_job" in document or ESTIMATOR in document:
        return True
    if any(key in document for key in list_request_keys()):
        return False
    if any(key in document for key in _WRAPPER_KEYS):
        return True
    squeezed_keys = {squeeze(key) for key in document if len(key) <= 64}
    if squeezed_keys & {squeeze(key) for key in _WRAPPER_KEYS}:
        return True
    return any(
        isinstance(value, dict) and find_nearest(key, ("training_job",)) for key, value in list(document.items())[:100]
    )


def _check_bare(document: Mapping[str, Any], allowlist: Allowlist, problems: Problems) -> tuple[str, Mapping[str, Any]]:
    if not any(key in list_request_keys() or find_place(key) for key in list(document)[:100]):
        problems.add("", f"The document has no known key. {_SHAPES}")
        problems.raise_if_any()
    job = dict(document)
    for key in _WRAPPER_KEYS:
        if key in job:
            del job[key]
            problems.add(key, _explain_wrapper_key(key))
            if key == "name":
                problems.note_intended("TrainingJobName")
    check_request(job, "", problems)
    check_job(job, "", allowlist, problems)
    name = job.get("TrainingJobName")
    if "TrainingJobName" in job:
        check_name(name, "TrainingJobName", problems)
    else:
        problems.add_missing("TrainingJobName", _MISSING_NAME)
    return str(name), job


def _explain_wrapper_key(key: str) -> str:
    if key == "name":
        return 'Unknown key in a CreateTrainingJob request. Did you mean "TrainingJobName"?'
    return (
        f"A CreateTrainingJob request has no {key}. To add one, move the request to training_job, and put name and "
        f"{key} next to it."
    )


def _check_wrapped(
    document: Mapping[str, Any], allowlist: Allowlist, problems: Problems
) -> tuple[str, Mapping[str, Any], _Models]:
    for key in document:
        if key not in _WRAPPER_KEYS:
            problems.add(format_key(key), _explain_unknown_key(key, problems))
    name_path, name = "name", document.get("name")
    if ESTIMATOR in document:
        name_path, name, document = _translate(document, allowlist, problems)
    if name is not None or name_path in document:
        check_name(name, name_path, problems)
    else:
        problems.add_missing("name", _MISSING_NAME)
    job = _check_training_job({**document, "name": name}, allowlist, problems)
    models = _check_rest(document, name, job, allowlist, problems)
    if ON_END in document:
        check_on_end(document[ON_END], allowlist.task_token_state_machines, problems)
    return str(name), job, models


def _check_rest(
    document: Mapping[str, Any], name: Any, job: Mapping[str, Any], allowlist: Allowlist, problems: Problems
) -> _Models:
    models = _Models()
    if "policy" in document:
        # Imported here to keep cold starts short: a bare request does not need pydantic.
        from spot_relay.spec.policy_model import check_policy

        models = models._replace(policy=check_policy(document["policy"], job, problems))
    if any(key in document for key in _START_KEYS):
        from spot_relay.spec.start_model import check_start

        models = models._replace(start=check_start(document, name, job, allowlist, problems))
    if _ON_SUCCESS in document:
        from spot_relay.spec.success_model import check_success

        models = models._replace(success=check_success(document[_ON_SUCCESS], job, allowlist, problems))
    if NOTIFY in document:
        models = models._replace(notify=check_notify(document[NOTIFY], problems))
    return models


def _translate(
    document: Mapping[str, Any], allowlist: Allowlist, problems: Problems
) -> tuple[str, Any, Mapping[str, Any]]:
    """Return the path and the value of the run's name, and the document with the training job of its estimator."""
    translation = translate(document, allowlist.region, allowlist.allowed_role_arns, problems)
    if isinstance(document.get("training_job", {}), dict):
        document = {**document, "training_job": translation.job}
        problems.trace(translation.origins)
    path, name = translation.name or ("name", document.get("name"))
    if "name" not in document:
        return path, name, document
    if path.endswith(".job_name") and name != document["name"]:
        message = f"Found {describe(name)}, which differs from the name of the run. Remove the key, or make it equal."
        problems.add(path, message)
    return "name", document["name"], document


def _check_training_job(document: Mapping[str, Any], allowlist: Allowlist, problems: Problems) -> Mapping[str, Any]:
    if "training_job" not in document:
        message = "This key is required: it is the CreateTrainingJob request. Add it."
        problems.add_missing("training_job", message)
        return {}
    job = document["training_job"]
    if not isinstance(job, dict):
        # It may be a string that contains a whole request with its secrets, quoted by mistake.
        found = describe(job, secret=True)
        problems.add("training_job", f"Expected a CreateTrainingJob request, but found {found}. Write a mapping.")
        return {}
    check_request(job, "training_job", problems)
    check_job(job, "training_job", allowlist, problems, has_spot_rung=_has_spot_rung(document.get("policy")))
    if "TrainingJobName" in job and job["TrainingJobName"] != document.get("name"):
        found = describe(job["TrainingJobName"])
        message = f"Found {found}, which differs from the name of the run. Remove the key, or make it equal to name."
        problems.add(join_path("training_job", "TrainingJobName"), message)
    return job


def _has_spot_rung(policy: Any) -> bool:
    """Whether a policy's ladder has a spot rung, even if the policy is invalid.

    A mistake in the policy must not cause problems to be reported with the job.
    """
    ladder = policy.get("ladder") if isinstance(policy, dict) else None
    rungs = ladder if isinstance(ladder, list) else []
    return any(isinstance(rung, dict) and rung.get("market", Market.SPOT) == Market.SPOT for rung in rungs)


def _explain_unknown_key(key: str, problems: Problems) -> str:
    if key in ("trigger", "schedule", "settle", "at_most"):
        problems.note_intended(key)
        return "Only templates have this key. Upload the spec under templates/ instead of runs/, or remove the key."
    place = key if key in list_request_keys() else None
    nearest = None if place else find_nearest(key, _WRAPPER_KEYS)
    if nearest is None and place is None:
        place = find_place(key)
    if nearest is not None:
        problems.note_intended(nearest)
        return f'Unknown key. Did you mean "{nearest}"?'
    if place is not None:
        problems.note_intended(f"training_job.{place}")
        return f"Unknown key here. Move it to training_job.{place}."
    return f"Unknown key. {_SHAPES}"


def _fingerprint(
    name: str,
    training_job: Mapping[str, Any],
    policy: Policy,
    notify: tuple[NoticeKind, ...] | None,
    **others: Start | OnSuccess,
) -> str:
    # Only what differs from the defaults, so that a new field of the policy does not change old fingerprints.
    body = {"name": name, "training_job": training_job, "policy": _drop_defaults(policy)}
    body |= {key: _drop_defaults(value) for key, value in others.items() if value}
    body |= {} if notify is None else {NOTIFY: sorted(notify)}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _drop_defaults(value: Any) -> Any:
    """Return a value as JSON, and of each dataclass only the fields that differ from their defaults."""
    if is_dataclass(value):
        given = ((field.name, getattr(value, field.name), _get_default(field)) for field in fields(value))
        return {name: _drop_defaults(item) for name, item, default in given if item != default}
    if isinstance(value, tuple):
        return [_drop_defaults(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _get_default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
