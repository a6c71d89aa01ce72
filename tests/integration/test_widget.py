"""The function widget: what a dashboard gets to see, and what becomes of a run when somebody presses a button."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.integration.runs import a_run
from tests.integration.stack import SPEC, TABLE, document
from tests.unit.pages.reading import read_page
from tests.unit.pages.widgets import event_of, find_action, find_actions

if TYPE_CHECKING:
    from tests.integration.stack import Stack
    from tests.security.watched import WatchedStack

LONG = {"train_seconds": 90_000}


def show(stack: Stack, given: dict[str, Any] | None = None, **event: Any) -> str:
    """Return what the widget answers; the function returns HTML, and nothing around it."""
    answer: Any = stack.invoke("widget", event_of(given, **event))
    assert isinstance(answer, str)
    return answer


def press(stack: Stack, html: str, label: str, **typed: str) -> str:
    """Return what the widget answers when a button in it is pressed, as CloudWatch calls it."""
    return show(
        stack, find_action(html, label).given, typed={key.replace("__", "."): one for key, one in typed.items()}
    )


def text_of(html: str) -> str:
    return read_page(html).text


@pytest.fixture
def stack(stack: WatchedStack) -> WatchedStack:
    """A stack with a run that is training."""
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(600)
    stack.tick()
    return stack


@pytest.fixture
def without_actions(stack: WatchedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack as it is by default: the function knows no buttons, and its role has no right to change a run."""
    monkeypatch.setenv("WIDGET_ACTIONS", "false")
    stack.watch.parameters = {"WidgetActions": "false"}


def test_the_documents_of_a_dashboard_are_answered(stack: Stack) -> None:
    answer: Any = stack.invoke("widget", document("widget/describe"))
    assert answer.startswith("## Spot Relay\n")
    all_runs: Any = stack.invoke("widget", document("widget/all-runs"))
    assert "1 run, 1 going on." in text_of(all_runs)
    one_run: Any = stack.invoke("widget", document("widget/one-run"))
    assert "churn-relay-01" in one_run
    stopped: Any = stack.invoke("widget", document("widget/stop-run"))
    assert "Done: Stop." in text_of(stopped)


def test_a_run_is_found_opened_and_stopped(stack: Stack) -> None:
    page = press(stack, show(stack), "churn")
    assert "churn-relay-01" in page
    stopped = press(stack, page, "Stop")
    assert "Done: Stop." in text_of(stopped)
    assert stack.run().stop_requested
    assert [one.label for one in find_actions(stopped)] == ["All runs", "Refresh"]
    stack.clock.passes(400)
    stack.tick()
    assert stack.run().status is RunStatus.STOPPED
    assert "Stopped" in text_of(show(stack, {"run": "churn"}))


def test_a_run_that_was_stopped_is_resumed_with_a_larger_budget(stack: Stack) -> None:
    press(stack, show(stack, {"run": "churn"}), "Stop")
    stack.clock.passes(400)
    stack.tick()
    question = press(stack, show(stack, {"run": "churn"}), "Resume…")
    resumed = press(stack, question, "Resume", budgets__expired_waits="20")
    assert "Done: Resume." in text_of(resumed)
    run = stack.run()
    assert (run.status, len(run.attempts)) == (RunStatus.IN_PROGRESS, 2)
    assert run.policy.budgets.expired_waits == 20


def test_a_run_is_moved_to_on_demand_and_back_to_spot(stack: Stack) -> None:
    page = press(stack, show(stack, {"run": "churn"}), "Move to on-demand")
    assert "Done: Move to on-demand." in text_of(page)
    stack.clock.passes(400)
    stack.tick()
    assert stack.run().current.placement.market is Market.ON_DEMAND
    press(stack, show(stack, {"run": "churn"}), "Move to spot")
    stack.clock.passes(400)
    stack.tick()
    assert stack.run().current.placement.market is Market.SPOT


def test_a_run_is_given_a_deadline_which_is_changed_and_removed(stack: Stack) -> None:
    question = press(stack, show(stack, {"run": "churn"}), "Set a deadline…")
    page = press(stack, question, "Set a deadline", deadline="P2D", expected_runtime="PT2H")
    assert "Done: Set a deadline." in text_of(page)
    first = stack.run().deadline_at
    assert first is not None
    question = press(stack, page, "Change the deadline…")
    page = press(stack, question, "Change the deadline", deadline="P3D")
    assert (stack.run().deadline_at or first) > first
    page = press(stack, press(stack, page, "Change the deadline…"), "Change the deadline", deadline="")
    assert stack.run().deadline_at is None
    assert "Set a deadline…" in {one.label for one in find_actions(page)}


def test_what_is_wrong_with_an_answer_is_said_where_it_was_given_and_nothing_is_done(stack: Stack) -> None:
    before = stack.run()
    question = press(stack, show(stack, {"run": "churn"}), "Set a deadline…")
    again = press(stack, question, "Set a deadline", deadline="soon", expected_runtime="<b>PT2H")
    assert "soon" in read_page(again).values("value")
    assert "<b>PT2H" in read_page(again).values("value")
    assert "deadline" in text_of(again)
    assert "alert" in read_page(again).values("role")
    assert stack.run() == before


def test_without_the_parameter_there_is_no_button_and_what_is_pressed_all_the_same_is_refused(
    stack: Stack, without_actions: None
) -> None:
    before = stack.run()
    page = show(stack, {"run": "churn"})
    assert [one.label for one in find_actions(page)] == ["All runs", "Refresh"]
    for given in ({"action": "stop"}, {"question": "deadline"}, {"action": "move", "seen": "InProgress 1"}):
        assert "WidgetActions is false" in text_of(show(stack, {"run": "churn", **given}))
    described: Any = stack.invoke("widget", {"describe": True})
    assert "no buttons" in described
    assert stack.run() == before


