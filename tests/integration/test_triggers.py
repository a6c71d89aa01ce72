"""`submit`, handed templates and the arrival of data: what starts, once, whatever dies on the way."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.run import RunStatus
from tests.integration.scenes import VISIBILITY_TIMEOUT, KilledError, Reaper
from tests.integration.stack import CHECKPOINTS, DATA, SCHEDULES, SPEC, TABLE, body_of, document, messages
from tests.thoroughness import share

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run
    from tests.integration.stack import Stack

KEY = "templates/churn.json"
TAKEN: dict[str, Any] = {"batchItemFailures": []}
LONG = {"train_seconds": 90_000}


def template(**changes: Any) -> dict[str, Any]:
    """The spec of the story as a template; a change to None removes the key."""
    job = copy.deepcopy(SPEC["training_job"])
    job["CheckpointConfig"]["S3Uri"] = f"s3://{CHECKPOINTS}/checkpoints/{{name}}/"
    job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://{bucket}/{prefix}"
    whole: dict[str, Any] = {
        "name": "churn",
        "trigger": {"bucket": DATA, "prefix": "incoming/", "suffix": "_SUCCESS"},
        "training_job": job,
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


def upload(stack: Stack, key: str = KEY, **changes: Any) -> None:
    """Upload a template, and let `submit` check it."""
    assert stack.invoke("submit", stack.upload(json.dumps(template(**changes)), key)) == TAKEN


def upload_scheduled(stack: Stack, key: str = "templates/churn.yaml", **changes: Any) -> None:
    """Upload a template with a schedule, and let `submit` check it."""
    job = template()["training_job"]
    job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{DATA}/{{date}}/"
    given = {"schedule": "cron(0 6 * * ? *)", "trigger": None, "training_job": job} | changes
    upload(stack, key, **given)


def schedules(stack: Stack) -> list[dict[str, Any]]:
    """Return the schedules of the stack's templates, whole."""
    client = stack.client("scheduler")
    listed = client.list_schedules(GroupName=SCHEDULES)["Schedules"]
    return [client.get_schedule(GroupName=SCHEDULES, Name=one["Name"]) for one in listed]


def arrival(key: str = "incoming/monday/_SUCCESS", version: str | None = "1") -> str:
    """The event of an object that is put at the time of the document."""
    event = body_of("submit/data-arrived")
    event["detail"]["object"] |= {"key": key, "version-id": version}
    return json.dumps({**event, "time": "2025-06-03T09:14:00Z"})


def runs_of(stack: Stack) -> list[Run]:
    """Read all runs."""
    items = stack.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return [stack.run(item["id"]["S"]) for item in items if "#" not in item["id"]["S"]]


