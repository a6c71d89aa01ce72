"""The page of all runs: in the order, and of the runs, that its reader wants."""

from __future__ import annotations

import re

import pytest

from spot_relay.domain.run.run import ENDED_RUNS, RunStatus
from spot_relay.pages.run_page import MOST_BYTES
from spot_relay.pages.runs_page import render_runs
from spot_relay.pages.view import ENDED, SORTS, STATUSES, View
from tests.unit.pages.all_runs import documents, render_all
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import KEPT


def names(text: str) -> list[str]:
    return re.findall(r'<th scope="row">(?:<a [^>]*>)?([^<]+)', text)


def shown(view: View) -> list[str]:
    found, now = documents()
    return names(render_runs(found, now, view=view))


def test_the_page_of_all_runs_is_the_one_that_is_kept() -> None:
    assert render_all() == (KEPT / "runs.html").read_text("utf-8")


def test_a_static_page_has_no_links_and_shows_the_same() -> None:
    found, now = documents()
    static = render_runs(found, now)
    assert read_page(static).values("href") == []
    assert names(static) == names(render_all())


def test_runs_are_sorted_by_any_column_and_in_both_directions() -> None:
    assert shown(View("name", descending=False)) == sorted(shown(View()))
    assert shown(View("name")) == sorted(shown(View()), reverse=True)
    assert shown(View("cost"))[0] == "on-demand-by-the-safety-net"
    assert shown(View("progress"))[0] == "completed"
    assert shown(View("status", descending=False))[-1] == "failed-by-budget"


@pytest.mark.parametrize("sort", list(SORTS))
@pytest.mark.parametrize("descending", [True, False])
def test_every_order_shows_every_run_and_what_is_not_known_comes_last(sort: str, descending: bool) -> None:
    found = shown(View(sort, descending))
    assert sorted(found) == sorted(shown(View()))
    if sort == "saved":
        assert found[-1] in {"never-launched", "waiting-in-the-queue"}


def test_runs_are_filtered_by_status_and_name() -> None:
    assert shown(View(status="Completed")) == ["completed"]
    assert shown(View(name="on-demand")) == ["on-demand-by-pace", "on-demand-by-the-safety-net"]
    found, now = documents()
    none = read_page(render_runs(found, now, view=View(name="nothing")))
    assert "No run is shown." in none.text
    assert f"0 of {len(found)} runs, 0 going on. $0." in none.text


def test_links_ask_for_the_other_views_and_mark_this_one() -> None:
    page = read_page(render_all(View("cost", descending=True)))
    assert [value for value in page.values("href") if "sort=cost&down=0" in value]
    assert page.values("aria-sort") == ["descending"]
    statuses = [value for value in page.values("href") if "down=1&status=" in value and "sort=cost" in value]
    assert [value.rpartition("=")[2] for value in statuses] == ["", *STATUSES]
    assert page.values("aria-current") == ["true"]
    assert not page.unbalanced


def test_the_page_of_a_hundred_runs_is_small_enough() -> None:
    found, now = documents()
    text = render_runs([{**one, "run_id": f"{n:02}-{one['run_id']}"} for n in range(11) for one in found], now)
    assert len(text.encode()) < 2 * MOST_BYTES


def test_a_list_can_be_filtered_by_each_status_that_a_run_can_have() -> None:
    assert set(STATUSES) == set(RunStatus)
    assert ENDED == ENDED_RUNS
