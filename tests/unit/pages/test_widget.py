"""The widget of a CloudWatch dashboard: what it shows, what can be pressed, and that no event of it is trusted."""

from __future__ import annotations

import json
import re
from datetime import UTC, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.pages.buttons import list_buttons
from spot_relay.pages.run_page import MOST_BYTES
from spot_relay.pages.style import confine_style
from spot_relay.pages.view import STATUSES, View
from spot_relay.pages.widget import describe_widget, state_of
from spot_relay.pages.widget_event import Ask, read_ask
from tests.unit.pages.all_runs import documents
from tests.unit.pages.corpus import CORPUS, poison
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import KEPT, TALES, document_of, failed_by_budget, on_demand_by_pace
from tests.unit.pages.widgets import ENDPOINT, TOKEN, event_of, find_action, find_actions, show_typical, widget
from tests.unit.spec.documents import CALM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.pages.reading import Page

WIDGETS = KEPT / "widget"
# What CloudWatch takes out of the HTML, and what would do something besides cwdb-action.
FORBIDDEN = {
    "script",
    "iframe",
    "use",
    "link",
    "img",
    "image",
    "object",
    "embed",
    "base",
    "meta",
    "html",
    "head",
    "body",
}
each_answer = pytest.mark.parametrize("name", sorted(path.stem for path in WIDGETS.iterdir()))


@each_answer
def test_a_typical_answer_is_the_one_that_is_kept(name: str) -> None:
    assert show_typical()[name] == (WIDGETS / f"{name}.html").read_text("utf-8")


def test_no_other_answer_is_kept() -> None:
    assert {path.stem for path in WIDGETS.iterdir()} == set(show_typical())


@each_answer
def test_an_answer_is_one_element_that_loads_nothing_and_contains_only_what_cloudwatch_lets_through(name: str) -> None:
    text = show_typical()[name]
    page = read_page(text)
    assert page.elements[:2] == ["div", "style"]
    assert not page.unbalanced
    assert not FORBIDDEN & set(page.elements)
    assert not [key for _, key, _ in page.attributes if key.startswith("on") or key in {"src", "srcset", "style"}]
    assert page.declarations == []
    assert not re.search(r"@import|@font-face|url\((?!#)", text)
    assert all(link.startswith("https://us-east-1.console.aws.amazon.com/") for link in page.values("href"))


@each_answer
def test_an_answer_is_not_much_larger_than_the_page(name: str) -> None:
    assert len(show_typical()[name].encode()) < MOST_BYTES


@each_answer
def test_style_and_ids_of_an_answer_are_its_own(name: str) -> None:
    text = show_typical()[name]
    page, scope = read_page(text), "spot-relay-widget-2"
    assert ("div", "class", f"{scope} cwdb-no-default-styles") in page.attributes
    named = [one for key in ("id", "for", "aria-labelledby") for value in page.values(key) for one in value.split()]
    assert all(one.startswith(f"{scope}-") for one in named)
    assert set(named) == set(page.values("id")), "whatever is named is there"
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    plain = re.sub(r"@media[^{]*\{", "", style)
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{[^{}]*\}", plain) for one in rule.split(",")]
    assert len(selectors) > 90
    assert [one for one in selectors if one != f".{scope}" and not one.startswith(f".{scope} ")] == []


def test_the_style_is_that_of_the_theme_and_the_width_that_the_dashboard_has() -> None:
    light, dark = (confine_style("a", dark=dark, narrow=False) for dark in (False, True))
    assert "color-scheme:light" in light
    assert "color-scheme:dark" in dark
    assert light.split(":root")[0].count("--page:") == dark.count("--page:") == 1
    assert confine_style("a", dark=False, narrow=True) != light
    assert "prefers-color-scheme" not in light
    texts = show_typical()
    assert "color-scheme:dark" in texts["runs_dark_and_narrow"]
    assert "grid-template-columns:78px" in texts["runs_dark_and_narrow"]
    assert "grid-template-columns:78px" not in texts["runs"]


def test_whatever_is_pressed_calls_the_same_function_with_json_and_replaces_the_widget() -> None:
    for text in show_typical().values():
        for action in find_actions(text):
            assert action.attributes["endpoint"] == ENDPOINT
            assert (action.attributes["action"], action.attributes["display"]) == ("call", "widget")
            assert "run" in action.given, "a call names its run, or none, whatever run the widget begins with"


