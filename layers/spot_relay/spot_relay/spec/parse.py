"""A plain document to a submission: which of the two shapes it has, what is wrong with it, what it means."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Market
from spot_relay.spec.document import Format, read_document
from spot_relay.spec.problem import Problems, child, shown, shown_key
from spot_relay.spec.request_model import check_request, place_of, request_members
from spot_relay.spec.run_name import check_name
from spot_relay.spec.suggestion import nearest, squeezed
from spot_relay.spec.training_job import Rules, check_job, normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.policy_model import PolicyModel

_WRAPPER_KEYS = ("name", "training_job", "policy")
# An item of the table has 400 KB, and fifty attempts with all that may be told of them take the rest.
MAX_KEPT_BYTES = 80_000
_SHAPES = "a spec is a CreateTrainingJob request, or a mapping with name, training_job and policy."


def read_submission(data: bytes, as_format: Format, rules: Rules) -> Submission:
    """Read and validate the text of a spec in one step; raise ``InvalidSpecError`` with every problem."""
    return parse(read_document(data, as_format), rules)


def parse(document: Mapping[str, Any], rules: Rules) -> Submission:
    """Validate a document that ``read_document`` gave.

    Raises
    ------
    InvalidSpecError
        With every problem found, or with the first 100.
    """
    problems = Problems()
    if _is_wrapped(document):
        name, job, model = _wrapped(document, rules, problems)
    else:
        (name, job), model = _bare(document, rules, problems), None
    problems.raise_if_any()
    training_job = normalised(copy.deepcopy(job))
    _check_size(training_job, "training_job" if "training_job" in document else "", problems)
    policy = model.policy(training_job) if model else Policy()
    return Submission(name, training_job, policy, _fingerprint(name, training_job, policy))


def _check_size(training_job: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Refuse what no item of the table could hold: aliases, escapes and characters of several bytes add up."""
    kept = len(json.dumps(training_job, separators=(",", ":"), ensure_ascii=False).encode())
    if kept > MAX_KEPT_BYTES:
        message = f"The training job takes {kept} bytes as JSON, and at most {MAX_KEPT_BYTES} are kept: shorten it."
        problems.add(path, message)
        problems.raise_if_any()


def _is_wrapped(document: Mapping[str, Any]) -> bool:
    """Tell the shapes apart by what is certain first: an exact key, then the spelling, then a near miss."""
    if "training_job" in document:
        return True
    if any(key in document for key in request_members()):
        return False
    if any(key in document for key in _WRAPPER_KEYS):
        return True
    squeezed_keys = {squeezed(key) for key in document if len(key) <= 64}
    if squeezed_keys & {squeezed(key) for key in _WRAPPER_KEYS}:
        return True
    return any(
        isinstance(value, dict) and nearest(key, ("training_job",)) for key, value in list(document.items())[:100]
    )


def _bare(document: Mapping[str, Any], rules: Rules, problems: Problems) -> tuple[str, Mapping[str, Any]]:
    if not any(key in request_members() or place_of(key) for key in list(document)[:100]):
        problems.add("", f"Found no key that is known: {_SHAPES}")
        problems.raise_if_any()
    job = dict(document)
    for key in _WRAPPER_KEYS:
        if key in job:
            del job[key]
            problems.add(key, _beside(key))
            if key == "name":
                problems.meant("TrainingJobName")
    check_request(job, "", problems)
    check_job(job, "", rules, problems)
    name = job.get("TrainingJobName")
    if "TrainingJobName" in job:
        check_name(name, "TrainingJobName", problems)
    else:
        problems.missing("TrainingJobName", "The key is missing: it is the run's name. Add it.")
    return str(name), job


def _beside(key: str) -> str:
    if key == "name":
        return 'The key is unknown in a CreateTrainingJob request: did you mean "TrainingJobName"?'
    return (
        f"A CreateTrainingJob request has no {key}: to give one, put the request under training_job, with name "
        "and policy beside it."
    )


def _wrapped(
    document: Mapping[str, Any], rules: Rules, problems: Problems
) -> tuple[str, Mapping[str, Any], PolicyModel | None]:
    for key in document:
        if key not in _WRAPPER_KEYS:
            problems.add(shown_key(key), _unknown_beside(key, problems))
    name = document.get("name")
    if "name" in document:
        check_name(name, "name", problems)
    else:
        problems.missing("name", "The key is missing: it is the run's name. Add it.")
    job = _training_job(document, rules, problems)
    model = None
    if "policy" in document:
        # Imported here because a bare request needs no pydantic, and a cold start counts.
        from spot_relay.spec.policy_model import check_policy

        model = check_policy(document["policy"], name, job, problems)
    return str(name), job, model


def _training_job(document: Mapping[str, Any], rules: Rules, problems: Problems) -> Mapping[str, Any]:
    if "training_job" not in document:
        problems.missing("training_job", "The key is missing: it is the CreateTrainingJob request. Add it.")
        return {}
    job = document["training_job"]
    if not isinstance(job, dict):
        # A whole request that was put in quotes by mistake, with its secrets, is a string, too.
        found = shown(job, secret=True)
        problems.add("training_job", f"Found {found} where a CreateTrainingJob request is needed.")
        return {}
    check_request(job, "training_job", problems)
    check_job(job, "training_job", rules, problems, has_spot_rung=_has_spot_rung(document.get("policy")))
    if "TrainingJobName" in job and job["TrainingJobName"] != document.get("name"):
        found = shown(job["TrainingJobName"])
        message = f"Found {found}, which is not the run's name: remove the key, or make it equal to name."
        problems.add(child("training_job", "TrainingJobName"), message)
    return job


def _has_spot_rung(policy: Any) -> bool:
    """Tell from a policy as it stands there, right or wrong, so that a fault in it causes none in the job."""
    ladder = policy.get("ladder") if isinstance(policy, dict) else None
    rungs = ladder if isinstance(ladder, list) else []
    return any(isinstance(rung, dict) and rung.get("market", Market.SPOT) == Market.SPOT for rung in rungs)


def _unknown_beside(key: str, problems: Problems) -> str:
    place = key if key in request_members() else None
    guess = None if place else nearest(key, _WRAPPER_KEYS)
    if guess is None and place is None:
        place = place_of(key)
    if guess is not None:
        problems.meant(guess)
        return f'The key is unknown: did you mean "{guess}"?'
    if place is not None:
        problems.meant(f"training_job.{place}")
        return f"The key is unknown here: CreateTrainingJob has it at training_job.{place}."
    return f"The key is unknown: {_SHAPES}"


def _fingerprint(name: str, training_job: Mapping[str, Any], policy: Policy) -> str:
    # Of the policy only what differs from the defaults: a field that a later version adds changes no old fingerprint.
    body = {"name": name, "training_job": training_job, "policy": _meaning(policy)}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _meaning(value: Any) -> Any:
    """Give a value as JSON has it, and of a dataclass those fields alone that differ from their defaults."""
    if is_dataclass(value):
        given = ((field.name, getattr(value, field.name), _default(field)) for field in fields(value))
        return {name: _meaning(item) for name, item, default in given if item != default}
    if isinstance(value, tuple):
        return [_meaning(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
