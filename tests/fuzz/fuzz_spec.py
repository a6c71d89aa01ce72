"""Fuzzes what users write: specs in JSON and YAML, and resumptions, as they stand or as changes of good ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.running import fuzz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The first byte tells what the others are.
JSON, YAML, RESUMPTION, CHANGED_JSON, CHANGED_YAML, CHANGED_RESUMPTION = KINDS = range(6)


def load() -> Callable[[bytes], None]:
    """Import what is fuzzed, and give the target."""
    from spot_relay.spec import Format
    from tests.hostile import seeds
    from tests.hostile.mutation import Choices, encoded, mutated
    from tests.hostile.oracles import check_resumption, check_spec

    def target(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        choices = Choices(rest)
        match kind[0] % len(KINDS) if kind else JSON:
            case 0:
                check_spec(rest, Format.JSON)
            case 1:
                check_spec(rest, Format.YAML)
            case 2:
                check_resumption(rest)
            case 3 | 4 as changed:
                text = encoded(mutated(choices.of(seeds.specs()), choices), choices)
                check_spec(text, Format.JSON if changed == CHANGED_JSON else Format.YAML)
            case _:
                check_resumption(encoded(mutated(choices.of(seeds.resumptions()), choices), choices))

    return target


def corpus() -> Iterator[bytes]:
    """Return the examples, and some altered versions of each."""
    import json

    from tests.hostile import seeds
    from tests.hostile.functions import ROOT
    from tests.hostile.values import RAW_YAML

    for path in sorted((ROOT / "examples").iterdir()):
        if path.suffix in {".json", ".yaml"}:
            yield bytes([JSON if path.suffix == ".json" else YAML]) + path.read_bytes()
    for spec in seeds.specs():
        yield bytes([JSON]) + json.dumps(spec).encode()
    for resumption in seeds.resumptions():
        yield bytes([RESUMPTION]) + json.dumps(resumption).encode()
    for raw in RAW_YAML:
        yield bytes([YAML]) + f"name: a\ntraining_job: {{A: {raw}}}\n".encode()
    for kind in (CHANGED_JSON, CHANGED_YAML, CHANGED_RESUMPTION):
        for number in range(12):
            yield bytes([kind, number, 1, 7 * number, number]) * 6


def words() -> Iterator[str]:
    """Return the keys of a spec, and the tokens of JSON and YAML."""
    from spot_relay.request.request_model import load_request_shape
    from spot_relay.spec.ladder_model import RungModel
    from spot_relay.spec.policy_model import BackoffModel, BudgetsModel, PolicyModel
    from tests.hostile.values import RAW_JSON, RAW_YAML

    for name, shape in load_request_shape().members.items():
        yield name
        yield from getattr(shape, "members", {})
    for model in (PolicyModel, BudgetsModel, BackoffModel, RungModel):
        yield from model.model_fields
    yield from (
        "name",
        "training_job",
        "policy",
        '":',
        "true",
        "false",
        "null",
        "&a ",
        "*a",
        "<<: ",
        "!!",
        "---\n",
        "- ",
    )
    yield from (raw for raw in RAW_JSON + RAW_YAML if 0 < len(raw) < 60)


if __name__ == "__main__":
    fuzz("spec", load, corpus, words())
