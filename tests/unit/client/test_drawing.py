"""What `ls`, `show`, `explain` and `watch` draw."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from spot_relay.pages.wording import Clock
from spot_relay_client.cli.live_view import MOST_LINES, SHOWN_LINES, LiveView
from spot_relay_client.cli.tables import draw_list, draw_run
from spot_relay_client.logs import LogLine
from spot_relay_client.models import Run
from tests.unit.client.documents import NOW, ago, attempt_document, run
from tests.unit.client.watched import DRAWN, draw_watched
from tests.unit.pages.tales import TALES, document_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from tests.unit.pages.tales import Tale

DECISION = {"at": ago(hours=1), "observation": "JobChanged", "reason": "The wait expired.", "times": 3, "until": ago()}
BUSY: dict[str, Any] = {
    "reason": "churn-relay-02 is Training.",
    "attempts": [
        attempt_document(status="Ended", outcome="MaxWaitTimeExceeded", training_seconds=3600, waited_seconds=60),
        attempt_document(
            2,
            cause="MaxWaitTimeExceeded",
            resumes_from={"key": "churn/checkpoints/model.7", "last_modified": ago(hours=1)},
            transitions=[
                {
                    "status": "Starting",
                    "started_at": ago(minutes=9),
                    "ended_at": ago(minutes=8),
                    "message": "Launching",
                },
                {"status": "Training", "started_at": ago(minutes=8), "ended_at": None, "message": "Image is ready"},
            ],
        ),
    ],
    "decisions": [DECISION],
    "cost_usd": 1.25,
    "savings_percent": 70.0,
    "spent": {"expired_waits": 1},
    "deadline": {
        "at": (NOW + timedelta(hours=5)).isoformat(),
        "expected_runtime_seconds": 7200,
        "progress_seconds": 3600,
    },
}


CLOCK = Clock(NOW)


def drawn(renderable: RenderableType, width: int = 140) -> str:
    """Return what a terminal shows, without colours."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_list_shows_status_progress_next_step_cost_saving_and_age() -> None:
    heading, row = drawn(draw_list([run(**BUSY)], NOW)).splitlines()
    assert heading.split() == ["Run", "Status", "Jobs", "Progress", "Next", "Cost", "Saved", "Age"]
    for text in ("churn", "InProgress", "50%", "churn-relay-02 is Training", "$1.25", "70%", "2h 00m"):
        assert text in row


def following(name: str, *others: str, waits: bool = True) -> Run:
    """A run that comes after others, which have not completed."""
    after = [{"run_id": other, "has_completed": False} for other in others]
    start = {"waits": waits, "at": None, "after": after, "continue_from": None}
    planned = attempt_document(status="Planned", phase=None)
    reason = f"Waiting for the run {others[0]} to complete."
    return run(run_id=name, status="Pending", reason=reason, start=start, attempts=[planned])


def test_a_chain_of_runs_is_listed_as_a_tree() -> None:
    runs = [following("c", "b"), following("d", "a"), following("e", "gone"), following("b", "A", "c"), run(run_id="a")]
    _, *rows = drawn(draw_list(runs, NOW, tree=True)).splitlines()
    assert [row.partition("  Pending")[0].partition("  InProgress")[0].rstrip() for row in rows] == [
        "e",
        "a",
        "└─ d",
        "└─ b",
        "   └─ c",
    ]


def test_runs_that_wait_for_each_other_are_listed_all_the_same() -> None:
    runs = [following("a", "b"), following("b", "a"), run(run_id="c")]
    assert len(drawn(draw_list(runs, NOW, tree=True)).splitlines()) == 1 + len(runs)


def test_a_run_that_waits_for_another_one_says_so() -> None:
    assert "Waiting for the run a to complete" in drawn(draw_list([following("b", "a")], NOW))
    shown = drawn(draw_run(following("b", "a"), NOW))
    assert "starts after  a" in shown
    assert "Not trained yet, waiting for a to complete." in shown
    assert "waiting for a" not in drawn(draw_run(following("b", "a", waits=False), NOW))


def test_a_run_of_a_template_names_it_and_says_what_it_waits_for() -> None:
    start = {"waits": True, "template": "templates/churn.yaml", "at_most": 2, "at": None, "after": []}
    planned = attempt_document(status="Planned", phase=None)
    waiting = run(run_id="churn-1", status="Pending", start=start, attempts=[planned])
    shown = " ".join(drawn(draw_run(waiting, NOW)).split())
    assert "waiting until fewer than 2 other runs of templates/churn.yaml are under way" in shown
    assert "template templates/churn.yaml, at most 2 at once" in shown
    assert "starts after" not in shown


def test_an_empty_list_says_so() -> None:
    assert drawn(draw_list([], NOW)) == "There are no such runs.\n"


def test_a_run_is_shown_with_its_attempts_budgets_and_decisions() -> None:
    shown = drawn(draw_run(run(**BUSY, model_artifacts="s3://models/model.tar.gz"), NOW))
    for text in ("in 5h 00m", "expired waits 1 of 5", "MaxWaitTimeExceeded", "model.7", "The wait expired. (3 times"):
        assert text in shown
    assert "s3://models/model.tar.gz" in shown


