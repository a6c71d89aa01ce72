"""The dashboard: what its pages show, what its buttons do, and who else may not use it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client

from spot_relay_client.dashboard.app import Dashboard
from spot_relay_client.errors import InvalidSpecError, UnreachableError
from spot_relay_client.loopback import Gate
from tests.dashboards import FakeRelay, fake_relay

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

HOST = "127.0.0.1:4600"
ORIGIN = {"Origin": f"http://{HOST}"}


@dataclass
class Browser:
    """Asks the dashboard for pages, with the headers that are given."""

    relay: FakeRelay
    gate: Gate
    client: Client

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(f"/{self.gate.key}{path}", headers={"Host": HOST} | headers)

    def press(
        self, path: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> TestResponse:
        return self.client.post(
            f"/{self.gate.key}{path}", data=form or {}, headers={"Host": HOST} | ORIGIN | (headers or {})
        )


@pytest.fixture
def browser() -> Browser:
    relay, gate = fake_relay(), Gate()
    gate.host = HOST
    return Browser(relay, gate, Client(Dashboard(relay, gate)))  # type: ignore[arg-type]


def text_of(answer: TestResponse) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


def test_the_first_page_lists_the_runs_and_leads_to_them(browser: Browser) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    for name in browser.relay.documents:
        assert f'href="/{browser.gate.key}/runs/{name}"' in page.text
    assert browser.client.get(f"/{browser.gate.key}", headers={"Host": HOST}).location == f"/{browser.gate.key}/"


def test_a_run_that_has_not_changed_is_not_asked_for_again(browser: Browser) -> None:
    browser.get("/")
    browser.relay.documents["churn"]["updated_at"] = datetime.now(UTC).isoformat()
    browser.relay.shown.clear()
    browser.get("/")
    assert browser.relay.shown == ["churn"]


def test_runs_are_filtered_by_their_status_and_wrong_wishes_count_as_none(browser: Browser) -> None:
    assert "/runs/churn" not in browser.get("/?status=Failed").text
    assert "/runs/failed" in browser.get("/?status=Failed").text
    assert "/runs/churn" in browser.get("/?status=x&sort=%00&order=y").text


def test_a_run_has_its_page_with_the_buttons_for_what_can_be_done_now(browser: Browser) -> None:
    assert "Stop…" in text_of(browser.get("/runs/churn"))
    assert "Resume…" in text_of(browser.get("/runs/failed"))
    assert 'class="button"' not in browser.get("/runs/done").text


def test_pages_stay_up_to_date_by_a_script_of_their_own_or_by_being_loaded_again(browser: Browser) -> None:
    for path in ("/", "/runs/churn", "/runs/churn/log"):
        page = browser.get(path).text
        assert f'<script src="/{browser.gate.key}/live.js" defer=""></script>' in page
        assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page
    script = browser.get("/live.js")
    assert (script.status_code, script.mimetype) == (200, "text/javascript")


def test_a_button_asks_first_and_then_does_what_it_says(browser: Browser) -> None:
    assert "Stop churn?" in text_of(browser.get("/runs/churn/stop"))
    assert browser.relay.asked == []
    pressed = browser.press("/runs/churn/stop")
    assert (pressed.status_code, pressed.location) == (303, f"/{browser.gate.key}/runs/churn")
    assert browser.relay.asked == [("stop", "churn")]


def test_the_page_of_a_run_leads_to_the_runs_that_it_comes_after_and_to_those_that_come_after_it(
    browser: Browser,
) -> None:
    failed, churn = browser.relay.documents["failed"], browser.relay.documents["churn"]
    assert "/runs/churn" not in browser.get("/runs/failed").text
    churn["start"] = {"waits": False, "after": [{"run_id": "failed", "has_completed": False}], "continue_from": None}
    churn["updated_at"] = datetime.now(UTC).isoformat()
    for shown, linked in ((failed, "churn"), (churn, "failed")):
        page = browser.get(f"/runs/{shown['run_id']}").text
        assert f'<a href="/{browser.gate.key}/runs/{linked}">{linked}</a>' in page


def test_a_run_is_resumed_with_those_budgets_that_were_changed(browser: Browser) -> None:
    page = browser.get("/runs/failed/resume").text
    assert 'name="budgets.money_usd" value="12.5"' in page
    typed = {"budgets.expired_waits": "20", "budgets.money_usd": "12.5", "budgets.refusals": ""}
    browser.press("/runs/failed/resume", typed)
    assert browser.relay.asked == [("resume", "failed", {"budgets": {"expired_waits": 20}})]


def test_a_run_is_moved_to_the_other_market(browser: Browser) -> None:
    assert "Move to on-demand…" in text_of(browser.get("/runs/churn"))
    assert "at the full price" in text_of(browser.get("/runs/churn/move"))
    browser.press("/runs/churn/move")
    browser.relay.documents["churn"]["attempts"][-1]["placement"]["market"] = "on-demand"
    assert "Move to spot…" in text_of(browser.get("/runs/churn"))
    browser.press("/runs/churn/move")
    assert browser.relay.asked == [("move", "churn", "on-demand"), ("move", "churn", "spot")]


def test_a_deadline_is_set_changed_and_removed(browser: Browser) -> None:
    browser.press("/runs/churn/deadline", {"deadline": "P2D", "expected_runtime": "PT20H"})
    browser.relay.documents["churn"]["deadline"] = {"at": "2026-12-01T18:00:00.000Z"}
    assert 'value="2026-12-01T18:00:00.000Z"' in browser.get("/runs/churn/deadline").text
    browser.press("/runs/churn/deadline", {"deadline": " 2026-12-02T18:00:00Z "})
    browser.press("/runs/churn/deadline", {"deadline": ""})
    assert browser.relay.asked == [
        ("deadline", "churn", "P2D", {"expected_runtime": "PT20H"}),
        ("deadline", "churn", "2026-12-02T18:00:00Z", {}),
        ("deadline", "churn", None, {}),
    ]


def test_what_is_no_number_is_refused_and_nothing_is_sent(browser: Browser) -> None:
    answer = browser.press("/runs/failed/resume", {"budgets.expired_waits": "many"})
    assert answer.status_code == 422
    assert "Expired waits is a number, and 'many' is none." in text_of(answer)
    assert browser.relay.asked == []


def test_a_refusal_of_the_stack_is_shown_where_it_was_asked(browser: Browser) -> None:
    browser.relay.fault = InvalidSpecError(400, "InvalidSpec", "budgets.expired_waits: at most 1000")
    answer = browser.press("/runs/failed/resume", {"budgets.expired_waits": "5000"})
    assert answer.status_code == 422
    assert "budgets.expired_waits: at most 1000" in text_of(answer)


@pytest.mark.parametrize("path", ["/runs/done/stop", "/runs/done/resume", "/runs/churn/resume", "/runs/churn/delete"])
def test_what_a_run_has_no_button_for_is_declined_with_its_status(browser: Browser, path: str) -> None:
    for answer in (browser.get(path), browser.press(path)):
        assert answer.status_code == 409
        assert browser.relay.documents[path.split("/")[2]]["status"] in text_of(answer)
    assert browser.relay.asked == []


def test_the_log_shows_all_lines_so_far_each_once(browser: Browser) -> None:
    browser.get("/runs/churn/log")
    page = browser.get("/runs/churn/log")
    assert page.text.count("&lt;b&gt;epoch&lt;/b&gt; 1\n") == page.text.count("&lt;b&gt;epoch&lt;/b&gt; 2\n") == 1
    assert "05-01 12:00:00 01 algo-1 churn" in page.text


def test_a_stack_that_does_not_answer_and_a_run_that_is_not_there_are_told(browser: Browser) -> None:
    missing = browser.get("/runs/nobody")
    assert (missing.status_code, "There is no run nobody." in text_of(missing)) == (404, True)
    browser.relay.fault = UnreachableError("The API of Spot Relay could not be used.")
    down = browser.get("/runs/churn")
    assert (down.status_code, "could not be used" in text_of(down)) == (502, True)
    assert browser.get("/elsewhere").status_code == 404


# What a page of another site can make a browser send, even if it has learned the address.
ATTACKS = {
    "the name of the attacker's host, which leads here (DNS rebinding)": {"Host": "evil.example:4600"},
    "another name of this machine": {"Host": "localhost:4600"},
    "another port": {"Host": "127.0.0.1:1"},
    "a page of another site": {"Sec-Fetch-Site": "cross-site"},
    "a page of another port": {"Sec-Fetch-Site": "same-site"},
}
FORGED = ATTACKS | {
    "a form of another site": {"Origin": "https://evil.example"},
    "a form of another port": {"Origin": "http://127.0.0.1:1"},
    "a form in a sandbox": {"Origin": "null"},
    "a program without an Origin": {"Origin": ""},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_what_another_site_presses_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    assert browser.press("/runs/churn/stop", headers=headers).status_code == 403
    assert browser.relay.asked == []


@pytest.mark.parametrize("headers", ATTACKS.values(), ids=ATTACKS)
def test_another_site_sees_no_page(browser: Browser, headers: dict[str, str]) -> None:
    answer = browser.get("/runs/churn", **headers)
    assert answer.status_code == 403
    assert "churn" not in answer.text


@pytest.mark.parametrize("path", ["/", "/runs/churn", "/x/runs/churn", "/%00/", "//", "/live.js"])
def test_without_the_key_nothing_is_shown(browser: Browser, path: str) -> None:
    assert browser.client.get(path, headers={"Host": HOST}).status_code == 403
    assert browser.client.post(f"{path}/stop", headers={"Host": HOST} | ORIGIN).status_code == 403
    assert browser.relay.asked == []


@pytest.mark.parametrize("path", ["/", "/runs/churn", "/runs/churn/stop", "/live.js", "/elsewhere"])
def test_pages_load_nothing_from_elsewhere_and_cannot_be_framed_or_kept(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert not [name for name, _ in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_do_nothing(browser: Browser, method: str) -> None:
    path = f"/{browser.gate.key}/runs/churn/stop"
    assert browser.client.open(path, method=method, headers={"Host": HOST} | ORIGIN).status_code in (403, 405, 200)
    assert browser.relay.asked == []


def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    answer = browser.press("/runs/failed/resume", {"budgets.expired_waits": "1" * 20_000})
    assert answer.status_code == 413
    assert browser.relay.asked == []
