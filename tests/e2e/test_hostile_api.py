"""The deployed API under requests that schemathesis makes of its OpenAPI document: right ones, wrong ones, and stories.

What API Gateway does before it calls the function is the emulator's affair here, and not what is tested: how it refuses
an unknown method and too many requests, whether a signature is right, and which value counts of a parameter that is
given twice. Nor is all that fits the schema accepted: a spec has rules that no schema can tell.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection

from embedded.patience import give_time
from embedded.stack import REGION
from openapi.document import build_document
from spot_relay.adapters.s3 import build_report_key
from tests.e2e.relay import Relay, eventually, spec
from tests.thoroughness import LEVEL, Level, examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack

NOT_OURS = ["unsupported_method", "ignored_auth", "positive_data_acceptance"]
# The same requests each time. A failure is not shortened: each try would cost a request, and changes the stack.
STEADY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Signature(requests.auth.AuthBase):
    """Signs a request, as it is about to be sent, for execute-api."""

    def __init__(self, stack: Stack) -> None:
        given = stack.environment
        keys = Credentials(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
        self._auth = SigV4Auth(keys, "execute-api", REGION)

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the signature's headers."""
        body: Any = prepared.body
        content = body.encode() if isinstance(body, str) else body or b""
        signed = AWSRequest(prepared.method, prepared.url, {}, content)
        self._auth.add_auth(signed)
        prepared.headers.update(dict(signed.headers.items()))
        return prepared


def described(given: dict[str, Any]) -> Any:
    """Return the API as schemathesis sees it, with what is to hold."""
    schema = schemathesis.openapi.from_dict(given)
    schema.config.generation.update(with_security_parameters=False, deterministic=True)
    schema.config.checks.update(excluded_check_names=NOT_OURS)
    # Beside what is drawn, hundreds of requests that cover each part of the document: only where all is tried.
    schema.config.phases.coverage.enabled = LEVEL is Level.ALL
    return schema


API = described(build_document())


def faults(stack: Stack) -> list[str]:
    """Return the lines of the function's log that tell of a fault."""
    lines = stack.logs("api")
    return [line for line in lines if '"level":"ERROR"' in line or "Traceback" in line or "Task timed out" in line]


def let_through(stack: Stack, rate: int, burst: int) -> None:
    """Have API Gateway let so many requests through: a second, and at once."""
    limits = {"rateLimit": rate, "burstLimit": burst}
    changes = [
        {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)} for name, value in limits.items()
    ]
    gateway = stack.client("apigateway")
    gateway.update_stage(restApiId=stack.outputs["ApiId"], stageName="v1", patchOperations=changes)


@pytest.fixture(scope="module", autouse=True)
def calm(stack: Stack, relay: Relay) -> Iterator[None]:
    """Jobs of these tests end soon; at the end none of the function's log lines tells of a fault."""
    relay.rule("hostile-*", train_seconds=0.2)
    before = len(faults(stack))
    let_through(stack, 10_000, 5_000)
    yield
    let_through(stack, 10, 20)
    assert any("the request is refused" in line for line in stack.logs("api"))
    assert faults(stack)[before:] == []


@pytest.mark.timeout(120)
@API.parametrize()  # type: ignore[untyped-decorator]
@examples(60, STEADY)
def test_any_request_is_answered_as_the_document_says(relay: Relay, case: Any) -> None:
    # A dry run tells the problems of a document, whatever it is, and so refuses none.
    is_dry = "true" in str((case.query or {}).get("dry_run")).lower()
    told = [negative_data_rejection] if is_dry else []
    signed = Signature(relay.stack)
    case.call_and_validate(base_url=relay.stack.api_url, auth=signed, timeout=give_time(40), excluded_checks=told)


def acceptable() -> dict[str, Any]:
    """Return the document with specs that this stack accepts, apart from some policies: stories start with a run."""
    given: dict[str, Any] = copy.deepcopy(build_document())
    job = {key: value for key, value in spec("any")["training_job"].items() if key != "CheckpointConfig"}
    given["components"]["schemas"]["Spec"] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^story-[a-z]{1,3}$"},
            "training_job": {"const": job},
            "policy": {"$ref": "#/components/schemas/Policy"},
        },
        "required": ["name", "training_job"],
        "additionalProperties": False,
    }
    return given


@pytest.mark.timeout(120)
def test_any_story_of_a_run_is_answered_as_the_document_says(relay: Relay) -> None:
    # Nothing but a stop ends these, however slowly it comes.
    relay.rule("story-*", capacity={"after": 3600}, train_seconds=3600)
    schema = described(acceptable())
    schema.config.update(base_url=relay.stack.api_url)
    schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])
    schema.auth.set_from_requests(Signature(relay.stack))
    schema.as_state_machine().run(settings=examples(40, STEADY, stateful_step_count=8))
    listed = relay.api.list(limit=100)["runs"]
    begun = [run for run in listed if run["run_id"].startswith("story-")]
    assert len(begun) > 3
    assert any(run["status"] in {"Stopping", "Stopped"} for run in begun)
    for run in begun:
        if run["status"] in {"Pending", "InProgress"}:
            relay.api.stop(run["run_id"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/runs/" + "x" * 1000),
        ("GET", "/runs/" + "x" * 5000),
        ("GET", "/runs/a%2Fstop"),
        ("GET", "/runs/%2e%2e%2fruns"),
        ("GET", "/runs/%00"),
        ("GET", "/runs/%ff%fe"),
        ("GET", "/runs/é日本"),
        ("POST", "/runs/a%20b/stop"),
        ("POST", "/runs/%F0%9F%98%80/resume"),
        ("GET", "/runs?limit"),
        ("GET", "/runs?=&&%00=%ff"),
        ("GET", "/runs?token=" + "x" * 5000),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_address_that_nobody_should_write_is_refused(relay: Relay, method: str, path: str) -> None:
    answer = relay.send(method, path)
    assert answer.status_code in {400, 403, 404}
    assert set(answer.json()) >= {"message"}


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe{\x00}\x00",
        b'{"name": "\xed\xa0\x80"}',
        b"\x00",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b" " * 1_000_000,
        b'{"name": ' + b"9" * 100_000 + b"}",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        "\ufeff{}".encode(),
        '{"name": "é"}'.encode("utf-16"),
    ],
    ids=range(11),
)
def test_a_body_that_is_no_spec_is_refused_with_its_problems(relay: Relay, body: bytes) -> None:
    answer = relay.send("POST", "/runs", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "InvalidSpec"
    assert all(detail["message"] for detail in answer.json()["details"])


KEYS = [
    "runs/../status/x.json",
    "runs/%2e%2e/a b+c.json",
    "runs/#?&=.yaml",
    "runs/é/日本.yml",
    "runs/" + "x" * 1014 + ".json",
]


def test_an_upload_under_any_key_has_its_report(relay: Relay) -> None:
    for key in KEYS:
        relay.upload(key, b"{}")
    for key in KEYS:
        report = eventually(f"the report of {key:.40}", partial(relay.read, build_report_key(key)))
        assert report["key"] == key
    assert relay.read("status/x.json") is None
