"""Whatever is handed in ends in a submission or in problems, never in another error."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from spot_relay.domain.submission import Submission
from spot_relay.spec import Format, InvalidSpecError, read_submission
from spot_relay.spec.problem import MAX_PROBLEMS
from spot_relay.spec.request_model import training_job_shape
from tests.unit.spec.documents import CALM, RULES, request, wrapped

FORMATS = st.sampled_from(Format)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
KEYS = st.text(max_size=12) | st.sampled_from([*training_job_shape().members, "name", "training_job", "policy"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)
YAML_PIECES = st.sampled_from(
    [
        *"[]{}:,-?&*!|>%@`'\"#~ \n\tax1é",
        *["&a ", "*a", "<<: ", "!!int ", "!!map ", "---\n", "...\n", "  ", "2024-01-01"],
    ]
)


def outcome(data: bytes, as_format: Format) -> Submission | InvalidSpecError:
    """Give what becomes of a text."""
    try:
        return read_submission(data, as_format, RULES)
    except InvalidSpecError as error:
        return error


def check(result: Submission | InvalidSpecError) -> None:
    """Check that a refusal has something to say, in a form that can be stored."""
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
def test_any_bytes_end_in_a_submission_or_in_problems(data: bytes, as_format: Format) -> None:
    check(outcome(data, as_format))


@CALM
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_any_text_of_yaml_pieces_ends_in_a_submission_or_in_problems(text: str) -> None:
    check(outcome(text.encode(), Format.YAML))


@CALM
@given(DOCUMENTS)
def test_any_json_document_ends_in_a_submission_or_in_problems(document: dict[str, Any]) -> None:
    check(outcome(json.dumps(document).encode(), Format.JSON))


@CALM
@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_change_of_a_valid_job_ends_in_a_submission_or_in_problems(changes: dict[str, Any]) -> None:
    job = request() | changes
    check(outcome(json.dumps(job).encode(), Format.JSON))
    check(outcome(json.dumps({"name": "a", "training_job": job, "policy": changes}).encode(), Format.JSON))


NAMES = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,30}", fullmatch=True).filter(lambda name: "-relay-" not in name)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=20)
PARAMETERS = st.dictionaries(TEXTS, TEXTS, max_size=5)


@CALM
@given(name=NAMES, parameters=PARAMETERS, runtime=st.integers(1, 86_400), slack=st.integers(0, 86_400))
def test_bare_and_wrapped_json_and_yaml_agree(name: str, parameters: dict[str, str], runtime: int, slack: int) -> None:
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": runtime + slack}
    changes: dict[str, Any] = {"HyperParameters": parameters, "StoppingCondition": stopping}
    bare, boxed = request(TrainingJobName=name, **changes), wrapped(name=name, **changes)
    results = []
    for document in (bare, boxed):
        results.append(outcome(json.dumps(document).encode(), Format.JSON))
        results.append(outcome(yaml.safe_dump(document, allow_unicode=True).encode(), Format.YAML))
    assert isinstance(results[0], Submission)
    assert all(result == results[0] for result in results)
