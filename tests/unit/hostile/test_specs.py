"""Specs and resumptions that somebody has tampered with: each is taken or refused, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spot_relay.spec import Format
from spot_relay.spec.raw_document import MAX_BYTES
from tests.hostile import seeds
from tests.hostile.mutation import Choices, encoded, mutated
from tests.hostile.oracles import check_resumption, check_spec
from tests.hostile.values import RAW_JSON, RAW_YAML
from tests.thoroughness import examples, share
from tests.unit.spec.documents import CALM

pytestmark = pytest.mark.slow
# Of a processor, while its memory is traced, for a document as large as is read at all: a function has 29 seconds.
SECONDS = 6.0
MEGABYTES = 96


@examples(400, CALM)
@given(st.binary(max_size=64), st.sampled_from(Format))
@example(b"", Format.JSON)
@example(b"", Format.YAML)
def test_a_spec_that_was_tampered_with_is_taken_whole_or_refused_with_problems(data: bytes, as_format: Format) -> None:
    choices = Choices(data)
    check_spec(encoded(mutated(choices.of(seeds.specs()), choices), choices), as_format)


@pytest.mark.parametrize("as_format", list(Format))
def test_every_seed_is_a_spec_that_is_taken(as_format: Format) -> None:
    # Else the tests above and the fuzzer would change what is refused anyway.
    for spec in seeds.specs():
        assert check_spec(mutated(spec, Choices(b"")).encode(), as_format)


@examples(200, CALM)
@given(st.binary(max_size=48))
def test_a_resumption_that_was_tampered_with_is_taken_or_refused_with_problems(data: bytes) -> None:
    choices = Choices(data)
    check_resumption(encoded(mutated(choices.of(seeds.resumptions()), choices), choices))


PLACES = (
    "{}",
    '{{"name": {}}}',
    '{{"name": "a", "training_job": {}}}',
    '{{"policy": {{"budgets": {}}}, "name": "a"}}',
    "[{}]",
)


@pytest.mark.parametrize("raw", [*RAW_JSON, *RAW_YAML], ids=lambda raw: ascii(raw[:30]))
def test_a_piece_of_text_that_no_writer_writes_is_taken_or_refused_wherever_it_stands(raw: str) -> None:
    for around in PLACES:
        for as_format in Format:
            check_spec(around.format(raw).encode("utf-8", "surrogatepass"), as_format)
        check_resumption(around.format(raw).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037", "latin-1"])
def test_a_spec_in_another_encoding_is_refused(encoding: str) -> None:
    data = mutated(seeds.specs()[0] | {"name": "é"}, Choices(b"")).encode(encoding)
    assert check_spec(data, Format.JSON) is None
    assert check_spec(data, Format.YAML) is None


def filled(piece: str, head: str = "", tail: str = "") -> bytes:
    """A text as large as is read, made of one piece."""
    return (head + piece * ((MAX_BYTES - len(head + tail)) // len(piece.encode())) + tail).encode()


BOMBS = {
    "brackets": filled("["),
    "braces": filled('{"":'),
    "zeros": filled("0", '{"a": ', "}"),
    "digits": filled("9", '{"a": ', "}"),
    "exponent": filled("9", '{"a": 1e', "}"),
    "quotes": filled('"'),
    "backslashes": filled("\\\\", '{"a": "', '"}'),
    "escapes": filled("\\u0000", '{"a": "', '"}'),
    "string": filled("x", '{"name": "', '"}'),
    "name": filled("-", '{"training_job": {}, "name": "a', '"}'),
    "keys": filled('"a":1,', "{", '"b":1}'),
    "unknown": ("{" + ",".join(f'"key{n}": {{}}' for n in range(9_000)) + "}").encode(),
    "near": ("{" + ",".join(f'"EnableManagedSpotTrainin{n:05d}": true' for n in range(5_000)) + "}").encode(),
    "long keys": ("{" + ",".join(f'"{"k" * 63}{n}": {{}}' for n in range(2_500)) + "}").encode(),
    "list": filled("{},", '{"training_job": {"Tags": [', "{}]}}"),
    "images": filled(
        ".dkr.ecr.", '{"name": "a", "training_job": {"AlgorithmSpecification": {"TrainingImage": "', '"}}}'
    ),
    "algorithm": filled(
        "/train-",
        '{"name": "a", "training_job": {"AlgorithmSpecification": {"AlgorithmName": "1.amazonaws.com',
        '"}}}',
    ),
    "uri": filled("/", '{"name": "a", "training_job": {"CheckpointConfig": {"S3Uri": "s3://', '"}}}'),
    "role": filled("a", '{"name": "a", "training_job": {"RoleArn": "arn:aws', '"}}'),
    "ladder": filled("{},", '{"name": "a", "training_job": {}, "policy": {"ladder": [', "{}]}}"),
    "duration": filled("9", '{"name": "a", "training_job": {}, "policy": {"deadline": "P', 'D"}}'),
    "instant": filled("0", '{"name": "a", "training_job": {}, "policy": {"deadline": "2026-12-01T00:00:00.', '"}}'),
    "dashes": filled("- "),
    "questions": filled("? "),
    "colons": filled(": "),
    "anchors": filled("&a "),
    "aliases": filled("*a, ", "a: &a {}\nb: [", "*a]"),
    "laughs": "\n".join(
        [f"a0: &a0 [{'x, ' * 9}x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}x]" for n in range(1, 400))]
    ).encode(),
    "copies": ("a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 30_000 + "x]").encode(),
    "tags": filled("!!map "),
    "handles": filled("%TAG !a! x\n"),
    "comments": filled("# x\n"),
    "documents": filled("---\n"),
    "blocks": filled("  x\n", "a: |\n"),
    "folds": filled("x\n\n", "a: >\n"),
    "plain": filled("x ", "a: "),
    "lines": filled("\n", "a: 1"),
    "indents": "".join(" " * n + "a:\n" for n in range(700)).encode(),
    "sexagesimal": filled(":1", "a: 1"),
    "underscores": filled("_", "a: 1"),
    "dates": filled("2024-01-01, ", "a: [", "x]"),
    "merges": filled("<<: *a\n", "a: &a {}\n"),
    "nul": filled("\x00"),
    "bom": filled("\ufeff"),
    "emoji": filled("\N{GRINNING FACE}"),
}


@pytest.mark.parametrize(("as_format", "name"), share(list(product(Format, BOMBS))))
def test_a_bomb_is_defused_in_seconds_and_megabytes(name: str, as_format: Format) -> None:
    data = BOMBS[name]
    assert len(data) <= MAX_BYTES
    tracemalloc.start()
    began = time.process_time()
    try:
        check_spec(data, as_format)
        assert time.process_time() - began < SECONDS
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES * 2**20
    finally:
        tracemalloc.stop()


def test_what_is_too_large_is_not_even_decoded() -> None:
    began = time.process_time()
    for as_format in Format:
        assert check_spec(b"\xff" * 100_000_000, as_format) is None
    check_resumption(b"[" * 100_000_000)
    assert time.process_time() - began < 1
