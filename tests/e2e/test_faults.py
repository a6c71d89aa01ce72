"""The deployed functions go on while DynamoDB and SageMaker fail a share of their calls, and lose nothing.

``make faults RUNS=200 SEED=7`` has more runs, or other faults, than ``make test``, and shows what struck.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, TICK
from spot_relay.domain.values import replace
from tests.e2e.crowd import PATIENCE_SECONDS, Users, gather
from tests.e2e.faults import Fault, Proxy
from tests.e2e.relay import QUEUES, Relay
from tests.thoroughness import LEVEL, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack
    from spot_relay.domain.run.run import Run
    from tests.e2e.crowd import Member

RUNS = int(os.environ.get("FAULTS_RUNS") or (40 if LEVEL is Level.ALL else 20))
SEED = int(os.environ.get("FAULTS_SEED") or 7)
DEAD_LETTER_QUEUES = ("SubmitDeadLetterQueueUrl", "ObserveDeadLetterQueueUrl")
# How long a message is away that could not be handled; longer than its handling takes, as in the template.
AWAY_SECONDS = 15
TICK_SECONDS = 10
# What a function may have to give up on, when its calls fail and fail again.
INJECTED = {
    "ClientError: InternalFailure",
    "ClientError: ThrottlingException",
    "ConnectionClosedError",
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReadTimeoutError",
}
# SageMaker's errors have no classes of their own: what they are stands in their texts.
CODE = re.compile(r"An error occurred \((\w+)\) when calling the (?:\w+TrainingJob|ListTags) operation")
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Aftermath:
    """What the faults have left: the runs, what struck, and what the functions could not handle."""

    relay: Relay
    crowd: list[Member]
    documents: dict[str, dict[str, Any]]
    proxy: Proxy
    dead: list[dict[str, Any]]
    errors: list[dict[str, Any]]


@pytest.fixture(scope="module")
def aftermath(troubled: Relay) -> Iterator[Aftermath]:
    """A crowd of runs that has come to its ends while calls failed."""
    relay, stack = troubled, troubled.stack
    prepare(relay)
    with Proxy({"dynamodb": stack.aws_url, "sagemaker": stack.simulator_url}) as proxy:
        proxy.stand_before(stack, CHECK_INTERVAL_SECONDS="30")
        began = time.monotonic()
        crowd, users = gather(RUNS, SEED), Users(relay)
        users.set_the_scene()
        proxy.strike(SEED)
        with ticking(stack):
            users.submit(crowd)
            users.act(crowd)
            documents = {member.name: ended(relay, member) for member in crowd}
        took = time.monotonic() - began
        proxy.calm()
        relay.drains(seconds=6 * AWAY_SECONDS)
        found = Aftermath(relay, crowd, documents, proxy, dead_letters(relay), errors(relay))
        tell(found, users, took)
        yield found
    clear(relay)


@contextmanager
def ticking(stack: Stack) -> Iterator[None]:
    """Have the tick come every few seconds and not every minute, because runs that calls have failed wait for it."""
    functions, over = stack.client("lambda"), Event()

    def tick() -> None:
        while not over.wait(TICK_SECONDS):
            functions.invoke(FunctionName=stack.outputs["TickFunction"], InvocationType="Event")

    with ThreadPoolExecutor(1) as clock:
        ticks = clock.submit(tick)
        try:
            yield
        finally:
            over.set()
    ticks.result()


def clear(relay: Relay) -> None:
    """Leave nothing to the tests that come after: no ended run that the tick looks at once more, and no message."""
    table, dynamodb = relay.stack.outputs["TableName"], relay.stack.client("dynamodb")
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ProjectionExpression="id"):
        for key in page["Items"]:
            dynamodb.delete_item(TableName=table, Key=key)
    for queue in (*QUEUES, *DEAD_LETTER_QUEUES):
        relay.stack.client("sqs").purge_queue(QueueUrl=relay.stack.outputs[queue])


def prepare(relay: Relay) -> None:
    """Have as much work done at once as the template has it, and failed messages back within seconds, not minutes."""
    sqs, functions = relay.stack.client("sqs"), relay.stack.client("lambda")
    for queue in QUEUES:
        attributes = {"VisibilityTimeout": str(AWAY_SECONDS)}
        sqs.set_queue_attributes(QueueUrl=relay.stack.outputs[queue], Attributes=attributes)
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 5})


def ended(relay: Relay, member: Member) -> dict[str, Any]:
    """Wait for the end of a run; one that was resumed has an earlier one, which is none."""
    ends = {"Completed", "Failed"} if member.fate.resumes else {"Completed", "Failed", "Stopped"}
    return relay.comes_to(member.name, *ends, seconds=PATIENCE_SECONDS)


def dead_letters(relay: Relay) -> list[dict[str, Any]]:
    """Receive what lies in the dead-letter queues, and leave it there."""
    sqs, found = relay.stack.client("sqs"), []
    for url in (relay.stack.outputs[queue] for queue in DEAD_LETTER_QUEUES):
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get(
            "Messages"
        ):
            found += messages
    return found


def errors(relay: Relay) -> list[dict[str, Any]]:
    """Return what the functions have logged as errors."""
    lines = [line for function in ("submit", "api", "observe", "tick") for line in relay.stack.logs(function)]
    entries = [json.loads(line[line.index("{") :]) for line in lines if '"level":"ERROR"' in line]
    return [entry for entry in entries if entry["level"] == "ERROR"]


def list_overdue(run: Run, now: datetime) -> Outbox:
    """Return what a run owes, without news that nobody else may send before the function that saved it must be dead."""
    may_wait = now < run.updated_at + OUTBOX_PATIENCE + 2 * TICK
    return replace(run.outbox, news=()) if may_wait else run.outbox


def cause(error: dict[str, Any]) -> str:
    """Name what a function has given up on."""
    name, codes = str(error.get("exception_name")), CODE.findall(error.get("exception", ""))
    # A call that failed while another's refusal was looked into stands last.
    return f"{name}: {codes[-1]}" if name == "ClientError" and codes else name


def tell(found: Aftermath, users: Users, took: float) -> None:
    """Print the figures; pytest shows them with -rP."""
    proxy, write = found.proxy, sys.stdout.write
    write(f"{len(found.crowd)} runs, seed {SEED}, {took:.0f} s; the API's answers: {dict(users.answers)}\n")
    for service, calls in sorted(proxy.calls.items()):
        struck = Counter(dict.fromkeys(Fault, 0))
        for (called, _, fault), times in proxy.struck.items():
            struck[fault] += times if called == service else 0
        write(f"{service}: {calls} calls; {', '.join(f'{times} {fault}' for fault, times in struck.items())}\n")
    causes = Counter(map(cause, found.errors))
    write(f"given up on by a function, and delivered or asked for again: {dict(causes)}\n")
    write(f"dead letters: {len(found.dead)}\n")


def test_every_run_ends_as_it_should_although_calls_fail(aftermath: Aftermath) -> None:
    found = {
        name: (document["status"], tuple(attempt["outcome"] for attempt in document["attempts"]))
        for name, document in aftermath.documents.items()
    }
    assert found == {member.name: (member.fate.status, member.fate.outcomes) for member in aftermath.crowd}


def test_each_attempt_is_created_exactly_once_and_no_run_has_two_that_live(aftermath: Aftermath) -> None:
    calls = aftermath.relay.log(kind="call")
    created = Counter(
        call["job_name"] for call in calls if (call["operation"], call["outcome"]) == ("CreateTrainingJob", "ok")
    )
    told = [attempt["job_name"] for document in aftermath.documents.values() for attempt in document["attempts"]]
    assert created == Counter(told)
    assert {aftermath.relay.most_live_at_once(f"{member.name}-relay-*") for member in aftermath.crowd} == {1}


def test_nothing_stays_owed_and_the_api_shows_what_the_status_documents_show(aftermath: Aftermath) -> None:
    stack = aftermath.relay.stack
    store = DynamoDBRunStore(stack.client("dynamodb"), stack.outputs["TableName"])
    runs = [store.load(member.name) for member in aftermath.crowd]
    # A run that has ended within the last minutes writes its document once more.
    last_word, now = Outbox(status=True), datetime.now(UTC)
    debts = {run.id: list_overdue(run, now) for run in runs if run is not None}
    assert {name: owed for name, owed in debts.items() if owed.then(last_word) != last_word} == {}
    users = Users(aftermath.relay)
    shown = {name: users.insist("GET", f"/runs/{name}").json() for name in aftermath.documents}
    assert shown == {name: aftermath.relay.status(name) for name in aftermath.documents}


def test_dead_letters_are_none_or_observations_that_the_faults_have_hit_again_and_again(aftermath: Aftermath) -> None:
    causes: dict[str | None, set[str]] = {}
    for error in aftermath.errors:
        causes.setdefault(error.get("message_id"), set()).add(cause(error))
    for letter in aftermath.dead:
        body = json.loads(letter["Body"])
        # An upload that had died would be a run that never was, and its end would have been waited for in vain.
        assert body["source"] in {"aws.sagemaker", "spot-relay"}, body
        assert causes[letter["MessageId"]] <= INJECTED


def test_no_function_gives_up_for_any_other_reason_than_a_fault(aftermath: Aftermath) -> None:
    assert {cause(error) for error in aftermath.errors} <= INJECTED


def test_every_kind_of_fault_has_struck_what_creates_jobs_and_what_saves_runs(aftermath: Aftermath) -> None:
    struck = aftermath.proxy.struck
    for service, operation in (("sagemaker", "CreateTrainingJob"), ("dynamodb", "PutItem")):
        assert {fault for fault in Fault if struck[service, operation, fault]} == set(Fault), operation