def test_an_object_starts_one_run_although_its_event_comes_twice_in_one_batch(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    upload(stack)
    assert stack.invoke("submit", messages(arrival(), arrival())) == TAKEN
    (run,) = runs_of(stack)
    assert stack.aws.simulator.created() == [f"{run.id}-relay-01"]
    described = stack.client("sagemaker").describe_training_job(TrainingJobName=f"{run.id}-relay-01")
    assert described["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{DATA}/incoming/monday/"
    assert stack.status(run.id)["start"]["template"] == KEY
    assert stack.keys("errors/") == []


def test_the_documents_of_a_template_and_its_data_are_taken(stack: Stack) -> None:
    text = json.dumps(template())
    stack.upload(text, "templates/churn.yaml")
    for name in ("template-uploaded", "data-arrived"):
        assert stack.invoke("submit", document(f"submit/{name}")) == TAKEN
    assert len(runs_of(stack)) == 1
    stack.client("s3").delete_object(Bucket=stack.environment()["SPECS_BUCKET"], Key="templates/churn.yaml")
    assert stack.invoke("submit", document("submit/template-deleted")) == TAKEN
    assert stack.invoke("submit", messages(arrival(version="2"))) == TAKEN
    assert len(runs_of(stack)) == 1


def test_a_bad_template_gets_the_report_that_a_bad_spec_gets_until_it_is_good_or_gone(stack: Stack) -> None:
    upload(stack, trigger={"bucket": "elsewhere"}, settle="soon")
    report = stack.object(f"errors/{KEY}.json")
    assert report["key"] == KEY
    assert [problem["path"] for problem in report["errors"]] == ["settle"]
    upload(stack, trigger={"bucket": "elsewhere"})
    (problem,) = stack.object(f"errors/{KEY}.json")["errors"]
    assert problem == {
        "path": "trigger.bucket",
        "message": 'Found "elsewhere", from which this stack receives no events. Use arriving-data, or ask its '
        "operator to add the bucket to the parameter TriggerBuckets.",
    }
    upload(stack)
    assert stack.keys("errors/") == []


def test_what_a_template_says_when_its_event_is_handled_counts_and_not_what_the_event_was_about(stack: Stack) -> None:
    bad = stack.upload(json.dumps(template(settle="soon")), KEY)
    upload(stack)
    assert stack.invoke("submit", bad) == TAKEN
    assert stack.keys("errors/") == []


def test_a_bucket_without_versions_tells_them_apart_by_what_and_when(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    upload(stack)
    first, second = json.loads(arrival(version=None)), json.loads(arrival(version="null"))
    for event in (first, first, second, second):
        assert stack.invoke("submit", messages(json.dumps(event))) == TAKEN
    assert len(runs_of(stack)) == 1
    second["detail"]["object"]["sequencer"] += "0"
    assert stack.invoke("submit", messages(json.dumps(second))) == TAKEN
    assert len(runs_of(stack)) == 2


def test_an_event_that_cannot_be_read_goes_back_to_its_queue(stack: Stack) -> None:
    upload(stack)
    broken = [json.loads(arrival()) for _ in range(3)]
    broken[0]["detail-type"] = "Object Deleted"
    del broken[1]["time"]
    del broken[2]["detail"]["object"]["version-id"], broken[2]["detail"]["object"]["sequencer"]
    failed = stack.invoke("submit", messages(*map(json.dumps, broken)))["batchItemFailures"]
    assert len(failed) == 3
    assert runs_of(stack) == []


def test_a_burst_starts_one_run_when_it_has_settled(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    upload(stack, settle="PT5M", trigger={"bucket": DATA, "prefix": "incoming/"})
    for number in range(3):
        assert stack.invoke("submit", messages(arrival(f"incoming/monday/part-{number}"))) == TAKEN
    (run,) = runs_of(stack)
    assert (run.status, stack.aws.simulator.created()) == (RunStatus.PENDING, [])
    stack.clock.passes(300)
    stack.tick()
    assert stack.aws.simulator.created() == [f"{run.id}-relay-01"]


def test_a_flood_waits_and_each_end_lets_one_more_begin(stack: Stack) -> None:
    stack.make_queue()
    stack.aws.simulator.play(default={"train_seconds": 600})
    upload(stack, at_most={"runs": 2})
    for number in range(4):
        assert stack.invoke("submit", messages(arrival(version=str(number)))) == TAKEN
        stack.clock.passes(1)
    assert len(stack.aws.simulator.created()) == 2
    assert sorted(run.waits_to_begin for run in runs_of(stack)) == [False, False, True, True]
    for _ in range(40):
        stack.clock.passes(60)
        stack.tick()
        under_way = [run for run in runs_of(stack) if not run.waits_to_begin and not run.has_ended]
        assert len(under_way) <= 2
    assert {run.status for run in runs_of(stack)} == {RunStatus.COMPLETED}
    assert len(stack.aws.simulator.created()) == 4


def test_a_template_with_a_schedule_gets_one_in_the_stacks_group_which_follows_it(stack: Stack) -> None:
    upload_scheduled(stack)
    (made,) = schedules(stack)
    assert (made["ScheduleExpression"], made["ScheduleExpressionTimezone"]) == ("cron(0 6 * * ? *)", "UTC")
    target = made["Target"]
    assert target["Arn"] == stack.environment()["SUBMIT_QUEUE_ARN"]
    assert target["RoleArn"] == stack.environment()["SCHEDULE_ROLE_ARN"]
    sent = json.loads(target["Input"])
    assert sent["detail"]["at"] == "<aws.scheduler.scheduled-time>"
    assert sent == body_of("submit/template-due") | {"detail": {**sent["detail"], "template": "templates/churn.yaml"}}
    upload_scheduled(stack, schedule={"expression": "rate(12 hours)", "timezone": "Europe/Berlin"})
    (changed,) = schedules(stack)
    assert (changed["ScheduleExpression"], changed["ScheduleExpressionTimezone"]) == ("rate(12 hours)", "Europe/Berlin")


@pytest.mark.parametrize("how", ["deleted", "invalid", "triggered"])
def test_a_schedule_goes_when_its_template_no_longer_has_one(stack: Stack, how: str) -> None:
    upload_scheduled(stack)
    upload_scheduled(stack, "templates/other.json")
    if how == "deleted":
        stack.client("s3").delete_object(Bucket=stack.environment()["SPECS_BUCKET"], Key="templates/churn.yaml")
        for _ in range(2):
            assert stack.invoke("submit", document("submit/template-deleted")) == TAKEN
    else:
        upload(stack, "templates/churn.yaml", **({"settle": "soon"} if how == "invalid" else {}))
    assert ["other.json" in one["Target"]["Input"] for one in schedules(stack)] == [True]


def test_a_schedule_starts_one_run_for_each_of_its_times_however_often_it_says_so(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    upload_scheduled(stack)
    due = document("submit/template-due")
    for _ in range(2):
        assert stack.invoke("submit", due) == TAKEN
    (run,) = runs_of(stack)
    source = run.training_job["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    assert source["S3Uri"] == f"s3://{DATA}/2025-06-04/"
    later = body_of("submit/template-due")
    later["detail"]["at"] = "2025-06-05T06:00:00Z"
    assert stack.invoke("submit", messages(json.dumps(later))) == TAKEN
    assert len(runs_of(stack)) == 2


@pytest.mark.parametrize("how", ["gone", "triggered", "invalid"])
def test_a_message_of_a_schedule_that_is_no_more_starts_nothing(stack: Stack, how: str) -> None:
    if how != "gone":
        upload(stack, "templates/churn.yaml", **({"settle": "soon"} if how == "invalid" else {}))
    assert stack.invoke("submit", document("submit/template-due")) == TAKEN
    assert runs_of(stack) == []


SCENES: dict[str, dict[str, Any]] = {
    "object": {},
    "limited": {"at_most": {"runs": 1}},
    "burst": {"settle": "PT5M"},
}


def calls_of(stack: Stack, changes: dict[str, Any]) -> list[str]:
    """Return the calls of an invocation that nothing disturbs."""
    reaper = Reaper(stack)
    upload(stack, **changes)
    with reaper.watching():
        assert stack.invoke("submit", messages(arrival())) == TAKEN
    return reaper.calls


# More than there are calls, so that none is left out; those that there are not end the test.
@pytest.mark.parametrize("call", share(range(1, 19)))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_whatever_dies_at_any_call_one_run_is_started_and_has_one_job(
    stack: Stack, scene: str, call: int, after: bool
) -> None:
    changes = SCENES[scene]
    stack.aws.simulator.play(default=LONG)
    calls = calls_of(stack, changes)
    stack.begin()
    stack.make_queue()
    stack.aws.simulator.play(default=LONG)
    if call > len(calls):
        assert len(calls) >= 8
        return
    upload(stack, **changes)
    with suppress(KilledError), Reaper(stack).watching(call, after=after):
        stack.invoke("submit", messages(arrival()))
    stack.clock.passes(VISIBILITY_TIMEOUT)
    assert stack.invoke("submit", messages(arrival())) == TAKEN
    for _ in range(6):
        stack.clock.passes(90)
        stack.tick()
    (run,) = runs_of(stack)
    assert stack.aws.simulator.created() == [f"{run.id}-relay-01"]
    assert run.status is RunStatus.IN_PROGRESS
