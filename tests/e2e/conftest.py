"""Two deployed stacks for all end-to-end tests: one that works as it should, and one whose calls are made to fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from embedded import deployment
from tests.e2e.command import Command
from tests.e2e.inboxes import Slack
from tests.e2e.relay import (
    CAPACITY,
    CHECKPOINTS,
    DATA,
    DEMANDS,
    MINUTELY,
    NEVER,
    PRICES,
    STATE_MACHINE,
    Relay,
    spec,
    template,
    with_deadline,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack


@pytest.fixture(scope="session")
def slack() -> Iterator[Slack]:
    """The webhook of Slack that the stack posts notices to."""
    with Slack() as listening:
        yield listening


@pytest.fixture(scope="session")
def stack(slack: Slack) -> Iterator[Stack]:
    """The real template on MiniStack and the simulator; open runs are looked at again after seconds, not minutes."""
    parameters = {
        "CheckIntervalSeconds": "5",
        "PriceFile": f"s3://{CHECKPOINTS}/{PRICES}",
        "TaskTokenStateMachineArns": STATE_MACHINE,
        "AllowHosting": "true",
        "AllowCheckpointCopies": "true",
        "TriggerBuckets": DATA,
        "WidgetActions": "true",
        "NotificationEmail": "operators@example.org",
        "ChatNotices": "true",
        "SlackWebhookUrl": slack.webhook_url,
    }
    with deployment.running(images=Path(__file__).with_name("images"), parameters=parameters) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def relay(stack: Stack) -> Relay:
    """The stack with prices, and with those runs begun that have to wait for a tick, to wait while others work."""
    relay = Relay(stack)
    relay.s3.create_bucket(Bucket=CHECKPOINTS)
    prices = {"prices": {"ml.m5.xlarge": {"on_demand_usd": 3600}}}
    relay.s3.put_object(Bucket=CHECKPOINTS, Key=PRICES, Body=json.dumps(prices).encode())
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs["PricesFunction"])
    assert "FunctionError" not in answer, answer["Payload"].read()
    begin_what_waits_for_a_tick(relay)
    return relay


def begin_what_waits_for_a_tick(relay: Relay) -> None:
    """Begin the runs of tests that come later, so that nobody waits for them alone."""
    relay.rule("near", market="spot", **NEVER)
    relay.rule("near", market="on-demand", train_seconds=1)
    relay.upload("runs/near.json", spec("near") | {"policy": with_deadline("PT6M20S", "PT1M")})
    first_on_demand = [{"instance_type": "ml.m5.xlarge", "market": m} for m in ("on-demand", "spot")]
    lost = {"operation": "CreateTrainingJob", "code": "InternalFailure", "http_status": 500, "takes_effect": True}
    for name, errors in {"ahead": [], "unheard": [lost]}.items():
        relay.rule(name, market="on-demand", train_seconds=600, checkpoints={"every_seconds": 1})
        relay.rule(name, market="spot", capacity={"after": 1}, train_seconds=1, checkpoints={"every_seconds": 1})
        canary = {"name": f"{name}-canary-*", "capacity": {"after": 1}, "train_seconds": 600, "errors": errors}
        relay.simulate([canary])
        policy = with_deadline("P1D", "PT10M") | {"ladder": first_on_demand}
        relay.upload(f"runs/{name}.json", early(spec(name), policy))
    relay.rule("scarce", train_seconds=0.5)
    relay.rule("scarce", "01", fail={"reason": CAPACITY, "phase": "Starting"})
    relay.upload("runs/scarce.json", spec("scarce"))
    relay.rule("deaf", train_seconds=1, events={"drop": {"fraction": 1}})
    relay.upload("runs/deaf.json", spec("deaf"))
    relay.rule(f"{MINUTELY}-*", train_seconds=0.5)
    relay.upload(f"templates/{MINUTELY}.json", template(MINUTELY, schedule="rate(1 minute)"))


def early(made: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a long job, with a policy."""
    made["training_job"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}
    return made | {"policy": policy}


@pytest.fixture(scope="session")
def troubled() -> Iterator[Relay]:
    """A stack for tests that put a proxy before its functions; it has all that an account may demand."""
    with deployment.running(parameters={"CheckIntervalSeconds": "3600", **DEMANDS}) as stack:
        relay = Relay(stack)
        relay.s3.create_bucket(Bucket=CHECKPOINTS)
        yield relay


@pytest.fixture(scope="session")
def command(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command, for the stack of all tests."""
    return Command.of(stack, tmp_path_factory.mktemp("cache"))
