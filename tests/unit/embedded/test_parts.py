"""The parts of the embedded stack that can be tried without starting one."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from embedded.aws import add_condition_keys, map_batch_actions, trust_loopback
from embedded.daemons import EmbeddedError, free_port, launch, tail
from embedded.sam import fingerprint

if TYPE_CHECKING:
    from pathlib import Path


def sources(root: Path) -> Path:
    """Make a project that can be built."""
    for name in ("functions/tick", "layers/spot_relay"):
        (root / name).mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml", "functions/tick/app.py", "layers/spot_relay/a.py"):
        (root / name).write_text(name)
    return root


def lives(group: int) -> bool:
    """Say whether a process group has a process left, be it one that waits to be buried."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_that_dies_at_its_start_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = launch("the server", ["-c", "raise SystemExit('no such luck')"], {}, tmp_path / "server.log")
    with pytest.raises(EmbeddedError, match=r"the server ended at its start, with exit code 1:\nno such luck"):
        server.wait_for(lambda: None)
    server.stop()


def test_a_server_that_never_answers_is_an_error_and_can_be_stopped(tmp_path: Path) -> None:
    server = launch("the server", ["-c", "import time; time.sleep(60)"], {}, tmp_path / "server.log")
    with pytest.raises(EmbeddedError, match="does not answer after 0 s"):
        server.wait_for(lambda: None, limit=0)
    server.stop()
    assert server.process.poll() is not None


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    child = f"import subprocess; subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)'])"
    script = f"{child}; import time; print('up', flush=True); time.sleep(60)"
    server = launch("the server", ["-c", script], {}, tmp_path / "server.log")
    server.wait_for(lambda: tail(server.log) or None)
    server.stop()
    waiting = Retrying(stop=stop_after_delay(10), wait=wait_fixed(0.05), retry=retry_if_result(bool))
    waiting(lives, server.pid)


def test_a_free_port_is_one_that_can_be_bound() -> None:
    assert 1024 <= free_port() <= 65535


def test_the_same_sources_need_no_second_build(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    cache = root / "functions" / "tick" / "__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_text("compiled")
    assert fingerprint(root) == before


@pytest.mark.parametrize("changed", ["template.yaml", "functions/tick/app.py", "layers/spot_relay/a.py"])
def test_a_changed_source_needs_another_build(tmp_path: Path, changed: str) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / changed).write_text("changed")
    assert fingerprint(root) != before


def test_a_removed_source_needs_another_build(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / "layers/spot_relay/a.py").unlink()
    assert fingerprint(root) != before


def test_a_batch_of_messages_needs_the_permission_for_one() -> None:
    assert map_batch_actions(lambda: "sqs:SendMessageBatch")() == "sqs:SendMessage"
    assert map_batch_actions(lambda: "s3:PutObject")() == "s3:PutObject"


def test_only_this_machine_may_speak_plain_http() -> None:
    noted: list[tuple[str, bool]] = []
    note = trust_loopback(lambda address, secure: noted.append((address, secure)))
    note("127.0.0.1", False)
    note("192.0.2.1", False)
    note("192.0.2.1", True)
    assert noted == [("127.0.0.1", True), ("192.0.2.1", False), ("192.0.2.1", True)]


PUT = {"Put": {"TableName": "runs", "Item": {"id": {"S": "churn"}, "version": {"N": "1"}}}}
CHECK = {"ConditionCheck": {"TableName": "runs", "Key": {"id": {"S": "earlier"}}}}
QUERY = {"TableName": "runs", "KeyConditionExpression": "waits_for = :pool"}
EVENTS = {"Entries": [{"Source": "spot-relay", "DetailType": "A", "Detail": "{}"}, {"Source": "b", "Detail": "{}"}]}


@pytest.mark.parametrize(
    ("action", "request_body", "keys"),
    [
        ("dynamodb:GetItem", CHECK["ConditionCheck"], {"dynamodb:LeadingKeys": ["earlier"]}),
        ("dynamodb:PutItem", PUT["Put"], {"dynamodb:LeadingKeys": ["churn"]}),
        (
            "dynamodb:TransactWriteItems",
            {"TransactItems": [PUT, CHECK]},
            {"dynamodb:LeadingKeys": ["churn", "earlier"]},
        ),
        ("dynamodb:Query", QUERY, {}),
        ("events:PutEvents", EVENTS, {"events:source": ["spot-relay", "b"], "events:detail-type": ["A"]}),
        ("s3:PutObject", {"Key": {"id": {"S": "churn"}}}, {}),
    ],
)
def test_conditions_are_told_of_items_and_events(
    action: str, request_body: dict[str, Any], keys: dict[str, Any]
) -> None:
    told = add_condition_keys(lambda *_: {"aws:TagKeys": []})
    body = json.dumps(request_body).encode()
    assert told(action.partition(":")[0], action, body, {}) == {"aws:TagKeys": []} | keys


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_conditions_are_told_nothing_of_what_is_no_request(body: bytes) -> None:
    told = add_condition_keys(lambda *_: {})
    assert told("dynamodb", "dynamodb:GetItem", body, {}) == {}
