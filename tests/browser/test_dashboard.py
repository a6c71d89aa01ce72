"""The dashboard in a browser: it stays up to date by itself, and its buttons do what they say on a deployed stack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from embedded import deployment
from embedded.patience import give_time
from spot_relay_client.dashboard.app import Dashboard
from spot_relay_client.loopback import Gate, LoopbackServer
from spot_relay_client.relay import SpotRelay
from tests.dashboards import FakeRelay, fake_relay
from tests.e2e.relay import CHECKPOINTS, Relay, eventually, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.chromium import Browser

pytestmark = pytest.mark.browser


@contextmanager
def serving(relay: Any) -> Iterator[str]:
    """Serve a dashboard, and yield its address."""
    gate = Gate()
    with LoopbackServer(gate, Dashboard(relay, gate)):
        yield gate.url


@pytest.fixture
def relay() -> FakeRelay:
    return fake_relay()


@pytest.fixture
def address(relay: FakeRelay) -> Iterator[str]:
    with serving(relay) as url:
        yield url


@pytest.mark.parametrize("path", ["/", "/runs/churn", "/runs/churn/log", "/runs/churn/stop", "/runs/failed/resume"])
def test_a_page_reports_nothing_loads_only_its_own_script_and_is_accessible(
    browser: Browser, address: str, path: str
) -> None:
    for width in (400, 900):
        window = browser.open(f"{address}{path}", width)
        window.shoot(f"dashboard-{path}-{width}")
        assert window.messages == []
        assert {url for url in window.requests if not url.startswith(f"{address}/")} == set()
        assert not window.overflows()
    assert window.find_violations() == []


def test_what_has_changed_is_shown_without_a_reload_and_what_was_opened_stays_open(
    browser: Browser, address: str, relay: FakeRelay
) -> None:
    page = browser.open(f"{address}/runs/churn").page
    page.evaluate("window.same = true")
    page.locator("summary").first.click()
    relay.documents["churn"] |= {"reason": "churn-relay-01 was interrupted."}
    page.get_by_text("churn-relay-01 was interrupted.").wait_for(timeout=give_time(15) * 1000)
    assert page.evaluate("window.same") is True
    assert page.locator("details").first.get_attribute("open") is not None


def test_a_dashboard_that_does_not_answer_is_said_to_show_what_is_old(browser: Browser, relay: FakeRelay) -> None:
    with serving(relay) as address:
        page = browser.open(f"{address}/runs/churn").page
        assert not page.locator("#offline").is_visible()
    page.locator("#offline").wait_for(state="visible", timeout=give_time(15) * 1000)


def test_without_scripts_the_pages_and_the_buttons_work_as_well(
    browser: Browser, address: str, relay: FakeRelay
) -> None:
    page = browser.open(f"{address}/runs/churn", scripts=False).page
    page.get_by_role("link", name="Stop…").click()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_url(f"{address}/runs/churn")
    assert relay.asked == [("stop", "churn")]


def test_a_page_from_elsewhere_can_neither_read_nor_press(browser: Browser, address: str, relay: FakeRelay) -> None:
    page = browser.open("about:blank").page
    read = "(address) => fetch(address).then(() => 'read', () => 'refused')"
    assert page.evaluate(read, f"{address}/runs/churn") == "refused"
    page.set_content(f'<form method="post" action="{address}/runs/churn/stop"><button>Win a prize</button></form>')
    page.get_by_role("button").click()
    page.get_by_text("comes from a page of another site").wait_for()
    assert relay.asked == []


@pytest.fixture(scope="module")
def deployed() -> Iterator[Relay]:
    with deployment.running(parameters={"CheckIntervalSeconds": "5"}) as stack:
        relay = Relay(stack)
        relay.s3.create_bucket(Bucket=CHECKPOINTS)
        yield relay


def test_the_buttons_do_what_they_say_on_a_deployed_stack(browser: Browser, deployed: Relay) -> None:
    deployed.rule("pressed", capacity={"after": 0}, train_seconds=600)
    deployed.rule("pressed", "03", capacity={"after": 0}, train_seconds=1)
    deployed.api.submit(spec("pressed"))
    eventually("pressed being launched", lambda: deployed.jobs("pressed") or None)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployed.stack.environment.items():
            patch.setenv(name, value)
        with serving(SpotRelay()) as address:
            page = browser.open(f"{address}/").page
            page.get_by_role("link", name="pressed").click()
            press(page, "Move to on-demand")
            eventually("pressed being on-demand", lambda: "pressed-relay-02" in deployed.jobs("pressed") or None)
            job = deployed.stack.client("sagemaker").describe_training_job(TrainingJobName="pressed-relay-02")
            assert not job.get("EnableManagedSpotTraining")
            press(page, "Stop")
            deployed.ends("pressed")
            press(page, "Resume")
            deployed.ends("pressed")
    assert deployed.api.show("pressed")["status"] == "Completed"


def press(page: Any, label: str) -> None:
    """Press a button once it is there, and confirm."""
    page.get_by_role("link", name=f"{label}…").click(timeout=give_time(60) * 1000)
    page.get_by_role("button", name=label).click()