def test_a_run_is_opened_by_its_name_and_leads_back_to_all_runs() -> None:
    found, now = documents()
    text = widget(event_of(), now).show_runs(found, None)
    name = found[0]["run_id"]
    assert find_action(text, name).given == {"run": name}
    page = widget(event_of(), now).show_run(found[0])
    assert find_action(page, "All runs").given == {"run": None}
    assert find_action(page, "Refresh").given == {"run": name}


def test_the_runs_are_sorted_filtered_and_paged_by_what_is_pressed() -> None:
    text = show_typical()["runs_dark_and_narrow"]
    view = {"status": None, "sort": "cost", "order": "descending", "name": "a"}
    assert find_action(text, "Older runs").given == {"run": None, **view, "token": TOKEN}
    assert find_action(text, "Newest runs").given == {"run": None, **view}
    assert find_action(text, "Show").given == {"run": None, **view, "name": None}
    assert find_action(text, "Cost ↓").given == {"run": None, **view, "order": "ascending"}
    assert [find_action(text, one).given["status"] for one in STATUSES] == list(STATUSES)
    assert "Older runs" not in show_typical()["runs"]


def test_a_view_that_is_pressed_is_read_back_as_the_view_that_is_shown() -> None:
    found, now = documents()
    for action in find_actions(widget(event_of({"sort": "name", "status": "Completed"}), now).show_runs(found, None)):
        if "sort" in action.given:
            ask = read_ask(event_of(action.given))
            assert widget(event_of(action.given), now).show_runs(found, None)
            assert ask.view.sort == action.given["sort"]
            assert (ask.view.status, ask.run) == (action.given["status"], None)


def test_every_button_of_a_run_is_confirmed_and_says_for_which_state_it_is() -> None:
    for tale in TALES[:8]:
        document, now = document_of(tale)
        text = widget(event_of(), now).show_run(document)
        for button in list_buttons(document):
            label = f"{button.label}…" if button.fields else button.label
            asked = find_action(text, label)
            if button.fields:
                assert asked.given == {"run": document["run_id"], "question": button.action}
                asked = find_action(widget(event_of(), now).show_question(document, button), button.label)
            seen = state_of(document)
            assert asked.given == {"run": document["run_id"], "action": button.action, "seen": seen}
            assert asked.attributes["confirmation"]


def test_without_actions_nothing_can_be_pressed_but_what_shows_something() -> None:
    for tale in TALES:
        document, now = document_of(tale)
        found = find_actions(widget(event_of(), now, acts=False).show_run(document))
        assert [action.label for action in found[:2]] == ["All runs", "Refresh"]
        assert all(set(action.given) == {"run"} for action in found)


def test_the_fields_of_a_question_have_the_names_that_its_answer_is_read_by() -> None:
    document, now = document_of(failed_by_budget)
    (button,) = list_buttons(document)
    page = read_page(widget(event_of(), now).show_question(document, button))
    assert page.values("name") == [field.name for field in button.fields]
    assert page.values("value") == [field.value for field in button.fields]
    typed = {field.name: field.value for field in button.fields} | {"budgets.expired_waits": "99"}
    assert button.build_body(read_ask(event_of(typed=typed)).typed) == {"budgets": {"expired_waits": 99}}


def test_what_was_typed_is_shown_again_with_what_was_wrong_with_it() -> None:
    page = read_page(show_typical()["question_refused"])
    assert "much" in page.values("value")
    assert "Expired waits is a number, and 'much' is none." in page.text
    assert "alert" in page.values("role")


def test_the_documentation_names_every_parameter_and_says_whether_there_are_buttons() -> None:
    text = describe_widget(acts=True)
    assert all(f"**{name}**" in text for name in ("run", "status", "name", "sort", "order"))
    assert "may press" in text
    assert "no buttons" in describe_widget(acts=False)


def test_an_event_is_read_with_what_was_typed_before_what_a_button_says() -> None:
    event = event_of(
        {"run": "churn", "action": "stop", "seen": "Pending 0", "sort": "cost", "order": "ascending", "name": "old"},
        {"name": " new ", "deadline": "P2D"},
        theme="dark",
        width=300,
        timezone={"label": "Local", "offsetISO": "-03:30"},
    )
    ask = read_ask(event)
    assert (ask.run, ask.action, ask.seen, ask.is_preset) == ("churn", "stop", "Pending 0", False)
    assert ask.view == View("cost", descending=False, name="new")
    assert ask.typed == {"name": " new ", "deadline": "P2D"}
    assert (ask.dark, ask.narrow, ask.widget) == (True, True, "widget-2")
    assert ask.zone == timezone(-timedelta(hours=3, minutes=30))
    assert (ask.dashboard, ask.account) == ("spot-relay-us-east-1", "000000000000")


