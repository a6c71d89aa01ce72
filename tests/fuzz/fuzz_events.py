"""Fuzzes what reaches the queues: readers of messages with any text, `observe` and `submit` with changed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.running import fuzz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The first byte tells what the others are.
TEXT, CHANGED, OBSERVED, UPLOADED = KINDS = range(4)


def load() -> Callable[[bytes], None]:
    """Import what is fuzzed, and give the target."""
    from tests.hostile.handlers import Observe, Submit, bodies
    from tests.hostile.oracles import check_observation, check_upload

    observe, submit = Observe(), Submit()

    def target(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        match kind[0] % len(KINDS) if kind else TEXT:
            case 0:
                text = rest.decode("utf-8", "surrogateescape")
                check_observation(text)
                check_upload(text)
            case 1:
                for text in bodies(rest):
                    check_observation(text)
                    check_upload(text)
            case 2:
                observe.check(bodies(rest))
            case _:
                # What comes first makes the spec, so that both change as bytes are added.
                submit.check(bodies(rest[48:]), rest[:48])

    return target


def corpus() -> Iterator[bytes]:
    """Return the messages in the event documents, and some altered versions of each."""
    import json

    from tests.hostile import seeds

    for message in seeds.messages():
        yield bytes([TEXT]) + json.dumps(message).encode()
    for kind in (CHANGED, OBSERVED, UPLOADED):
        for number in range(20):
            yield bytes([kind, number, 1, 5 * number, number, 3]) * 12


def words() -> Iterator[str]:
    """Return the tokens that messages consist of."""
    from tests.hostile import seeds

    for message in seeds.messages():
        yield from message
        yield from message["detail"]
    yield from (
        "Run Due",
        "Room Freed",
        "Predecessor Ended",
        "SageMaker Endpoint State Change",
        "EndpointConfigName",
        "spot-relay",
        "aws.sagemaker",
        "aws.s3",
        "run_id",
        "churn-relay-01",
        "runs/",
        ".json",
    )


if __name__ == "__main__":
    fuzz("events", load, corpus, dict.fromkeys(words()))
