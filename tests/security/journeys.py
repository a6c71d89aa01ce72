"""What the functions do in the life of a stack, so that each right of theirs is seen at work."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.stub import Stubber

from spot_relay.adapters.checkpoint_copies import PART_BYTES
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.rules.hosting import begin_tasks
from spot_relay.domain.run.attempt import AttemptStatus, Canary
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.hosting import HostingKind, HostingStep
from spot_relay.domain.run.launch import launch_of_canary
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import OUTBOX_PATIENCE, RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement, Pool
from spot_relay.domain.shown.report import status_document
from spot_relay.pages.buttons import list_buttons
from spot_relay.pages.widget import Widget
from spot_relay.pages.widget_event import Ask
from tests.integration import test_crash, test_crash_of_switches, test_observe, test_triggers
from tests.integration.fake_aws import SERVICES
from tests.integration.runs import SOME_NEWS, a_run, waiting
from tests.integration.scenes import follow
from tests.integration.stack import BUCKET, CHECKPOINTS, SPEC, TABLE, Context, document, messages, spec
from tests.security.policies import PRICE_FILE
from tests.unit.pages.widgets import event_of, find_action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.domain.run.run import Run
    from tests.integration.scenes import Scene
    from tests.security.watched import WatchedStack

    Journey = Callable[[WatchedStack], None]

SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
POOL = Pool("ml.m5.xlarge", Market.SPOT)
LONG = {"train_seconds": 90_000}
FAILURE = {"reason": "AlgorithmError: division by zero"}
OFFER = {
    "product": {"attributes": {"usagetype": "USE1-Train:ml.m5.xlarge"}},
    "terms": {"OnDemand": {"A": {"priceDimensions": {"B": {"unit": "Hrs", "pricePerUnit": {"USD": "0.23"}}}}}},
}


def journeys() -> Iterator[tuple[str, Journey]]:
    """Return every journey with its name; each begins in a stack in which nothing has happened yet."""
    for name, scene in {
        **test_crash.SCENES,
        **{f"to {n}": s for n, s in test_crash_of_switches.SCENES.items()},
    }.items():
        yield f"scene: {name}", _of_scene(scene)
    for name, case in test_observe.CASES.items():
        yield f"event: {name}", _of_case(name, case)
    for function, look in LOOKS.items():
        yield f"{function} pays every debt", _paying(look, _owing_all)
        yield f"{function} pays for a canary", _paying(look, _owing_a_canary)
    yield from (("templates", templates), ("a flood", a_flood))
    yield from (
        ("uploads", uploads),
        ("requests", requests),
        ("changes", changes),
        ("a prefix changes hands", a_prefix_changes_hands),
    )
    yield from (("looks", looks), ("presses", presses), ("a prefix is asked back by a press", a_prefix_is_asked_back))
    for status in ("completed", "algorithm-error"):
        yield f"an end by {status}, and a task that waits for it", _waited_for(status)
        yield f"an end by {status} that overtakes a press", _overtaking_a_press(status)
    yield "models are registered and deployed", models_are_hosted
    yield "checkpoints are copied", checkpoints_are_copied
    yield from (("shards", shards), ("ticks", ticks), ("prices of a file", prices_of_a_file))
    yield "prices of the Price List", prices_of_the_price_list


def _of_scene(scene: Scene) -> Journey:
    def play(stack: WatchedStack) -> None:
        event = scene.prepare(stack)
        stack.invoke(scene.function, event)
        if scene.goes_on:
            follow(stack, scene, event, "tick")

    return play


def _of_case(name: str, case: test_observe.Case) -> Journey:
    def play(stack: WatchedStack) -> None:
        test_observe.played(stack, case)
        stack.observe(name)

    return play


# Each way in which a function comes to load a run.
LOOKS: dict[str, Journey] = {
    "submit": lambda stack: taken(stack.invoke("submit", stack.upload(json.dumps(SPEC), "runs/again.json"))),
    "api": lambda stack: accepted(stack.call("create-run")),
    "observe": lambda stack: stack.observe("run-due"),
    "widget": lambda stack: pressed(stack, "Set a deadline", deadline="P30D", expected_runtime="PT26H"),
}


def _paying(look: Journey, owing: Callable[[WatchedStack, Run], Run]) -> Journey:
    """A function died before it could do what the run owed; another comes to load it, and does it."""

    def play(stack: WatchedStack) -> None:
        stack.make_queue()
        stack.limit_attempts("ml.m5.xlarge=5")
        stack.aws.simulator.play(default=LONG)
        stack.submit()
        stack.clock.passes(1)
        run = owing(stack, stack.run())
        store(stack).save(run)
        # Only then is the function dead for sure, and its news told by another one.
        stack.clock.passes(OUTBOX_PATIENCE.total_seconds())
        look(stack)
        assert stack.run().outbox == Outbox()

    return play


def _waited_for(how: str) -> Journey:
    """Tasks of Step Functions wait for the end of a run, and one comes too late for it; each function answers one."""

    def play(stack: WatchedStack) -> None:
        tasks = stack.aws.step_functions
        tasks.waiting |= {"first", "late", "later"}
        stack.aws.simulator.play(default={} if how == "completed" else {"fail": FAILURE})
        waits = {**SPEC, "on_end": {"task_token": "first"}}
        taken(stack.invoke("submit", stack.upload(json.dumps(waits))))
        stack.clock.passes(60)
        stack.observe(how)
        taken(stack.invoke("submit", stack.upload(json.dumps({**SPEC, "on_end": {"task_token": "late"}}))))
        accepted(stack.call("create-run", {**SPEC, "on_end": {"task_token": "later"}}))
        assert set(tasks.answers) == tasks.waiting

    return play


def _overtaking_a_press(how: str) -> Journey:
    """A run ends while somebody presses Stop, and the function that has seen it dies before it can tell its task."""

    def play(stack: WatchedStack) -> None:
        tasks = stack.aws.step_functions
        tasks.waiting.add("first")
        stack.aws.simulator.play(default={} if how == "completed" else {"fail": FAILURE})
        stack.submit()
        module = stack.load("widget")
        seen = status_document(stack.run(), module.service.region)
        stack.clock.passes(60)
        stack.observe(how)
        store(stack).save(replace(stack.run(), outbox=Outbox(tasks=("first",))))
        stop = next(button for button in list_buttons(seen) if button.action == "stop")
        with stack.watch.of("widget", *(stack.client(service) for service in SERVICES)):
            answer = module.press(Widget(Ask(), "arn", stack.clock(), acts=True), seen, stop)
        assert "Done" not in answer
        assert set(tasks.answers) == {"first"}

    return play


def _created_canary(stack: WatchedStack, run: Run) -> Canary:
    """Have a canary created of which the run does not know yet whether it was."""
    canary = Canary(1, "churn-canary-01", SPOT, stack.clock(), max_wait_seconds=7200)
    stack.client("sagemaker").create_training_job(**launch_of_canary(run, canary).request)
    return canary


def _owing_all(stack: WatchedStack, run: Run) -> Run:
    """Its launch has had no answer, and a younger run waits for the room that it gives back."""
    younger = waiting(a_run("younger", stack.clock()))
    store(stack).create(replace(younger, check_at=stack.clock()))
    launch = replace(run.current, status=AttemptStatus.PLANNED, launched_at=None)
    owed = Outbox((Room(POOL, "churn-relay-00"),), 1, None, "churn-relay-01", "churn-canary-01", status=True)
    owed = replace(owed, news=(replace(SOME_NEWS, at=stack.clock()),), tell_followers=True)
    canary = _created_canary(stack, run)
    return replace(run.with_attempt(launch), status=RunStatus.PENDING, outbox=owed, canaries=(canary,))


def _owing_a_canary(stack: WatchedStack, run: Run) -> Run:
    """The canary was created, too, and who did it has died before it could say so."""
    return replace(run, outbox=Outbox(canary=1), canaries=(_created_canary(stack, run),))


def uploads(stack: WatchedStack) -> None:
    """A bad spec is reported, a good one takes the report away, and one that is deleted again is let go."""
    taken(stack.invoke("submit", stack.upload("{}")))
    stack.submit()
    taken(stack.invoke("submit", stack.upload(json.dumps(spec(HyperParameters={"a": "b"})), "runs/other.json")))
    gone = stack.upload(json.dumps(SPEC), "runs/gone.json")
    version = json.loads(gone["Records"][0]["body"])["detail"]["object"]["version-id"]
    stack.client("s3").delete_object(Bucket=BUCKET, Key="runs/gone.json", VersionId=version)
    taken(stack.invoke("submit", gone))
    # A bucket without versions names none.
    event = stack.upload(json.dumps(SPEC), "runs/plain.json")
    body = json.loads(event["Records"][0]["body"])
    del body["detail"]["object"]["version-id"]
    event["Records"][0]["body"] = json.dumps(body)
    taken(stack.invoke("submit", event))


def templates(stack: WatchedStack) -> None:
    """A bad template is reported, a good one starts runs: for objects, for bursts, by schedule; and one is deleted."""
    stack.aws.simulator.play(default=LONG)
    test_triggers.upload(stack, settle="soon")
    test_triggers.upload(stack)
    test_triggers.upload(stack, "templates/burst.json", settle="PT1S")
    taken(stack.invoke("submit", messages(test_triggers.arrival(), test_triggers.arrival(version="2"))))
    for expression in ("rate(1 day)", "rate(2 days)"):
        test_triggers.upload_scheduled(stack, schedule=expression)
    taken(stack.invoke("submit", document("submit/template-due")))
    stack.client("s3").delete_object(Bucket=BUCKET, Key=test_triggers.KEY)
    taken(stack.invoke("submit", document("submit/template-deleted")))


def a_flood(stack: WatchedStack) -> None:
    """One run waits for another one of its template to end."""
    stack.make_queue()
    stack.aws.simulator.play(default={"train_seconds": 60})
    test_triggers.upload(stack, at_most={"runs": 1})
    taken(stack.invoke("submit", messages(test_triggers.arrival(), test_triggers.arrival(version="2"))))
    for _ in range(5):
        stack.clock.passes(60)
        stack.tick()


def requests(stack: WatchedStack) -> None:
    """Every route of the API, and what it refuses."""
    stack.aws.simulator.play(default=LONG)
    assert stack.call("create-run", "{")[0] == 400
    assert stack.call("get-run")[0] == 404
    accepted(stack.call("create-run"))
    stack.checkpoint()
    assert stack.call("create-run", spec(HyperParameters={"a": "b"}))[0] == 409
    assert stack.call("get-run")[0] == 200
    assert stack.call("list-runs", query={})[1]["runs"]
    stack.limit_attempts("ml.m5.xlarge=2")
    assert stack.call("create-run", spec(), {"dry_run": "true"})[0] == 200
    stack.limit_attempts("")
    accepted(stack.call("stop-run"))
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    accepted(stack.call("resume-run"))


def changes(stack: WatchedStack) -> None:
    """A run is given a deadline, for which its job and its checkpoints are looked at, and is moved."""
    stack.aws.simulator.play(default=LONG)
    accepted(stack.call("create-run"))
    stack.checkpoint()
    stack.clock.passes(60)
    deadline = {"deadline": "P2D", "expected_runtime": "PT2H"}
    accepted(stack.call("resume-run", deadline, path="/runs/churn/deadline"))
    accepted(stack.call("resume-run", {"deadline": None}, path="/runs/churn/deadline"))
    accepted(stack.call("resume-run", {"market": "on-demand"}, path="/runs/churn/move"))
    stack.clock.passes(5)
    stack.observe("stopped-by-user")
    assert stack.run().current.placement.market is Market.ON_DEMAND


def looks(stack: WatchedStack) -> None:
    """A dashboard shows all runs, one that is training, one that waits for room, and one that is not there."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    store(stack).create(waiting(a_run("second", stack.clock())))
    assert ">churn</button>" in shown(stack, {})
    assert "churn-relay-01" in shown(stack, {"run": "churn"})
    assert " next in line" in shown(stack, {"run": "second"})
    assert "There is no run" in shown(stack, {"run": "nobody"})