def test_an_action_that_is_a_parameter_of_the_widget_is_known_as_one() -> None:
    assert read_ask(event_of({"run": "churn", "action": "stop"}, params={"run": "churn", "action": "stop"})).is_preset
    assert not read_ask(event_of({"run": "churn", "action": "stop"}, params={"run": "churn"})).is_preset


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"widgetContext": None},
        {"widgetContext": []},
        {"widgetContext": {"forms": [], "params": "action", "timezone": 1, "width": "9", "widgetId": 3, "theme": {}}},
        {"widgetContext": {"forms": {"all": [1]}, "timezone": {"offsetISO": "+99:00"}, "widgetId": "a b{}"}},
        {"run": 1, "action": [], "token": {}, "sort": [], "status": {}, "order": 5, "name": None, "seen": True},
    ],
)
def test_what_cannot_be_used_is_as_if_it_were_not_there(event: dict[str, Any]) -> None:
    ask = read_ask(event)
    assert ask == Ask()
    assert ask.zone is UTC


@CALM
@given(
    event=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(CORPUS),
        lambda inner: st.dictionaries(
            st.sampled_from(["widgetContext", "forms", "all", "params", "timezone", "offsetISO", "run", "name", "sort"])
            | st.sampled_from(
                ["status", "token", "action", "seen", "width", "widgetId", "theme", "accountId", "order"]
            ),
            inner | st.lists(inner, max_size=2),
            max_size=6,
        ),
        max_leaves=12,
    )
)
def test_any_event_is_read_and_what_is_read_can_be_logged(event: Any) -> None:
    ask = read_ask(event if isinstance(event, dict) else {"widgetContext": event})
    texts = [ask.run, ask.token, ask.action, ask.seen, ask.dashboard, ask.account, ask.view.name]
    assert all(len(text.encode()) <= 1024 for text in texts if text is not None)


@cache
def harmless() -> tuple[Page, ...]:
    """The answers when all of their texts, and all of what is typed, are harmless."""
    return tuple(read_page(text) for text in answers("harmless"))


def answers(text: str) -> Iterator[str]:
    """Return answers with a text in place of all that comes from a run, from an event or from its fields."""
    given = dict.fromkeys(("run", "token", "action", "question", "seen", "sort", "status", "order", "name"), text)
    event = event_of(
        given,
        {"name": text, "budgets.expired_waits": text, "deadline": text},
        **dict.fromkeys(("dashboardName", "widgetId", "accountId", "theme", "locale", "title"), text),
        params={text: text, "action": text},
        timezone={"offsetISO": text, "label": text},
        width=text,
    )
    for tale in (failed_by_budget, on_demand_by_pace):
        document, now = document_of(tale)
        status = document["status"]
        hostile = poison(document, text)
        yield widget(event, now).show_runs([], text)
        yield widget(event_of(given, {"name": ""}), now).show_runs([hostile], text)
        yield widget(event, now).show_run(hostile, told=text, fault=text)
        # With a status that is known, the run has buttons.
        for button in list_buttons(hostile | {"status": status}):
            yield widget(event, now).show_run(hostile | {"status": status})
            yield widget(event, now).show_question(hostile, button, text)
        yield widget(event, now).show_fault(text, text)


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_a_hostile_text_leaves_no_element_no_attribute_and_no_other_call_behind(text: str) -> None:
    shown = list(answers(text))
    assert len(shown) == len(harmless()) > 10
    for answer, clean in zip(shown, harmless(), strict=True):
        answer.encode()
        page = read_page(answer)
        assert page.elements == clean.elements
        assert [(tag, key) for tag, key, _ in page.attributes] == [(tag, key) for tag, key, _ in clean.attributes]
        assert page.declarations == []
        assert not page.unbalanced
        assert {action.attributes["endpoint"] for action in find_actions(answer)} == {ENDPOINT}
        assert not re.search(r"url\((?!#spot-relay-widget-)", re.findall(r"<style>(.*?)</style>", answer, re.S)[0])


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_the_parameters_of_a_call_are_the_same_whether_or_not_they_are_taken_for_html(text: str) -> None:
    document, now = document_of(on_demand_by_pace)
    raw = widget(event_of(), now).show_run(document | {"run_id": text})
    payloads = re.findall(r"<cwdb-action[^>]*>(.*?)</cwdb-action>", raw, re.S)
    assert len(payloads) == len(find_actions(raw)) > 3
    assert all(json.loads(one)["run"] in (None, text) for one in payloads)
    assert not [one for one in payloads if set("<>&'") & set(one)]
