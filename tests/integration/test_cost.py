"""What observations cost: calls to AWS, counted on the real adapters, and clients of AWS."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.session import Session

from spot_relay import bootstrap
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.policy import Policy, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.integration.runs import a_run, waiting
from tests.integration.scenes import Reaper, stored
from tests.integration.stack import TABLE, Context, body_of, document, messages

if TYPE_CHECKING:
    import pytest

    from tests.integration.stack import Stack

# Two of them are there to send events, and one to save the launch before its events are sent.
MOST_CALLS_A_RELAUNCH = 13
SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
LONG = {"train_seconds": 90_000}
INTERRUPTED = {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}
EVENT = document("tick/every-minute")


def calls(stack: Stack, function: str, event: dict[str, Any]) -> list[str]:
    """Invoke a function, which must take all that it is given, and name the calls that it makes to AWS."""
    reaper = Reaper(stack)
    with reaper.watching():
        answer = stack.invoke(function, event)
    assert answer.get("batchItemFailures", []) == []
    return reaper.calls


def foreign(name: str) -> str:
    """Return the event of a job that cannot belong to any run."""
    event = body_of("observe/training-started")
    event["detail"]["TrainingJobName"] = name
    return json.dumps(event)


def the_wait_expires(stack: Stack) -> None:
    stored(stack, LONG | {"capacity": INTERRUPTED})
    stack.checkpoint()
    stack.clock.passes(7205)


def capacity_fails(stack: Stack, policy: Policy | None = None) -> None:
    reason = body_of("observe/capacity-error")["detail"]["FailureReason"]
    rule = {"fail": {"reason": reason, "phase": "Pending"}, "capacity": {"after": 60}}
    stored(stack, rule, policy=policy or Policy(), attempt={"placement": SPOT})
    stack.clock.passes(100)


def test_an_expired_wait_with_its_relaunch_costs_at_most_thirteen_calls(stack: Stack) -> None:
    the_wait_expires(stack)
    made = calls(stack, "observe", document("observe/max-wait-expired"))
    assert [attempt.job_name for attempt in stack.run().attempts] == ["churn-relay-01", "churn-relay-02"]
    assert made.count("sagemaker.CreateTrainingJob") == 1
    assert len(made) <= MOST_CALLS_A_RELAUNCH


def test_a_relaunch_in_another_pool_costs_one_call_more(stack: Stack) -> None:
    capacity_fails(stack, Policy(ladder=(Rung(SPOT), Rung(ON_DEMAND))))
    made = calls(stack, "observe", document("observe/capacity-error"))
    assert [attempt.placement for attempt in stack.run().attempts] == [SPOT, ON_DEMAND]
    assert made.count("sagemaker.CreateTrainingJob") == 1
    assert len(made) <= MOST_CALLS_A_RELAUNCH + 1


def test_runs_that_wait_cost_a_relaunch_one_call_where_it_goes_and_two_where_it_leaves(stack: Stack) -> None:
    capacity_fails(stack, Policy(ladder=(Rung(SPOT), Rung(ON_DEMAND))))
    stack.make_queue()
    store = DynamoDBRunStore(stack.client("dynamodb"), TABLE)
    for name, placement in {"for-spot": SPOT, "for-on-demand": ON_DEMAND}.items():
        store.create(waiting(a_run(name, stack.clock()), placement=placement))
    made = calls(stack, "observe", document("observe/capacity-error"))
    assert len(stack.run().attempts) == 2
    assert [json.loads(body)["detail"]["run_id"] for body in stack.queued()] == ["for-spot"]
    assert len(made) <= MOST_CALLS_A_RELAUNCH + 1 + 1 + 2


def test_a_failure_costs_at_most_thirteen_calls_and_its_relaunch_after_the_backoff_as_many(stack: Stack) -> None:
    capacity_fails(stack)
    ended = calls(stack, "observe", document("observe/capacity-error"))
    assert (stack.run().status, len(stack.run().attempts)) == (RunStatus.PENDING, 1)
    stack.clock.passes(3600)
    relaunched = calls(stack, "observe", document("observe/run-due"))
    assert len(stack.run().attempts) == 2
    assert len(ended) <= MOST_CALLS_A_RELAUNCH
    assert len(relaunched) <= MOST_CALLS_A_RELAUNCH


def test_a_job_that_no_run_can_have_costs_no_call(stack: Stack) -> None:
    stored(stack, LONG)
    bodies = [foreign("nightly-churn"), foreign("churn-relay-"), foreign("pytorch-training-2025-06-03-09-14-00-000")]
    bodies.append(json.dumps(body_of("observe/foreign-job")))
    assert calls(stack, "observe", messages(*bodies)) == []


def test_each_client_is_created_once_and_not_before_it_is_needed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[str] = Counter()
    clients = []

    def count(session: Session, name: str, **options: Any) -> Any:
        made[name] += 1
        clients.append(make(session, name, **options))
        return clients[-1]

    make: Any = Session.create_client
    monkeypatch.setattr(Session, "create_client", count)
    monkeypatch.setattr(bootstrap, "create_client", cache(bootstrap.create_client.__wrapped__))
    the_wait_expires(stack)
    function = stack.load("observe")
    taken: dict[str, Any] = {"batchItemFailures": []}
    downloads = body_of("observe/training-started")
    downloads["detail"]["SecondaryStatus"] = "Downloading"
    observed = messages(json.dumps(downloads), foreign("nightly-churn"))
    assert function.handler(observed, Context("spot-relay-observe")) == taken
    assert made == Counter(["dynamodb"])
    news = [json.dumps(body_of(f"observe/{name}")) for name in ("training-started", "interrupted")]
    assert function.handler(messages(*news), Context("spot-relay-observe")) == taken
    assert made == Counter(["dynamodb", "events"])
    for _ in range(2):
        ends = messages(json.dumps(body_of("observe/max-wait-expired")))
        assert function.handler(ends, Context("spot-relay-observe")) == taken
    assert made == Counter(["dynamodb", "events", "s3", "sagemaker"])
    assert len(stack.run().attempts) == 2
    for client in clients:
        client.close()


def test_the_tick_reads_the_due_runs_alone_however_many_have_ended(stack: Stack) -> None:
    stack.make_queue()
    dynamodb, now = stack.client("dynamodb"), stack.clock()
    store = DynamoDBRunStore(dynamodb, TABLE)
    for number, seconds in enumerate((-60, -1, 61, 90, 3600)):
        store.create(a_run(f"open-{number}", now, check_at=now + timedelta(seconds=seconds)))
    read = pages_read(stack)
    store.create(a_run("ended", now, status=RunStatus.COMPLETED, ended_at=now, check_at=None))
    ended = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "ended"}})["Item"]
    for first in range(0, 1000, 25):
        puts = [{"PutRequest": {"Item": ended | {"id": {"S": f"ended-{first + n}"}}}} for n in range(25)]
        assert dynamodb.batch_write_item(RequestItems={TABLE: puts})["UnprocessedItems"] == {}
    assert read == [2]
    assert pages_read(stack) == read


def pages_read(stack: Stack) -> list[int]:
    """Invoke the tick, and tell how many entries of the index it read with each call to DynamoDB."""
    read: list[int] = []
    events = stack.client("dynamodb").meta.events

    def note(parsed: dict[str, Any], **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    events.register("after-call.dynamodb", note)
    try:
        made = calls(stack, "tick", EVENT)
    finally:
        events.unregister("after-call.dynamodb", note)
    assert made == ["dynamodb.Query", "sqs.SendMessageBatch"]
    return read