def test_a_press_acts_once_and_only_in_the_state_for_which_its_button_was_drawn(stack: Stack) -> None:
    page = show(stack, {"run": "churn"})
    press(stack, page, "Stop")
    stack.clock.passes(400)
    stack.tick()
    question = press(stack, show(stack, {"run": "churn"}), "Resume…")
    press(stack, question, "Resume")
    running = stack.run()
    for html, label in ((page, "Stop"), (question, "Resume")):
        assert "Nothing was done" in text_of(press(stack, html, label))
    assert stack.run() == running


def test_an_action_that_nobody_has_pressed_is_refused(stack: Stack) -> None:
    """A dashboard could otherwise stop a run as soon as somebody with more rights than its author opens it."""
    given = {"run": "churn", "action": "stop", "seen": "InProgress 1"}
    before = stack.run()
    assert "has to be pressed" in text_of(show(stack, given, params=given))
    assert "has no button" not in text_of(show(stack, {"run": "churn"}, params={"run": "churn"}))
    assert stack.run() == before


@pytest.mark.parametrize("action", ["resume", "delete", "__class__", "Stop"])
def test_an_action_that_the_run_has_no_button_for_is_refused(stack: Stack, action: str) -> None:
    before = stack.run()
    answer = show(stack, {"run": "churn", "action": action, "seen": "InProgress 1"})
    assert "churn is InProgress, so that cannot be done now." in text_of(answer)
    assert stack.run() == before


@pytest.mark.parametrize("name", ["nobody", "slots#ml.m5.xlarge", "<b>x</b>", "\ud800", "x" * 5000, "../churn"])
def test_a_run_that_is_not_there_is_named_and_leads_back(stack: Stack, name: str) -> None:
    answer = show(stack, {"run": name})
    assert "There is no run" in text_of(answer)
    assert [one.label for one in find_actions(answer)] == ["All runs"]
    answer.encode()


def test_a_token_that_is_none_of_ours_is_refused(stack: Stack) -> None:
    assert "token is invalid" in text_of(show(stack, {"token": "<script>"}))


def test_a_run_that_waits_for_room_shows_how_many_are_ahead(stack: Stack) -> None:
    stack.limit_attempts("ml.m5.xlarge=1")
    job = json.loads(json.dumps(SPEC["training_job"]))
    for name in ("second", "third", "fourth"):
        job["CheckpointConfig"] = {"S3Uri": f"s3://churn-000000000000/checkpoints/{name}/"}
        stack.call("create-run", {"name": name, "training_job": job})
        stack.clock.passes(1)
    assert " with 1 ahead of it" in text_of(show(stack, {"run": "fourth"}))


def test_a_run_leads_to_the_run_that_it_comes_after(stack: Stack) -> None:
    job = {**SPEC["training_job"], "CheckpointConfig": {"S3Uri": "s3://churn-000000000000/checkpoints/second/"}}
    assert stack.call("create-run", {"name": "second", "training_job": job, "after": ["churn"]})[0] == 202
    page = show(stack, {"run": "second"})
    assert find_action(page, "churn").given == {"run": "churn"}
    assert "churn-relay-01" in press(stack, page, "churn")


def test_runs_are_paged_and_found_by_a_part_of_their_names(stack: Stack) -> None:
    store = DynamoDBRunStore(stack.client("dynamodb"), TABLE)
    for number in range(30):
        stack.clock.passes(1)
        store.create(a_run(f"run-{number:02}", stack.clock()))
    first = show(stack)
    assert "25 runs, 25 going on." in text_of(first)
    older = press(stack, first, "Older runs")
    assert "6 runs, 6 going on." in text_of(older)
    assert find_action(older, "churn").given == {"run": "churn"}
    assert "Older runs" not in {one.label for one in find_actions(older)}
    assert "25 runs" in text_of(press(stack, older, "Newest runs"))
    found = press(stack, first, "Show", name="run-0")
    assert "10 runs, 10 going on." in text_of(found)
    assert "No run is shown." in text_of(press(stack, first, "Failed"))


def test_a_press_is_logged_with_what_the_dashboard_says_of_itself(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    page = show(stack, {"run": "churn"})
    capsys.readouterr()
    press(stack, page, "Stop")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    told = {"dashboard": "spot-relay-us-east-1", "account": "000000000000", "action": "stop", "run_id": "churn"}
    for message in ("a button was pressed", "the request is accepted"):
        (line,) = [one for one in lines if one["message"] == message]
        assert told.items() <= line.items()
        assert line["function_request_id"]


def test_hostile_texts_of_an_event_can_be_logged(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"run": "churn", "action": "\ud800\x00", "seen": "\udfff"}
    show(stack, given, dashboardName="\ud800\n{}", accountId="\ud800")
    assert "a button was pressed" in capsys.readouterr().out


def test_an_outage_fails_the_invocation_with_a_message_that_gives_nothing_away(
    stack: WatchedStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TABLE_NAME", "no-such-table")
    with pytest.raises(Exception, match="could not draw this widget") as caught:
        show(stack)
    assert type(caught.value).__name__ == "WidgetError"
    assert caught.value.__cause__ is None
    assert "no-such-table" in capsys.readouterr().out
    assert "no-such-table" not in str(caught.value)
    stack.watch.refused.clear()
