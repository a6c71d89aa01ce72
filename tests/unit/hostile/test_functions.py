"""Functions, handed events that somebody has tampered with: each is answered, and no good one suffers for a bad one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import seeds
from tests.hostile.functions import MemorySpecFiles
from tests.hostile.handlers import Api, Observe, Submit, Widget, batch, bodies, failed, names
from tests.hostile.mutation import Choices, mutated, places
from tests.hostile.requests import request
from tests.hostile.values import SECRET, TEXTS
from tests.thoroughness import LEVEL, Level, examples, share
from tests.unit.spec.documents import CALM

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def observe() -> Observe:
    return Observe()


@pytest.fixture(scope="module")
def submit() -> Submit:
    return Submit()


@pytest.fixture(scope="module")
def widget() -> Widget:
    return Widget()


@examples(300, CALM)
@given(st.binary(max_size=96))
def test_of_a_batch_of_observations_those_that_cannot_be_read_go_back_and_no_other(
    observe: Observe, data: bytes
) -> None:
    observe.check(bodies(data))


@examples(300, CALM)
@given(data=st.binary(max_size=96), spec=st.binary(max_size=64))
def test_of_a_batch_of_uploads_each_becomes_a_run_or_has_a_report_or_goes_back(
    submit: Submit, data: bytes, spec: bytes
) -> None:
    submit.check(bodies(data), spec)


@examples(500, CALM)
@given(st.binary(max_size=96))
def test_any_request_is_answered_as_its_method_is_and_none_with_a_fault_of_ours(api: Api, data: bytes) -> None:
    api.check(request(Choices(data)))


@examples(300, CALM)
@given(st.binary(max_size=96))
def test_any_event_of_a_dashboard_is_answered_with_html_of_ours(widget: Widget, data: bytes) -> None:
    choices = Choices(data)
    documents = [event for name, event in sorted(seeds.events().items()) if name.startswith("widget/")]
    text = mutated(choices.of(documents), choices)
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return  # Lambda takes only JSON
    widget.check(event)


@pytest.mark.parametrize("text", share(TEXTS), ids=lambda text: ascii(text[:30]))
def test_the_key_of_an_upload_is_told_in_the_log_as_it_is_or_cannot_be_read(submit: Submit, text: str) -> None:
    submit.begin()
    message = json.loads(seeds.event("submit/spec-uploaded")["Records"][0]["body"])
    message["detail"]["object"]["key"] = key = f"runs/{text}.json"
    submit.module.files = files = MemorySpecFiles({key: b"{}"})
    can_be_a_key = len(key) <= 1024 and text.encode("utf-8", "replace").decode() == text
    assert failed(submit.hand(batch([json.dumps(message)]))) == (set() if can_be_a_key else {0})
    assert set(files.reports) == ({key} if can_be_a_key else set())
    told = [json.loads(line) for line in submit.log.lines]
    assert [line["key"] for line in told if "key" in line] == ([key] if can_be_a_key else [])
    assert submit.log.lost == []


@pytest.mark.parametrize("key", ["runs/readme.md", "status/x.json", "runs/gone.json"])
def test_of_an_upload_that_is_no_spec_the_log_tells_the_key_and_nothing_else_of_the_event(
    submit: Submit, key: str
) -> None:
    submit.begin()
    message = json.loads(seeds.event("submit/spec-uploaded")["Records"][0]["body"])
    message["detail"]["object"]["key"] = key
    message |= {"resources": [SECRET, "\ud800"]}
    submit.module.files = MemorySpecFiles()
    # As it stands, and not escaped: whatever the queue lets through has to be told of.
    text = json.dumps(message, ensure_ascii=False)
    assert failed(submit.hand(batch([text]))) == set()
    submit.check_log()
    assert [json.loads(line)["key"] for line in submit.log.lines] == [key]


def one_for_each_status() -> list[dict[str, Any]]:
    """Return all messages, but of the events of jobs only the one with the most places for each status."""
    chosen: dict[object, dict[str, Any]] = {}
    for one in sorted(seeds.messages(), key=lambda one: len(list(places([one])))):
        chosen[one["detail"].get("TrainingJobStatus", len(chosen))] = one
    return list(chosen.values())


@pytest.mark.parametrize("name", ["observe", "submit"])
def test_of_a_message_only_names_and_times_are_told_in_the_log_whatever_stands_elsewhere(
    observe: Observe, submit: Submit, name: str
) -> None:
    function = {"observe": observe, "submit": submit}[name]
    told = set()
    undated = {"LastModifiedTime": None}
    messages = seeds.messages() if LEVEL is Level.ALL else one_for_each_status()
    dated = [one for one in messages if "LastModifiedTime" in one["detail"]]
    for box in ([one] for one in (*messages, *(one | {"detail": one["detail"] | undated} for one in dated))):
        for place in list(places(box)):
            before = place.value
            place.put(SECRET)
            function.begin()
            function.hand(batch([json.dumps(box[0])]))
            told |= {place.key} if SECRET in "".join(function.log.lines) else set()
            place.put(before)
    expected = {
        "observe": {"source", "detail-type", "run_id", "LastModifiedTime", "time"},
        "submit": {"source", "detail-type", "key", "time", "at"},
    }
    assert told == expected[name]


@pytest.mark.parametrize("place", ["Environment", "requester"])
def test_the_check_of_the_log_takes_no_other_member_for_a_name(observe: Observe, place: str) -> None:
    observe.begin()
    message = {"source": "aws.s3", "time": "now", "detail": {place: {"time": SECRET, "name": SECRET, "key": SECRET}}}
    observe.log.lines = [json.dumps({"message": SECRET})]
    with pytest.raises(AssertionError):
        observe.check_log(*names(json.dumps(message)))
    observe.check_log(*names(json.dumps(message | {"time": f'"{SECRET}'})))


def test_a_spec_that_is_posted_again_after_many_bad_requests_is_the_same_run(api: Api) -> None:
    world, good = api.begin(), seeds.event("api/create-run")
    world.store.runs.clear()
    first = api.hand(good)
    assert first["statusCode"] == 202
    for number in range(256):
        api.hand(request(Choices(bytes([3, 0, 0, number, number] * 20))))
    again = api.hand(good)
    assert again["statusCode"] == 202
    assert json.loads(again["body"]) == json.loads(first["body"]) | {"created": False}
    assert [name for name in world.jobs.jobs if name.startswith("churn-")] == ["churn-relay-01"]
