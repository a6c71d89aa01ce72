"""How large a training job may be: what is kept of a run has to fit an item of the table."""

from __future__ import annotations

import json

import pytest
import yaml

from spot_relay.spec import Format, InvalidSpecError, read_submission
from spot_relay.spec.document import MAX_BYTES
from spot_relay.spec.parse import MAX_KEPT_BYTES
from tests.unit.spec.documents import RULES, problems_of, request, wrapped


def filled(size: int) -> dict[str, str]:
    """Hyperparameters with which the job of the tests takes so many bytes as it is kept, and no value is too long."""
    parameters = {f"p{number:02d}": "x" * 2000 for number in range(39)}
    kept = request(TrainingJobName=None, HyperParameters=parameters | {"last": ""})
    missing = size - len(json.dumps(kept, separators=(",", ":")))
    assert 0 < missing <= 2500
    return parameters | {"last": "x" * missing}


def test_a_job_of_exactly_the_limit_is_taken_and_one_byte_more_is_refused() -> None:
    assert problems_of(wrapped(HyperParameters=filled(MAX_KEPT_BYTES))) == {}
    assert problems_of(request(HyperParameters=filled(MAX_KEPT_BYTES))) == {}
    message = "The training job takes 80001 bytes as JSON, and at most 80000 are kept: shorten it."
    assert problems_of(wrapped(HyperParameters=filled(MAX_KEPT_BYTES + 1))) == {"training_job": message}
    assert problems_of(request(HyperParameters=filled(MAX_KEPT_BYTES + 1))) == {"": message}


def spec_of(parameters: str) -> bytes:
    """A spec in YAML with hyperparameters as they are written there."""
    document = wrapped(HyperParameters=None)
    document["training_job"]["HyperParameters"] = "HERE"
    return yaml.safe_dump(document).replace("HERE", parameters).encode()


@pytest.mark.parametrize(
    "parameters",
    [
        # A few kilobytes of text, followed by aliases and of four bytes a character, are a megabyte.
        "{a: &a '" + "\N{GRINNING FACE}" * 2500 + "'" + "".join(f", k{n}: *a" for n in range(90)) + "}",
        # Each of these takes a byte in the text and two in what is kept.
        "{" + ", ".join(f"k{n}: '" + '"' * 2400 + "'" for n in range(90)) + "}",
        # And each of these two, and six.
        "{" + ", ".join(f'k{n}: "' + "\\0" * 1200 + '"' for n in range(90)) + "}",
    ],
    ids=["aliases", "quotes", "controls"],
)
def test_a_text_within_its_limit_whose_job_would_fit_no_item_is_refused(parameters: str) -> None:
    data = spec_of(parameters)
    assert len(data) <= MAX_BYTES
    with pytest.raises(InvalidSpecError, match="at most 80000 are kept"):
        read_submission(data, Format.YAML, RULES)
