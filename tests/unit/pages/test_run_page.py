"""The pages of ten typical runs, as they are kept in kept/, and what holds of all of them.

After a change of the pages, look at them, and write them anew: ``python -m tests.unit.pages``.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.shown.report import status_document
from spot_relay.pages.run_page import MOST_BYTES, render_run
from spot_relay.pages.runs_page import render_runs
from tests.fakes import REGION
from tests.unit.any_run import facts, moments, runs
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import KEPT, TALES, document_of
from tests.unit.spec.documents import CALM

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.run import Run
    from tests.unit.pages.tales import Tale

SLOW = "fifty_attempts"

each_tale = pytest.mark.parametrize(
    "tale", [pytest.param(tale, id=tale.__name__, marks=[pytest.mark.slow] * (tale.__name__ == SLOW)) for tale in TALES]
)


def page_of(tale: Callable[[], Tale]) -> str:
    return render_run(*document_of(tale))


@each_tale
def test_the_page_of_a_typical_run_is_the_one_that_is_kept(tale: Callable[[], Tale]) -> None:
    assert page_of(tale) == (KEPT / f"{tale.__name__}.html").read_text("utf-8")


def test_no_other_page_is_kept() -> None:
    assert {path.stem for path in KEPT.glob("*.html")} == {*(tale.__name__ for tale in TALES), "runs"}


@each_tale
def test_a_page_loads_nothing_and_runs_nothing(tale: Callable[[], Tale]) -> None:
    text = page_of(tale)
    page = read_page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image"} & set(page.elements)
    assert not [key for _, key, _ in page.attributes if key.startswith("on") or key in {"src", "srcset", "style"}]
    assert page.declarations == ["DOCTYPE html"]
    assert not page.unbalanced
    assert not re.search(r"@import|@font-face|url\((?!#)", text)
    links = [value for tag, key, value in page.attributes if key == "href"]
    assert all(str(link).startswith("https://us-east-1.console.aws.amazon.com/") for link in links)


@each_tale
def test_a_page_is_smaller_than_60_kilobytes(tale: Callable[[], Tale]) -> None:
    assert len(page_of(tale).encode()) < MOST_BYTES == 60_000


@each_tale
def test_a_page_can_be_read_without_seeing_it(tale: Callable[[], Tale]) -> None:
    text = page_of(tale)
    page = read_page(text)
    assert ("html", "lang", "en") in page.attributes
    levels = [name for name in page.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == "h1"
    assert set(levels[1:]) == {"h2"}
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = {one for value in page.values("aria-labelledby") for one in value.split()}
    assert named <= set(ids)
    # Each picture is described, and what is not is decoration. The pictures' content is in tables as well.
    pictures = re.findall(r"<svg([^>]*)>(<title|)", text)
    outer = [(attributes, begins) for attributes, begins in pictures if "viewBox" not in attributes]
    assert all(('role="img"' in one and begins) or 'aria-hidden="true"' in one for one, begins in outer)
    assert page.elements.count("table") >= 2
    assert "All attempts, newest first" in page.text


@each_tale
def test_a_page_has_one_row_and_one_lane_for_each_attempt(tale: Callable[[], Tale]) -> None:
    document, now = document_of(tale)
    text = render_run(document, now)
    lanes = re.findall(r'transform="translate\(0 [\d.]+\)"', text)
    assert len(lanes) == len(document["attempts"])
    body = text.split("All attempts, newest first</caption>")[1].split("</table>")[0]
    assert body.count("<tr>") == 1 + len(document["attempts"])


HEADLINES = {
    "never_launched": "0% trained, waiting for prepare-data to complete. $0 so far.",
    "first_attempt_training": (
        "58% trained, on spot since 12:12, finishing about 18:12, 5 h 48 min before its deadline. $1.93 of at most "
        "$60, 66% saved."
    ),
    "waiting_in_the_queue": (
        "0% trained, waiting for room in ml.g5.2xlarge (spot) since 12:00, finishing between 18:47 and 22:00. $0 so "
        "far."
    ),
    "completed": (
        "Completed at 17:15 after 5 h 15 min, 5 h 45 min before its deadline. $2.57 of at most $50, 63% saved."
    ),
}


@pytest.mark.parametrize("name", list(HEADLINES))
def test_the_first_sentence_says_what_is_most_worth_knowing(name: str) -> None:
    tale = next(one for one in TALES if one.__name__ == name)
    assert HEADLINES[name] in read_page(page_of(tale)).texts


def test_a_page_shows_its_reader_s_time() -> None:
    tale = next(one for one in TALES if one.__name__ == "first_attempt_training")
    document, now = document_of(tale)
    page = read_page(render_run(document, now, timezone(timedelta(hours=2), "CEST")))
    assert "on spot since 14:12, finishing about 20:12" in page.text
    assert "As of 2026-11-23 17:57 CEST." in page.text


def test_the_texts_of_a_run_do_not_make_its_page_too_large() -> None:
    document, now = document_of(TALES[1])
    long = [{"at": document["created_at"], "observation": "Due", "reason": "<&>" * 266} for _ in range(40)]
    attempts = [
        document["attempts"][0]
        | {"number": number, "job_name": f"{'x' * 54}-relay-{number:02}", "failure_reason": "<&>" * 341}
        for number in range(1, 51)
    ]
    text = render_run(document | {"decisions": long, "attempts": attempts, "reason": "<" * 3000}, now)
    assert len(text.encode()) < MOST_BYTES


def test_a_document_of_an_older_stack_is_drawn_with_what_it_has() -> None:
    document, now = document_of(TALES[2])
    newer = (
        "next",
        "finish",
        "queue",
        "progress",
        "checkpoints",
        "most_usd",
        "canaries",
        "decisions",
        "prices",
        "start",
    )
    attempts = [
        {key: value for key, value in one.items() if key not in {"phases", "planned_at", "transitions"}}
        for one in document["attempts"]
    ]
    older = {key: value for key, value in document.items() if key not in newer} | {"attempts": attempts}
    older["deadline"] = {key: older["deadline"][key] for key in ("at", "expected_runtime_seconds", "progress_seconds")}
    page = read_page(render_run(older, now))
    assert not page.unbalanced
    assert "25% trained, on spot since 12:09. $0.84 so far, 63% saved." in page.text


@CALM
@given(run=runs(), known=facts, now=moments)
def test_any_run_is_drawn(run: Run, known: Facts, now: datetime) -> None:
    document = json.loads(json.dumps(status_document(decide(run, known, now).run, REGION)))
    for text in (render_run(document, now), render_runs([document], now)):
        page = read_page(text)
        assert not page.unbalanced
        assert not {"nan", "inf", "None"} & set(
            re.findall(r"[A-Za-z]+", " ".join([*page.values("x1"), *page.values("d")]))
        )


def test_a_checkpoint_that_is_overdue_is_pointed_out() -> None:
    document, now = document_of(TALES[1])
    missing = {"usual_interval_seconds": 900, "overdue_since": document["progress"][-1]["at"]}
    assert "overdue" not in read_page(render_run(document, now)).text
    late = read_page(render_run(document | {"checkpoints": missing}, now)).text
    assert "A checkpoint is overdue." in late
    assert "None since 15:42, although one usually arrives every 15 min. What is trained" in late
    unknown = missing | {"usual_interval_seconds": None}
    said = read_page(render_run(document | {"checkpoints": unknown}, now)).text
    assert "None since 15:42. What is trained" in said


def test_the_place_in_the_queue_is_said_if_it_is_known() -> None:
    document, now = document_of(TALES[3])
    for ahead, said in ((0, "waiting next in line for room"), (3, "waiting with 3 ahead of it for room")):
        queued = document | {"queue": document["queue"] | {"ahead": ahead}}
        assert said in read_page(render_run(queued, now)).text


def test_what_a_run_of_a_template_waits_for_is_said() -> None:
    document, now = document_of(TALES[0])
    start = document["start"] | {"after": [], "at": (now + timedelta(hours=1)).isoformat(), "template": "t.yaml"}
    for change, said in (
        ({}, "waiting until 13:25 to start"),
        ({"at": None, "at_most": 3}, "waiting until fewer than 3 other runs of t.yaml are under way"),
        ({"at": None, "at_most": 1}, "waiting until no other run of t.yaml is under way"),
        ({"at": None, "at_most": 1, "continue_from": "prep", "copied_objects": 0}, "copying the checkpoints of prep"),
        ({"at": None}, "about to start"),
    ):
        assert said in read_page(render_run(document | {"start": start | change}, now)).text


def test_a_failure_and_its_reason_stand_out() -> None:
    page = read_page(page_of(TALES[7]))
    assert ("p", "class", "warning") in page.attributes
    assert "policy.budgets.expired_waits allows no further relaunch (limit: 2)" in page.text


def test_the_model_is_shown_with_what_is_done_with_it() -> None:
    document, now = document_of(TALES[9])
    assert document["model_artifacts"] in read_page(page_of(TALES[9])).texts
    deploying = {"endpoint": "live", "status": "InProgress", "reason": "The endpoint is being updated."}
    hosted = document | {"hosting": {"register_model": None, "deploy": deploying}}
    assert "live: InProgress. The endpoint is being updated." in read_page(render_run(hosted, now)).texts


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
        ("aws", "eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("aws-iso", "us-iso-east-1", None),
        ("aws", "evil.example/", None),
    ],
)
def test_links_lead_to_the_console_of_the_run_s_partition_and_region(
    partition: str, region: str, host: str | None
) -> None:
    document, now = document_of(TALES[1])
    arn = f"arn:{partition}:sagemaker:{region}:111122223333:training-job/churn"
    links = read_page(render_run(document | {"training_job_arn": arn}, now)).values("href")
    if host is None:
        assert links == []
        return
    assert links == [
        f"https://{host}/sagemaker/home?region={region}#/jobs/churn-relay-01",
        f"https://{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        "$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3Dchurn-relay-01$252F",
    ]


def test_the_training_that_is_left_stands_still_while_a_run_does_not_train() -> None:
    page = render_run(*document_of(TALES[4]))
    [drawn] = re.findall(r'<path class="path" d="M([^"]+)"', page)
    corners = [tuple(map(int, corner.split())) for corner in drawn.split("L")]
    flat = [(left, right) for (left, one), (right, other) in pairwise(corners) if one == other]
    assert (max(right - left for left, right in flat)) > 300, "the wait for spot takes a third of the time"
    assert [y for _, y in corners] == sorted(y for _, y in corners)
