"""How large a training job may be: everything stored about a run must fit into one DynamoDB item."""

from __future__ import annotations

import json

import pytest
import yaml
from inline_snapshot import snapshot

from spot_relay.spec import Format, InvalidSpecError, read_submission
from spot_relay.spec.raw_document import MAX_BYTES
from spot_relay.spec.submission import MAX_STORED_BYTES
from tests.unit.spec.documents import ALLOWLIST, find_problems, request, wrapped


def fill_up_to(size: int) -> dict[str, str]:
    """Return hyperparameters with which the stored job takes ``size`` bytes, none of them too long."""
    parameters = {f"p{number:02d}": "x" * 2000 for number in range(39)}
    stored = request(TrainingJobName=None, HyperParameters=parameters | {"last": ""})
    missing = size - len(json.dumps(stored, separators=(",", ":")))
    assert 0 < missing <= 2500
    return parameters | {"last": "x" * missing}


def test_a_job_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused() -> None:
    assert find_problems(wrapped(HyperParameters=fill_up_to(MAX_STORED_BYTES))) == {}
    assert find_problems(request(HyperParameters=fill_up_to(MAX_STORED_BYTES))) == {}
    message = snapshot("The training job takes 80001 bytes as JSON, but at most 80000 can be stored. Shorten it.")
    assert find_problems(wrapped(HyperParameters=fill_up_to(MAX_STORED_BYTES + 1))) == {"training_job": message}
    assert find_problems(request(HyperParameters=fill_up_to(MAX_STORED_BYTES + 1))) == {"": message}


def write_spec(parameters: str) -> bytes:
    """Return a spec in YAML that contains the hyperparameters exactly as given."""
    document = wrapped(HyperParameters=None)
    document["training_job"]["HyperParameters"] = "HERE"
    return yaml.safe_dump(document).replace("HERE", parameters).encode()


@pytest.mark.parametrize(
    "parameters",
    [
        # With aliases and four bytes per character, a few kilobytes of text become half a megabyte.
        "{a: &a '" + "\N{GRINNING FACE}" * 1250 + "'" + "".join(f", k{n}: *a" for n in range(90)) + "}",
        # Each quote takes one byte in the text and two when stored.
        "{" + ", ".join(f"k{n}: '" + '"' * 2400 + "'" for n in range(90)) + "}",
        # Each escape takes two bytes in the text and six when stored.
        "{" + ", ".join(f'k{n}: "' + "\\0" * 1200 + '"' for n in range(90)) + "}",
    ],
    ids=["aliases", "quotes", "controls"],
)
def test_a_job_too_large_for_an_item_is_refused_even_if_its_text_is_within_the_limit(parameters: str) -> None:
    data = write_spec(parameters)
    assert len(data) <= MAX_BYTES
    with pytest.raises(InvalidSpecError, match="at most 80000 can be stored"):
        read_submission(data, Format.YAML, ALLOWLIST)
