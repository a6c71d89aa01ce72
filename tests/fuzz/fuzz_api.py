"""Fuzzes the API: requests as API Gateway hands them over, of any path, parameters and body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.running import fuzz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The first byte tells what the others are.
REQUEST, SPEC, RESUMPTION, PATH, QUERY = KINDS = range(5)


def load() -> Callable[[bytes], None]:
    """Import what is fuzzed, and give the target."""
    from tests.hostile import seeds
    from tests.hostile.handlers import Api
    from tests.hostile.mutation import Choices
    from tests.hostile.requests import request

    api = Api()

    def target(data: bytes) -> None:
        kind, rest = data[:1], data[1:]
        text = rest.decode("utf-8", "surrogateescape")
        match kind[0] % len(KINDS) if kind else REQUEST:
            case 0:
                api.check(request(Choices(rest)))
            case 1:
                api.check(seeds.event("api/create-run") | {"body": text})
            case 2:
                api.check(seeds.event("api/resume-run") | {"body": text})
            case 3:
                api.check(seeds.event("api/get-run") | {"path": text})
            case _:
                name, _, value = text.partition("=")
                api.check(seeds.event("api/list-runs") | {"queryStringParameters": {name: value}})

    return target


def corpus() -> Iterator[bytes]:
    """Return the requests in the event documents, the specs, and some altered requests."""
    import json

    from tests.hostile import seeds
    from tests.hostile.requests import IDS

    for spec in seeds.specs():
        yield bytes([SPEC]) + json.dumps(spec).encode()
    for resumption in seeds.resumptions():
        yield bytes([RESUMPTION]) + json.dumps(resumption).encode()
    for run_id in dict.fromkeys(IDS):
        yield bytes([PATH]) + f"/runs/{run_id}".encode("utf-8", "surrogatepass")
    for query in ("limit=1", "limit=100", "status=Failed", "token=2025-06-03T09:14:00.000000Z#churn", "page=2"):
        yield bytes([QUERY]) + query.encode()
    for number in range(60):
        yield bytes([REQUEST, number, 11 * number % 256, 7 * number % 256, number, 2, 1]) * 10


def words() -> Iterator[str]:
    """Return the tokens that requests consist of."""
    yield from (
        "/runs",
        "/stop",
        "/resume",
        "churn",
        "limit",
        "status",
        "token",
        "budgets",
        "deadline",
        "expected_runtime",
    )


if __name__ == "__main__":
    fuzz("api", load, corpus, words())