def test_a_run_of_an_older_stack_is_watched_with_what_it_says() -> None:
    lines = [LogLine(NOW, 2, "algo-1", f"epoch {number}") for number in range(SHOWN_LINES + 1)]
    shown = drawn(LiveView(run(**BUSY), lines, CLOCK))
    for text in (
        "churn",
        "50% trained",
        "02 spot",
        "churn-relay-02 is Training",
        "The wait expired.",
        "algo-1  epoch 8",
    ):
        assert text in shown
    assert "epoch 0" not in shown


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_what_is_drawn_of_a_typical_run_is_what_is_kept(tale: Callable[[], Tale]) -> None:
    assert draw_watched(tale) == (DRAWN / f"{tale.__name__}.txt").read_text("utf-8"), "run make pages"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_a_typical_run_fits_any_terminal(tale: Callable[[], Tale], width: int) -> None:
    document, now = document_of(tale)
    lines = [LogLine(now, 1, "algo-1", "x" * 500)] * MOST_LINES
    view = LiveView(Run.from_document(document), lines, Clock(now))
    assert max(map(len, drawn(view, width).splitlines())) <= width
    for height in (12, 24, 50):
        console = Console(file=io.StringIO(), width=width, height=height)
        rows = console.render_lines(view, console.options.update(width=width, height=height))
        assert len(rows) == height


def test_the_log_gets_the_lines_of_the_terminal_that_are_left() -> None:
    lines = [LogLine(NOW, 2, "algo-1", f"epoch {number}") for number in range(MOST_LINES)]
    console = Console(file=io.StringIO(), width=100, height=60)
    view = LiveView(run(**BUSY), lines, CLOCK)
    rows = console.render_lines(view, console.options.update(width=100, height=60))
    texts = ["".join(segment.text for segment in row).rstrip() for row in rows]
    assert texts[-1].endswith(f"epoch {MOST_LINES - 1}")
    assert texts[texts.index("Log") + 1].endswith(f"epoch {MOST_LINES - (60 - texts.index('Log') - 1)}")


def test_a_lane_has_the_time_of_each_stage_and_tells_spot_from_on_demand_without_colours() -> None:
    kept = (DRAWN / "on_demand_by_pace.txt").read_text("utf-8")
    spot, on_demand = (next(line for line in kept.splitlines() if line.startswith(number)) for number in ("01", "02"))
    assert {"\N{FULL BLOCK}", "\N{BOX DRAWINGS LIGHT DOUBLE DASH HORIZONTAL}"} <= set(spot)
    assert "\N{MEDIUM SHADE}" in on_demand
    assert "\N{MEDIUM SHADE}" not in spot
    assert "\N{FULL BLOCK}" not in on_demand


@pytest.mark.parametrize("width", [20, 40, 300])
def test_any_width_of_a_terminal_will_do(width: int) -> None:
    lines = [LogLine(NOW, 1, "algo-1", "[red]not markup[/red] " + "x" * 500)]
    for drawing in (LiveView(run(**BUSY), lines, CLOCK), draw_run(run(**BUSY), NOW), draw_list([run(**BUSY)], NOW)):
        assert max(map(len, drawn(drawing, width).splitlines())) <= width


def test_what_comes_from_outside_is_not_taken_for_markup() -> None:
    lines = [LogLine(NOW, 1, "algo-1", "[red]alarm[/red]")]
    hostile = run(reason="[bold]why[/bold]", decisions=[DECISION | {"reason": "[link=x]y[/link]"}])
    shown = drawn(LiveView(hostile, lines, CLOCK))
    for text in ("[red]alarm[/red]", "[bold]why[/bold]", "[link=x]y[/link]"):
        assert text in shown


def test_a_run_of_which_only_the_beginning_is_known_can_be_drawn() -> None:
    planned = attempt_document(status="Planned", phase=None)
    for drawing in (LiveView(run(attempts=[planned]), [], CLOCK), draw_run(run(attempts=[planned]), NOW)):
        assert "Not trained yet, about to launch attempt 1." in drawn(drawing)
    assert "Planned" in drawn(draw_run(run(attempts=[planned]), NOW))


def test_what_is_done_with_a_model_is_shown_with_its_status_and_the_reason() -> None:
    waiting = {"status": "Waiting", "reason": "It begins once the run has completed.", "arn": None, "settled_at": None}
    failed = {"status": "Failed", "reason": "No room.", "arn": "arn:endpoint", "settled_at": ago(hours=1)}
    hosting = {"register_model": {"group": "churn", **waiting}, "deploy": {"endpoint": "churn-live", **failed}}
    shown = run(hosting=hosting)

    text = drawn(draw_run(shown, NOW))

    assert "registration  churn: Waiting. It begins once the run has completed." in text
    assert "endpoint      churn-live: Failed. No room." in text
    assert shown.hosting is not None
    assert shown.hosting.deploy is not None
    assert shown.hosting.deploy.settled_at == NOW - timedelta(hours=1)
    assert "endpoint" not in drawn(draw_run(run(hosting={"register_model": None, "deploy": None}), NOW))
