"""Data and schedules that start runs, on the deployed template."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from embedded.patience import give_time
from tests.e2e.relay import DATA, MINUTELY, eventually, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.relay import Relay

COPIES = "copies-of-arrivals"
FLOOD = 60


@pytest.fixture(scope="session")
def copies(relay: Relay) -> Iterator[str]:
    """The address of a queue that gets the same events of the bucket with data as the submit queue."""
    sqs, events = relay.stack.client("sqs"), relay.stack.client("events")
    relay.s3.create_bucket(Bucket=DATA)
    relay.s3.put_bucket_notification_configuration(
        Bucket=DATA, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url: str = sqs.create_queue(QueueName=COPIES)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [DATA]}}}
    events.put_rule(Name=COPIES, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=COPIES, Targets=[{"Id": "copies", "Arn": arn}])
    yield url
    events.remove_targets(Rule=COPIES, Ids=["copies"])
    events.delete_rule(Name=COPIES)
    sqs.delete_queue(QueueUrl=url)


def copied(relay: Relay, url: str, number: int, marker: str) -> list[str]:
    """Take so many events about keys with a marker off the queue of copies."""
    sqs, found = relay.stack.client("sqs"), []

    def look() -> bool | None:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if marker in message["Body"]:
                found.append(message["Body"])
        return len(found) >= number or None

    eventually("the copies of the events", look)
    return found


def deliver(relay: Relay, *bodies: str) -> None:
    """Send messages to the function submit."""
    for body in bodies:
        relay.stack.client("sqs").send_message(QueueUrl=relay.stack.outputs["SubmitQueueUrl"], MessageBody=body)


def runs_of(relay: Relay, name: str) -> list[str]:
    """Name the runs of a template, by their status documents."""
    pages = relay.s3.get_paginator("list_objects_v2").paginate(Bucket=relay.bucket, Prefix=f"status/{name}-")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key.removeprefix("status/").removesuffix(".json") for key in keys]


def triggered(name: str, **keys: Any) -> dict[str, Any]:
    """Return a template that trains on the folder of each marker under a prefix of its own."""
    made = template(name, trigger={"bucket": DATA, "prefix": f"{name}/", "suffix": "_SUCCESS"}, **keys)
    made["training_job"]["HyperParameters"] = {"data": "s3://{bucket}/{prefix}"}
    return made


@pytest.fixture(scope="session", autouse=True)
def _burst(relay: Relay, copies: str) -> None:
    """A burst of objects, which starts a run within a minute, when it has settled."""
    assert copies
    relay.rule("burst-*", capacity={"after": 0}, train_seconds=0.5)
    # Objects of a burst come faster than it settles, also on a busy machine.
    made = triggered("burst", settle=f"PT{give_time(0.5):.0f}S") | {"trigger": {"bucket": DATA, "prefix": "burst/"}}
    relay.upload("templates/burst.json", made)
    for number in range(20):
        relay.s3.put_object(Bucket=DATA, Key=f"burst/monday/part-{number:02}", Body=b"1,2")


def test_an_object_starts_a_run_once_although_its_event_comes_twice(relay: Relay, copies: str) -> None:
    relay.rule("arrived-*", capacity={"after": 0}, train_seconds=0.5)
    relay.upload("templates/arrived.json", triggered("arrived"))
    relay.s3.put_object(Bucket=DATA, Key="arrived/monday/_SUCCESS", Body=b"")
    (run,) = eventually("the run of the object", lambda: runs_of(relay, "arrived") or None)
    assert relay.ends(run)["status"] == "Completed"
    (event,) = copied(relay, copies, 1, "arrived/")
    deliver(relay, event, event)
    relay.drains()
    assert runs_of(relay, "arrived") == [run]
    assert relay.jobs(run) == [f"{run}-relay-01"]
    document = relay.status(run)
    assert document is not None
    assert document["start"]["template"] == "templates/arrived.json"
    assert document["training_job"]["HyperParameters"] == {"data": f"s3://{DATA}/arrived/monday/"}


def test_a_bad_template_gets_the_error_report_that_a_bad_spec_gets_until_it_is_good(relay: Relay) -> None:
    bad = triggered("bad", settle="soon") | {"trigger": {"bucket": DATA, "prefxi": "bad/"}}
    relay.upload("templates/bad.json", bad)
    report = eventually("the report", lambda: relay.read("errors/templates/bad.json.json"))
    assert [problem["path"] for problem in report["errors"]] == ["trigger.prefxi", "settle"]
    relay.upload("templates/bad.json", triggered("bad"))
    gone = "errors/templates/bad.json.json"
    eventually("the end of the report", lambda: relay.read(gone) is None or None)


@pytest.mark.begun
def test_a_burst_of_objects_starts_one_run(relay: Relay) -> None:
    (run,) = eventually("the run of the burst", lambda: runs_of(relay, "burst") or None)
    assert relay.ends(run)["status"] == "Completed"
    relay.drains()
    assert runs_of(relay, "burst") == [run]


def test_a_flood_of_objects_whose_events_come_twice_and_out_of_order_is_one_run_each_a_few_at_a_time(
    relay: Relay, copies: str
) -> None:
    relay.rule("flood-*", capacity={"after": 0}, train_seconds=600)
    made = triggered("flood", at_most={"runs": 2})
    made["training_job"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    relay.upload("templates/flood.json", made)
    for number in range(FLOOD):
        relay.s3.put_object(Bucket=DATA, Key=f"flood/{number:04}/_SUCCESS", Body=b"")
    again = copied(relay, copies, FLOOD, "flood/")
    random.Random(7).shuffle(again)  # noqa: S311
    deliver(relay, *again)
    eventually("a run for each object", lambda: len(runs_of(relay, "flood")) >= FLOOD or None)
    relay.drains()
    runs = runs_of(relay, "flood")
    assert len(runs) == FLOOD
    launched = {run for run in runs if relay.jobs(run)}
    assert len(launched) == 2
    stopped = min(launched)
    relay.api.stop(stopped)
    eventually("the next run", lambda: sum(bool(relay.jobs(run)) for run in runs) == 3 or None)
    for run in runs:
        relay.api.stop(run)


@pytest.mark.begun
def test_a_schedule_starts_runs_until_its_template_is_deleted(relay: Relay) -> None:
    scheduler = relay.stack.client("scheduler")

    def schedules() -> list[str]:
        return [one["GroupName"] for one in scheduler.list_schedules()["Schedules"] if one["GroupName"] in groups]

    groups = {one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]} - {"default"}
    first = eventually("the first run of the schedule", lambda: runs_of(relay, MINUTELY) or None)[0]
    assert relay.ends(first)["status"] == "Completed"
    assert len(schedules()) == 1
    relay.s3.delete_object(Bucket=relay.bucket, Key=f"templates/{MINUTELY}.json")
    eventually("the end of the schedule", lambda: schedules() == [] or None)
