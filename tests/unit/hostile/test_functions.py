"""Functions, handed events that somebody has tampered with: each is answered, and no good one suffers for a bad one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spot_relay.adapters.inbound import UnreadableEventError, read_observation, read_upload
from spot_relay.spec import Format, read_submission
from tests.hostile import seeds
from tests.hostile.functions import Context, Log, MemorySpecFiles, load
from tests.hostile.mutation import Choices, encoded, mutated
from tests.hostile.oracles import RULES, check_answer, check_observation, check_upload
from tests.hostile.requests import request
from tests.hostile.values import SECRET, TEXTS
from tests.unit.spec.documents import CALM
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable


class Function:
    """A function, the world it works in, and what it has printed."""

    def __init__(self, name: str) -> None:
        self.log = Log()
        self.module: Any = load(name, World(), self.log)

    def begin(self) -> World:
        """Put the function into a new world, in which there is one run."""
        world = World()
        world.service.submit(submission())
        self.module.service = world.service
        self.log.lines.clear()
        return world

    def check_log(self) -> None:
        """Every line is JSON, none was lost, and none holds a secret."""
        assert self.log.lost == []
        assert all("message" in json.loads(line) for line in self.log.lines)
        assert SECRET not in "".join(self.log.lines)


@pytest.fixture(scope="module")
def api() -> Function:
    return Function("api")


@pytest.fixture(scope="module")
def observe() -> Function:
    return Function("observe")


@pytest.fixture(scope="module")
def submit() -> Function:
    return Function("submit")


def batch(bodies: list[str]) -> dict[str, Any]:
    """The event with which SQS hands over messages, their ids numbered from 0."""
    (record,) = seeds.event("observe/run-due")["Records"]
    return {"Records": [record | {"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def failed(answer: dict[str, Any]) -> set[int]:
    return {int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}


def bodies(data: bytes) -> list[str]:
    """One to four messages, some of which were tampered with."""
    choices = Choices(data)
    changed = [mutated(choices.of(seeds.messages()), choices) for _ in range(1 + choices.below(4))]
    return [encoded(text, choices).decode("utf-8", "surrogateescape") for text in changed]


def unreadable(read: Callable[[str], object], texts: list[str]) -> set[int]:
    """Tell which messages can't be read."""
    found = set()
    for number, text in enumerate(texts):
        try:
            read(text)
        except UnreadableEventError:
            found.add(number)
    return found


@settings(CALM, max_examples=300)
@given(st.binary(max_size=96))
def test_of_a_batch_of_observations_those_that_cannot_be_read_go_back_and_no_other(
    observe: Function, data: bytes
) -> None:
    world, texts = observe.begin(), bodies(data)
    assert failed(observe.module.handler(batch(texts), Context())) == unreadable(read_observation, texts)
    for text in texts:
        check_observation(text)
    assert len(world.run().attempts) == 1
    observe.check_log()


@settings(CALM, max_examples=300)
@given(data=st.binary(max_size=96), spec=st.binary(max_size=64))
def test_of_a_batch_of_uploads_each_becomes_a_run_or_has_a_report_or_goes_back(
    submit: Function, data: bytes, spec: bytes
) -> None:
    world, texts, choices = submit.begin(), bodies(data), Choices(spec)
    content = encoded(mutated(choices.of(seeds.specs()), choices), choices)
    uploads = [upload for text in texts if (upload := check_upload(text))]
    submit.module.files = MemorySpecFiles({upload.key: content for upload in uploads})
    assert failed(submit.module.handler(batch(texts), Context())) == unreadable(read_upload, texts)
    for upload in uploads:
        problems = submit.module.files.reports.get(upload.key)
        if problems is None:
            name = read_submission(content, Format.of(upload.key), RULES).name
            assert name in world.store.runs
        else:
            assert problems
    submit.check_log()


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:30]))
def test_the_key_of_an_upload_leads_to_no_other_place_and_is_told_in_the_log(submit: Function, text: str) -> None:
    submit.begin()
    message = next(one for one in seeds.messages() if one["source"] == "aws.s3")
    message = json.loads(json.dumps(message))
    message["detail"]["object"]["key"] = key = f"runs/{text}.json"
    submit.module.files = MemorySpecFiles({key: b"{}"})
    answer = submit.module.handler(batch([json.dumps(message)]), Context())
    is_text = text.encode("utf-8", "replace").decode() == text
    is_short = len(key) <= 1024
    assert failed(answer) == (set() if is_text and is_short else {0})
    assert set(submit.module.files.reports) == ({key} if is_text and is_short else set())
    if is_text and is_short:
        assert [json.loads(line).get("key") for line in submit.log.lines] == [key]
    assert submit.log.lost == []


@settings(CALM, max_examples=500)
@given(st.binary(max_size=96))
def test_any_request_is_answered_as_its_method_is_and_none_with_a_fault_of_ours(api: Function, data: bytes) -> None:
    api.begin()
    check_answer(api.module, request(Choices(data)), Context())
    api.check_log()


def test_a_spec_that_is_posted_again_after_many_bad_requests_is_the_same_run(api: Function) -> None:
    world, good = api.begin(), seeds.event("api/create-run")
    world.store.runs.clear()
    first = check_answer(api.module, good, Context())
    assert first["statusCode"] == 202
    for number in range(256):
        check_answer(api.module, request(Choices(bytes([3, 0, 0, number, number] * 20))), Context())
    assert check_answer(api.module, good, Context()) == first
    assert [name for name in world.jobs.jobs if name.startswith("churn-")] == ["churn-relay-01"]
