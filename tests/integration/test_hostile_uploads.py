"""`submit`, handed uploads with keys and contents that nobody means well with: none is lost, or answered elsewhere."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict

from spot_relay.adapters.inbound import Upload
from spot_relay.adapters.s3 import SpecFiles, build_report_key
from spot_relay.domain.run.run import RunStatus
from tests.hostile.values import RAW_JSON, RAW_YAML, TEXTS
from tests.integration.stack import BUCKET, SPEC, Context, messages, spec
from tests.thoroughness import share

if TYPE_CHECKING:
    from tests.integration.stack import Stack

TAKEN: dict[str, Any] = {"batchItemFailures": []}
KEYS = [
    *(
        "runs/../status/churn.json",
        "runs/../../status/churn.json",
        "runs/./x.json",
        "runs//x.json",
        "runs/x.json/../y.json",
    ),
    *("runs/a#b?c%d+e f&g=h;i.json", "runs/%2e%2e/x.json", "runs/%2F..%2Fx.json", "runs/a\\..\\b.json", "runs/~/.json"),
    *(
        "runs/é/日本/\N{GRINNING FACE}.json",
        "runs/e\u0301.json",
        "runs/\u202e.json",
        "runs/\u2028\x85.json",
        "runs/\x00\x01.json",
    ),
    *("runs/" + "x" * 1014 + ".json", "runs/" + "é" * 507 + ".json", "runs/" + "\N{GRINNING FACE}" * 253 + "xx.json"),
    *(
        "runs/.json",
        "runs/ .json",
        "runs/\"'<>&{}[].json",
        "runs/errors/runs/x.json",
        "runs/runs/x.json",
        "runs/x.json.json",
    ),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:30]))
def test_a_key_of_any_shape_has_its_report_under_errors_and_it_goes_when_the_spec_is_mended(
    stack: Stack, key: str
) -> None:
    assert stack.invoke("submit", stack.upload("{}", key)) == TAKEN
    (report,) = stack.keys("errors/")
    assert stack.keys("") == sorted([report, key])
    assert stack.object(report)["key"] == key
    assert stack.object(report)["errors"]
    assert len(report.encode()) <= 1024
    if len(f"errors/{key}.json".encode()) <= 1024:
        assert report == f"errors/{key}.json"
    assert stack.invoke("submit", stack.upload(json.dumps(SPEC), key)) == TAKEN
    assert stack.keys("") == [key, "status/churn.json"]
    assert stack.run().status is RunStatus.IN_PROGRESS


def test_the_reports_of_keys_that_are_cut_alike_have_names_of_their_own() -> None:
    long = "runs/" + "x" * 1010
    keys = [long + end for end in ("1.json", "2.json", "1.yaml")]
    names = {build_report_key(key) for key in keys}
    # A name that is cut ends in a digest, and no key of a spec does.
    names |= {build_report_key(name.removeprefix("errors/")) for name in names}
    assert len(names) == 6
    digest = hashlib.sha256(keys[0].encode()).hexdigest()
    assert build_report_key(keys[0]).endswith(f"-{digest}.json")
    assert all(len(name.encode()) <= 1024 for name in names)


class RawBody:
    """The body of an answer that has none."""

    def stream(self) -> list[bytes]:
        """Return no bytes."""
        return []


def _is_text(text: str) -> bool:
    """Whether a text can be a key."""
    return text.encode("utf-8", "replace").decode() == text


class Address:
    """What S3 would be asked, as the bytes of the request's first line have it; nothing is sent."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:9",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        take: Any = self._take
        self.client.meta.events.register("before-send.s3", take)
        self.asked: list[tuple[str, str]] = []

    def _take(self, request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        assert not parts.query
        assert not parts.fragment
        self.asked.append((request.method, unquote(parts.path, errors="strict")))
        headers: Any = HeadersDict()
        body: Any = RawBody()
        return AWSResponse(request.url, 200, headers, body)


@pytest.mark.parametrize("text", share([text for text in TEXTS if _is_text(text)]), ids=lambda text: ascii(text[:30]))
def test_the_address_of_a_report_is_the_key_and_nothing_but_the_key(text: str) -> None:
    address = Address()
    upload = Upload(BUCKET, f"runs/{text}.json", None)
    files = SpecFiles(address.client)
    files.report(upload, [], datetime(2025, 6, 3, tzinfo=UTC))
    files.clear(upload)
    address.client.close()
    name = build_report_key(upload.key)
    assert name.startswith("errors/runs/")
    assert address.asked == [("PUT", f"/{BUCKET}/{name}"), ("DELETE", f"/{BUCKET}/{name}")]


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_piece_of_text_that_no_writer_writes_is_reported(stack: Stack, ending: str) -> None:
    for number, raw in enumerate([*RAW_JSON, *RAW_YAML]):
        name = f"churn-{number}"
        checkpoints = {"S3Uri": f"s3://churn-000000000000/checkpoints/{name}/"}
        text = json.dumps(spec(CheckpointConfig=checkpoints) | {"name": name, "policy": "HERE"}).replace('"HERE"', raw)
        key = f"runs/{name}.{ending}"
        assert stack.invoke("submit", stack.upload(text, key)) == TAKEN
        reports = stack.keys(f"errors/{key}")
        assert reports == ([] if stack.find(name) else [f"errors/{key}.json"]), raw
        if reports:
            assert all(error["message"] for error in stack.object(reports[0])["errors"]), raw


def test_of_a_batch_with_all_that_can_be_wrong_each_message_has_its_own_end(stack: Stack) -> None:
    good = stack.upload(json.dumps(SPEC), "runs/good.json")
    bombs = {
        "runs/deep.json": b"[" * 200_000,
        "runs/laughs.yaml": b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (n, n) for n in range(9_000)),
        "runs/large.json": b" " * 300_000,
        "runs/utf-16.yaml": json.dumps(SPEC).encode("utf-16"),
        "runs/nul.json": b'{"name": "\x00"}',
        "runs/twice.json": b'{"name": "a", "name": "b"}',
    }
    events = [good, *(stack.upload(data, key) for key, data in bombs.items())]
    texts = [event["Records"][0]["body"] for event in events]
    poison = ["", "not JSON", "[]", "{}", texts[0].replace("runs/good.json", "runs/\\ud800.json")]
    answer = stack.invoke("submit", messages(*texts, *poison))
    failed = [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]
    assert failed == list(range(len(texts), len(texts) + len(poison)))
    assert stack.keys("errors/") == sorted(f"errors/{key}.json" for key in bombs)
    assert stack.aws.simulator.created() == ["churn-relay-01"]


class FullBucket(SpecFiles):
    """Uploads that can be read, beside which nothing can be written."""

    def report(self, *_: Any) -> None:
        """Fail as S3 does."""
        raise ConnectionError("no room")


def test_a_report_that_cannot_be_written_leaves_its_message_to_the_queue_and_no_other(stack: Stack) -> None:
    events = [stack.upload("{}", "runs/bad.json"), stack.upload(json.dumps(SPEC), "runs/good.json")]
    module: Any = stack.load("submit")
    module.files = FullBucket(stack.client("s3"))
    answer = module.handler(messages(*(event["Records"][0]["body"] for event in events)), Context("submit"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert stack.run().status is RunStatus.IN_PROGRESS
    assert stack.keys("errors/") == []