def presses(stack: WatchedStack) -> None:
    """A run is moved, given a deadline, stopped and resumed by the buttons of a dashboard."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.checkpoint()
    stack.clock.passes(60)
    pressed(stack, "Move to on-demand")
    stack.clock.passes(400)
    stack.tick()
    pressed(stack, "Set a deadline", deadline="P30D", expected_runtime="PT26H")
    pressed(stack, "Stop")
    stack.clock.passes(400)
    stack.tick()
    pressed(stack, "Resume", **{"budgets.expired_waits": "20"})
    assert stack.run().status is RunStatus.IN_PROGRESS


def a_prefix_is_asked_back(stack: WatchedStack) -> None:
    """A run that has ended gives its checkpoint prefix to another, and is resumed once that has ended."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stop(stack, "churn")
    taken(stack.invoke("submit", stack.upload(json.dumps(SPEC | {"name": "second"}))))
    stop(stack, "second")
    pressed(stack, "Resume")
    assert stack.run().status is RunStatus.IN_PROGRESS


def a_prefix_changes_hands(stack: WatchedStack) -> None:
    """A run that has ended gives its checkpoint prefix to another, and asks for it back."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stop(stack, "churn")
    taken(stack.invoke("submit", stack.upload(json.dumps(SPEC | {"name": "second"}))))
    stop(stack, "second")
    accepted(stack.call("create-run", SPEC | {"name": "third"}))
    stop(stack, "third")
    accepted(stack.call("resume-run"))


def shards(stack: WatchedStack) -> None:
    """The files of a channel that is shared out are counted where they may be listed, and else are not."""
    stack.aws.simulator.play(default=LONG)
    stack.client("s3").create_bucket(Bucket=CHECKPOINTS)
    for number in range(3):
        stack.client("s3").put_object(Bucket=CHECKPOINTS, Key=f"train/{number}.csv", Body=b"1,2")
    job: dict[str, Any] = json.loads(json.dumps(SPEC["training_job"]))
    job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    job["ResourceConfig"]["InstanceCount"] = 2
    taken(stack.invoke("submit", stack.upload(json.dumps({"name": "churn", "training_job": job}))))
    job["CheckpointConfig"]["S3Uri"] = f"s3://{CHECKPOINTS}/checkpoints/other/"
    accepted(stack.call("create-run", {"name": "other", "training_job": job}))


def models_are_hosted(stack: WatchedStack) -> None:
    """One run creates an endpoint, which another one updates; a function dies before it has saved what it created."""
    stack.client("sagemaker").create_model_package_group(ModelPackageGroupName="churn")
    wanted = {
        "register_model": {"group": "churn"},
        "deploy": {"endpoint": "churn-live", "instance_type": "ml.m5.large"},
    }
    for name in ("churn", "again"):
        job = {**SPEC["training_job"], "CheckpointConfig": {"S3Uri": f"s3://{CHECKPOINTS}/checkpoints/{name}/"}}
        with stack.variable("ALLOW_HOSTING", "true"):
            hosted = {"name": name, "training_job": job, "on_success": wanted}
            taken(stack.invoke("submit", stack.upload(json.dumps(hosted), f"runs/{name}.json")))
        run = settled(stack, name)
        if name == "churn":
            # As if nothing had been saved after the calls.
            begun = begin_tasks(run, stack.clock())
            for tasks in (begun, (begun[0], replace(begun[1], step=HostingStep.ENDPOINT))):
                again = replace(stack.run(), hosting=tasks, outbox=Outbox(host=tuple(HostingKind)))
                store(stack).save(again)
                settled(stack, name)


def checkpoints_are_copied(stack: WatchedStack) -> None:
    """A run begins with a large checkpoint of another one; one of its parts cannot be copied at first."""
    stack.make_queue()
    stack.submit()
    stack.client("s3").create_bucket(Bucket=CHECKPOINTS)
    body = b"1" * (PART_BYTES + 1)
    stack.client("s3").put_object(Bucket=CHECKPOINTS, Key="checkpoints/churn/a.pt", Body=body)
    stack.checkpoint("model-1.pt")
    stack.clock.passes(60)
    stack.observe("completed")
    for name, keeps in (("next", True), ("last", False)):
        job = {**SPEC["training_job"], "CheckpointConfig": {"S3Uri": f"s3://{CHECKPOINTS}/checkpoints/{name}/"}}
        wanted = {"name": name, "training_job": job, "continue_from": {"run": "churn", "checkpoint": True}}
        with stack.variable("ALLOW_CHECKPOINT_COPIES", "true"):
            taken(stack.invoke("submit", stack.upload(json.dumps(wanted), f"runs/{name}.json")))
        with failing(stack, "UploadPartCopy", after=1 if keeps else 0):
            stack.deliver()
        assert (stack.run(name).copying or CheckpointCopy("")).upload is not None or not keeps
        stack.clock.passes(400)
        stack.tick()
        assert stack.run(name).current.resumes_from is not None


@contextmanager
def failing(stack: WatchedStack, operation: str, after: int) -> Iterator[None]:
    """Have S3 be too busy after the first so many calls of an operation."""
    seen = []

    def fail(**_: Any) -> None:
        seen.append(1)
        if len(seen) > after:
            answer: Any = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(answer, operation)

    events = stack.client("s3").meta.events
    events.register(f"before-call.s3.{operation}", fail)
    yield
    events.unregister(f"before-call.s3.{operation}", fail)


def settled(stack: WatchedStack, name: str) -> Run:
    """Let the tick look at a run until all has been done with its model."""
    for _ in range(10):
        stack.clock.passes(400)
        stack.tick()
        run = stack.run(name)
        if run.hosting and not any(task.is_open for task in run.hosting):
            assert [task.status for task in run.hosting] == ["Succeeded", "Succeeded"]
            return run
    raise AssertionError(run.hosting)


def ticks(stack: WatchedStack) -> None:
    """The tick finds a run that nobody has heard of for too long."""
    stack.submit()
    stack.clock.passes(400)
    assert stack.tick() == 1


def prices_of_a_file(stack: WatchedStack) -> None:
    """An operator's own file is read."""
    key = PRICE_FILE.removeprefix(f"s3://{BUCKET}/")
    body = json.dumps({"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23}}}).encode()
    stack.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    with stack.variable("PRICE_FILE", PRICE_FILE):
        assert stack.invoke("prices", document("prices/every-week"))["source"] == PRICE_FILE
    accepted(stack.call("create-run", spec() | {"policy": {"budgets": {"money_usd": 100}}}))


def prices_of_the_price_list(stack: WatchedStack) -> None:
    """AWS's own list is read, which has its client for itself."""
    module = stack.load("prices")
    pricing, dynamodb = module.source.client, stack.client("dynamodb")
    with Stubber(pricing) as stub, stack.watch.of("prices", pricing, dynamodb):
        stub.add_response("get_products", {"PriceList": [json.dumps(OFFER)]})
        answer = module.handler(document("prices/every-week"), Context("spot-relay-prices"))
    assert answer["instance_types"] == 1


def store(stack: WatchedStack) -> DynamoDBRunStore:
    """Return the table of runs, as the test has it, with no function's role."""
    return DynamoDBRunStore(stack.client("dynamodb"), TABLE)


def stop(stack: WatchedStack, run_id: str) -> None:
    """Let a run be stopped, by its user, to the end."""
    accepted(stack.call("stop-run", path=f"/runs/{run_id}/stop"))
    stack.clock.passes(400)
    assert stack.tick() >= 1
    assert stack.run(run_id).status is RunStatus.STOPPED


def taken(answer: dict[str, Any]) -> None:
    """See that a batch leaves nothing behind."""
    assert answer == {"batchItemFailures": []}


def shown(stack: WatchedStack, given: dict[str, Any], typed: dict[str, str] | None = None) -> str:
    """Return what a dashboard shows."""
    answer: Any = stack.invoke("widget", event_of(given, typed))
    return str(answer)


def pressed(stack: WatchedStack, label: str, **typed: str) -> None:
    """Press a button of the run of the story and, if it needs to know more, the one below what is typed."""
    page = shown(stack, {"run": "churn"})
    if typed or label == "Resume":
        page = shown(stack, find_action(page, f"{label}…").given)
    answer = shown(stack, find_action(page, label).given, typed)
    assert "Done: " in answer, answer


def accepted(answer: tuple[int, dict[str, Any]]) -> None:
    """See that a request is accepted."""
    assert answer[0] == 202, answer
