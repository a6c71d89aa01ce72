"""The state machine of the example submits a run, waits for it, and goes on as the run has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.relay import CHECKPOINTS, STATE_MACHINE, eventually
from tests.template import ROOT

if TYPE_CHECKING:
    from tests.e2e.relay import Relay

EXAMPLE = ROOT / "examples" / "step-functions" / "train.asl.json"
INPUT = {"inputs": {"train": f"s3://{CHECKPOINTS}/churn/train/"}}
ROLE = "arn:aws:iam::000000000000:role/nightly"


def definition(queue: str) -> str:
    """Return the example, which sends its request to a queue: MiniStack has no integration with API Gateway."""
    machine: dict[str, Any] = json.loads(EXAMPLE.read_text("utf-8").replace("111122223333", "000000000000"))
    train = machine["States"]["Train"]
    assert train["Resource"] == "arn:aws:states:::apigateway:invoke.waitForTaskToken"
    train["Resource"] = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    train["Parameters"] = {"QueueUrl": queue, "MessageBody": train["Parameters"]["RequestBody"]}
    return json.dumps(machine)


@pytest.fixture(scope="module")
def machine(relay: Relay) -> tuple[str, str]:
    """The state machine's ARN, and its queue."""
    queue = relay.stack.client("sqs").create_queue(QueueName="submissions")["QueueUrl"]
    name = STATE_MACHINE.rpartition(":")[2]
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    relay.stack.client("iam").create_role(RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument=policy)
    created = relay.stack.client("stepfunctions").create_state_machine(
        name=name, definition=definition(queue), roleArn=ROLE
    )
    assert created["stateMachineArn"] == STATE_MACHINE
    return STATE_MACHINE, queue


def executed(relay: Relay, machine: tuple[str, str], name: str) -> dict[str, Any]:
    """Start an execution, pass its request on to the API, and return how it ended."""
    arn, queue = machine
    states, sqs = relay.stack.client("stepfunctions"), relay.stack.client("sqs")
    execution = states.start_execution(stateMachineArn=arn, name=name, input=json.dumps(INPUT))["executionArn"]
    request = eventually(
        "the request", lambda: sqs.receive_message(QueueUrl=queue).get("Messages", [None])[0], seconds=30
    )
    spec = json.loads(request["Body"])
    assert spec["on_end"]["task_token"] not in json.dumps(relay.api.submit(spec))
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=request["ReceiptHandle"])

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return eventually("the end of the execution", ended)


def test_a_state_machine_goes_on_when_its_run_has_completed(relay: Relay, machine: tuple[str, str]) -> None:
    relay.rule("nightly-1", capacity={"after": 0}, train_seconds=0.5)
    execution = executed(relay, machine, "nightly-1")
    assert execution["status"] == "SUCCEEDED"
    told = json.loads(execution["output"])
    assert (told["run_id"], told["status"], told["attempts"]) == ("nightly-1", "Completed", 1)


def test_a_state_machine_catches_the_failure_of_its_run(relay: Relay, machine: tuple[str, str]) -> None:
    relay.rule("nightly-2", capacity={"after": 0}, train_seconds=5, fail={"reason": "AlgorithmError: no"})
    execution = executed(relay, machine, "nightly-2")
    assert execution["status"] == "FAILED"
    assert execution["error"] == "SpotRelay.RunFailed"
    assert json.loads(execution["cause"])["run_id"] == "nightly-2"
