"""Requests as API Gateway hands them over, made by bytes: any path, any parameters, any body."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from tests.hostile import seeds
from tests.hostile.mutation import encoded, mutated
from tests.hostile.values import TEXTS

if TYPE_CHECKING:
    from tests.hostile.mutation import Choices

# What is there several times is chosen so much more often: most requests should get past the router.
METHODS: Final = ("POST",) * 10 + ("GET",) * 6 + ("PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "BREW")
PATHS: Final = ("/runs",) * 6 + ("/runs/{}",) * 8 + ("/runs/", "", "/", "/{}", "//runs", "/RUNS")
VERBS: Final = ("", "/stop", "/resume", "/move", "/deadline") * 4 + ("/", "/start", "/stop/", "/stop/stop")
IDS: Final = ("churn",) * 100 + ("nobody", "%2e%2e", "a%2Fstop", "x" * 1000, "x" * 5000, *TEXTS)
VALUES: Final = ("1", "100", "0", "101", "Failed", "failed", "2025-06-03T09:14:00.000000Z#churn", *TEXTS)
NAMES: Final = ("limit", "status", "token", "limit", "status", "token", "Limit", "limit[]", *TEXTS)


def request(choices: Choices) -> dict[str, Any]:
    """Return the event of a request."""
    event = dict(seeds.event("api/list-runs"))
    path = choices.of(PATHS)
    if "{}" in path:
        path = path.format(choices.of(IDS)) + choices.of(VERBS)
    event |= {
        "httpMethod": choices.of(METHODS),
        "path": path,
        "requestContext": event["requestContext"] | {"path": path},
    }
    return event | _query(choices) | _headers(choices) | _body(choices)


def _query(choices: Choices) -> dict[str, Any]:
    query = {choices.of(NAMES): choices.of(VALUES) for _ in range(choices.below(4))}
    several = {name: [value, choices.of(VALUES)][choices.below(2) :] or [value] for name, value in query.items()}
    last = {name: values[-1] for name, values in several.items()}
    return {"queryStringParameters": last or None, "multiValueQueryStringParameters": several or None}


def _headers(choices: Choices) -> dict[str, Any]:
    headers = choices.of((None, {}, {"Content-Type": "application/json"}, {"content-type": "text/yaml"}, {"": ""}))
    return {"headers": headers, "multiValueHeaders": headers and {name: [value] for name, value in headers.items()}}


def _body(choices: Choices) -> dict[str, Any]:
    document = choices.of((*seeds.specs(), *seeds.resumptions()))
    match choices.below(8):
        case 0:
            return {"body": choices.of((None, "", " ", "\x00", "{", "null", "[]")), "isBase64Encoded": False}
        case 1:
            text = choices.of(("", "e30=", "e30", "é", "!", "gA==", "77u/e30="))
            return {"body": text, "isBase64Encoded": choices.of((True, False, None))}
        case 2:
            data = encoded(mutated(document, choices), choices)
            return {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}
        case _:
            data = encoded(mutated(document, choices), choices)
            return {"body": data.decode("utf-8", "surrogateescape"), "isBase64Encoded": False}
