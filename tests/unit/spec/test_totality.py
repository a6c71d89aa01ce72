"""Any input yields a submission or problems, never any other error."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from spot_relay.domain.run.submission import Submission
from spot_relay.request.problem import MAX_PROBLEMS
from spot_relay.spec import Format, InvalidSpecError, read_deadline_change, read_move, read_resumption, read_submission
from tests.unit.spec.any_document import DOCUMENTS, KEYS, POLICIES, STARTS, SUCCESSES, VALUES
from tests.unit.spec.documents import ALLOWLIST, CALM, request, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.observation import DeadlineRequested, MoveRequested, ResumeRequested

    Request = ResumeRequested | MoveRequested | DeadlineRequested

FORMATS = st.sampled_from(Format)
YAML_PIECES = st.sampled_from(
    [
        *"[]{}:,-?&*!|>%@`'\"#~ \n\tax1é",
        *["&a ", "*a", "<<: ", "!!int ", "!!map ", "---\n", "...\n", "  ", "2024-01-01"],
    ]
)


def submit(data: bytes, as_format: Format) -> Submission | InvalidSpecError:
    """Return the submission in a text, or the error that refuses it."""
    try:
        return read_submission(data, as_format, ALLOWLIST)
    except InvalidSpecError as error:
        return error


def check(result: Submission | Request | InvalidSpecError) -> None:
    """Check that a refusal has problems, and that they can be stored."""
    if isinstance(result, InvalidSpecError):
        assert 1 <= len(result.problems) <= MAX_PROBLEMS + 1
        assert all(problem.message for problem in result.problems)
        json.dumps(result.details, ensure_ascii=False).encode()


@CALM
@given(st.binary(max_size=200), FORMATS)
@example(b"\xef\xbb\xbf", Format.YAML)
@example(b"!!float ''", Format.YAML)
@example(b"a: !!int ''", Format.YAML)
@example(b"a: !!bool maybe", Format.YAML)
@example(b"a: !!float 1:99:x", Format.YAML)
def test_any_bytes_yield_a_submission_or_problems(data: bytes, as_format: Format) -> None:
    check(submit(data, as_format))


@CALM
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_combination_of_yaml_syntax_yields_a_submission_or_problems(text: str) -> None:
    check(submit(text.encode(), Format.YAML))


@CALM
@given(DOCUMENTS)
def test_any_json_document_yields_a_submission_or_problems(document: dict[str, Any]) -> None:
    check(submit(json.dumps(document).encode(), Format.JSON))


@CALM
@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_change_to_a_valid_job_yields_a_submission_or_problems(changes: dict[str, Any]) -> None:
    job = request() | changes
    check(submit(json.dumps(job).encode(), Format.JSON))
    check(submit(json.dumps({"name": "a", "training_job": job, "policy": changes}).encode(), Format.JSON))


# Changes to the parts of a job that a policy is checked against.
JOBS = st.dictionaries(
    st.sampled_from(
        [
            "AlgorithmSpecification",
            "CheckpointConfig",
            "EnableManagedSpotTraining",
            "ResourceConfig",
            "RoleArn",
            "StoppingCondition",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["InstanceGroups", "InstanceCount", "MaxRuntimeInSeconds", "TrainingImage", "AlgorithmName"]),
        VALUES,
        max_size=2,
    )
    | VALUES,
    max_size=1,
)


@CALM
@given(POLICIES, JOBS)
def test_any_policy_on_any_job_yields_a_submission_or_problems(policy: dict[str, Any], changes: dict[str, Any]) -> None:
    document = {"name": "a", "training_job": request(TrainingJobName=None) | changes, "policy": policy}
    check(submit(json.dumps(document).encode(), Format.JSON))


@CALM
@given(STARTS, VALUES)
def test_any_start_of_any_job_yields_a_submission_or_problems(start: dict[str, Any], channels: Any) -> None:
    job = request(TrainingJobName=None) | {"InputDataConfig": channels}
    check(submit(json.dumps({"name": "a", "training_job": job, **start}).encode(), Format.JSON))
    check(
        submit(json.dumps({"name": "a", "training_job": request(TrainingJobName=None), **start}).encode(), Format.JSON)
    )


@CALM
@given(SUCCESSES | VALUES, JOBS)
def test_any_hosting_of_any_job_yields_a_submission_or_problems(success: Any, changes: dict[str, Any]) -> None:
    document = {"name": "a", "training_job": request(TrainingJobName=None) | changes, "on_success": success}
    for allowlist in (ALLOWLIST, replace(ALLOWLIST, allow_hosting=True, allow_checkpoint_copies=True)):
        try:
            check(read_submission(json.dumps(document).encode(), Format.JSON, allowlist))
        except InvalidSpecError as error:
            check(error)


READERS = st.sampled_from([read_resumption, read_move, read_deadline_change])


def request_of(read: Callable[[bytes], Request], data: bytes) -> Request | InvalidSpecError:
    """Return the request in a body, or the error that refuses it."""
    try:
        return read(data)
    except InvalidSpecError as error:
        return error


@CALM
@given(READERS, st.binary(max_size=100))
def test_any_bytes_yield_a_request_or_problems(read: Callable[[bytes], Request], data: bytes) -> None:
    check(request_of(read, data))


@CALM
@given(READERS, POLICIES | DOCUMENTS)
def test_any_json_body_yields_a_request_or_problems(read: Callable[[bytes], Request], body: dict[str, Any]) -> None:
    check(request_of(read, json.dumps(body).encode()))


NAMES = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,30}", fullmatch=True).filter(lambda name: "-relay-" not in name)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=20)
PARAMETERS = st.dictionaries(TEXTS, TEXTS, max_size=5)


@CALM
@given(name=NAMES, parameters=PARAMETERS, runtime=st.integers(1, 86_400), slack=st.integers(0, 86_400))
def test_bare_and_wrapped_json_and_yaml_agree(name: str, parameters: dict[str, str], runtime: int, slack: int) -> None:
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": runtime + slack}
    changes: dict[str, Any] = {"HyperParameters": parameters, "StoppingCondition": stopping}
    bare, in_wrapper = request(TrainingJobName=name, **changes), wrapped(name=name, **changes)
    results = []
    for document in (bare, in_wrapper):
        results.append(submit(json.dumps(document).encode(), Format.JSON))
        results.append(submit(yaml.safe_dump(document, allow_unicode=True).encode(), Format.YAML))
    assert isinstance(results[0], Submission)
    assert all(result == results[0] for result in results)


VALID_RUNGS = st.fixed_dictionaries(
    {"instance_type": st.sampled_from(["ml.p3.2xlarge", "ml.g5.12xlarge"])},
    optional={
        "instance_count": st.integers(1, 2**31 - 1),
        "volume_size_gb": st.integers(1, 2**31 - 1),
        "market": st.sampled_from(["spot", "on-demand"]),
        "attempts": st.integers(1, 50),
    },
)


@CALM
@given(
    rungs=st.lists(VALID_RUNGS, min_size=1, max_size=10),
    money=st.floats(0, 1e9, exclude_min=True) | st.integers(1, 10**9),
    runtime=st.integers(60, 3000),
    slack=st.integers(0, 86_400),
)
def test_any_policy_within_the_bounds_is_accepted_and_means_the_same_in_json_and_yaml(
    rungs: list[dict[str, Any]], money: float, runtime: int, slack: int
) -> None:
    deadline = {"deadline": f"PT{runtime + 600 + slack}S", "expected_runtime": runtime}
    document = wrapped({"ladder": rungs, "budgets": {"money_usd": money}, **deadline})
    result = submit(json.dumps(document).encode(), Format.JSON)
    assert isinstance(result, Submission)
    assert len(result.policy.ladder) == len(rungs)
    assert submit(yaml.safe_dump(document).encode(), Format.YAML) == result
