"""The parts of a run's page below its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.pages.console import console_of
from spot_relay.pages.headline import say_place
from spot_relay.pages.markup import el
from spot_relay.pages.wording import NOTHING, duration, money, percent, plural, read_moment, shorten, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spot_relay.pages.console import Console
    from spot_relay.pages.markup import Child, Element
    from spot_relay.pages.run_facts import Document, RunFacts
    from spot_relay.pages.wording import Clock

_MOST_REASON = 400
_MOST_WHY = 160
# What was decided on, in the words of somebody who reads the page.
_OBSERVATIONS = {
    "JobChanged": "news from SageMaker",
    "Due": "a regular look",
    "RoomFreed": "room became free",
    "Launched": "a launch",
    "Refused": "a refused launch",
    "CanaryChanged": "news of the canary",
    "CanaryCreated": "a canary",
    "CanaryRefused": "a refused canary",
    "PredecessorEnded": "the end of another run",
    "StopRequested": "a request to stop",
    "ResumeRequested": "a request to resume",
    "StopRefused": "a refused stop",
    "Overgrown": "a record too large",
    "EndpointChanged": "news of the endpoint",
    "HostingAnswered": "an answer about the model",
}
_CAUSES = {
    "Submitted": "submitted",
    "Resumed": "resumed",
    "SafetyNet": "no time left for spot",
    "BehindPace": "behind its pace",
    "AheadOfPace": "ahead of its pace",
    "MaxWaitTimeExceeded": "wait expired",
    "MaxPendingTimeExceeded": "no capacity in time",
    "MaxRuntimeExceeded": "MaxRuntime reached",
    "Stopped": "stopped as planned",
    "CapacityError": "no capacity",
    "ServiceError": "an error in SageMaker",
    "UserError": "a failure of the training",
    "UnknownFailure": "a failure",
    "NeverCreated": "never created",
    "Completed": "completed",
}


def section(title: str, *content: Child, name: str) -> Element:
    """Return a part of the page with its heading."""
    return el("section", el("h2", title, id=name), *content, aria_labelledby=name)


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[Child]], *, numbers: str = "", kind: str | None = None
) -> Element:
    """Return a table; ``numbers`` has an n for each column that has numbers, and a - for each other."""
    kinds = [one == "n" for one in numbers.ljust(len(head), "-")]
    return el(
        "div",
        el(
            "table",
            el("caption", caption),
            el(
                "thead",
                el(
                    "tr",
                    [
                        el("th", name, class_="n" if n else None, scope="col")
                        for name, n in zip(head, kinds, strict=True)
                    ],
                ),
            ),
            el(
                "tbody",
                [
                    el("tr", [el("td", cell, class_="n" if n else None) for cell, n in zip(row, kinds, strict=True)])
                    for row in rows
                ],
            ),
            class_=kind,
        ),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def facts(pairs: Iterable[tuple[str, Child] | None]) -> Element:
    """Return names with their values."""
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in filter(None, pairs)], class_="facts")


def list_attempts(run: RunFacts, clock: Clock, most_logs: int) -> Element:
    """Return the attempts as a table, with the addresses of their jobs and, for the newest of them, of their logs."""
    console = console_of(str(run.document.get("training_job_arn") or ""))
    group = str(run.document.get("log_group") or "")
    head = ("Attempt", "Where", "Because of", "Began", "Waited", "Trained", "Lost", "Interruptions", "End", "Log")
    rows = [
        _attempt_row(run, attempt, console, group if index < most_logs else "", clock)
        for index, attempt in enumerate(reversed(run.attempts))
    ]
    return table("All attempts, newest first", head, rows, kind="num")


def _attempt_row(
    run: RunFacts, attempt: Document, console: Console | None, group: str, clock: Clock
) -> tuple[Child, ...]:
    placement, name = attempt["placement"], attempt["job_name"]
    market = placement["market"]
    exists = attempt.get("created_at") is not None
    number = f"{attempt['number']:02}"
    job: Child = el("a", number, href=console.link_job(name)) if console and exists else number
    log: Child = NOTHING
    if console and exists and group:
        log = el("a", "log", href=console.link_logs(group, attempt.get("log_stream_prefix") or f"{name}/"))
    began = read_moment(attempt.get("created_at") or attempt.get("planned_at"))
    seconds = _seconds_by_stage(run, attempt)
    waited = seconds.get("waiting", 0.0) + seconds.get("interrupted", 0.0)
    trained = attempt.get("training_seconds")
    return (
        job,
        f"{say_place(attempt)}, {market}",
        _CAUSES.get(attempt["cause"], attempt["cause"]),
        clock.time(began) if began else NOTHING,
        duration(attempt.get("waited_seconds") or waited or None),
        duration(trained or seconds.get("training") or None),
        duration(attempt.get("wasted_seconds") or None),
        str(attempt.get("interruptions") or NOTHING),
        _end_of(attempt),
        log,
    )


def _seconds_by_stage(run: RunFacts, attempt: Document) -> dict[str, float]:
    sums: dict[str, float] = {}
    for stage, begins, ends in run.spans(attempt):
        sums[stage] = sums.get(stage, 0.0) + (ends - begins).total_seconds()
    return sums


def _end_of(attempt: Document) -> str:
    outcome = attempt.get("outcome")
    if outcome is None:
        return f"now {attempt.get('phase') or 'being launched'}"
    why = attempt.get("failure_reason")
    said = _CAUSES.get(outcome, str(outcome))
    return f"{said}: {shorten(why, _MOST_WHY)}" if why else said


def show_money(run: RunFacts) -> Element | None:
    """Return what the run costs, compared with what bounds it; None if no price is known."""
    document = run.document
    cost = document.get("cost_usd")
    if cost is None:
        return None
    wasted, on_demand = document.get("wasted_usd"), document.get("on_demand_cost_usd")
    most = document.get("most_usd")
    rows: list[tuple[str, float | None, float, str]] = [
        ("Spent", cost, float(wasted or 0), "spent"),
        ("The same training on-demand", on_demand, 0.0, "on-demand"),
        ("At most until this attempt ends", None if run.has_ended else most, 0.0, "most"),
        ("Budget", run.budget_usd, 0.0, "budget"),
    ]
    known = [(name, float(usd), lost, kind) for name, usd, lost, kind in rows if usd is not None]
    longest = max((usd for _, usd, _, _ in known), default=0.0) or 1.0
    bars = [
        el(
            "tr",
            el("th", name, scope="row"),
            el("td", money(usd), class_="n"),
            el("td", _bar(usd / longest, lost / longest, kind)),
        )
        for name, usd, lost, kind in known
    ]
    share = run.saved_share
    prices = document.get("prices")
    told = [
        f"{percent(share)} saved compared with on-demand." if share is not None and share > 0 else "",
        f"{money(float(wasted))} paid for training that was lost." if wasted else "",
        f"Prices: {prices['source']}." if prices else "",
        "The cost of an attempt that has not ended is an estimate." if not run.has_ended else "",
    ]
    return section(
        "Money",
        el("table", el("caption", "Amounts in USD", class_="hidden"), el("tbody", bars), class_="bars"),
        el("p", " ".join(part for part in told if part), class_="note"),
        name="money",
    )


def _bar(share: float, lost: float, kind: str) -> Element:
    whole = el("rect", class_=f"bar {kind}", width=f"{max(share * 100, 0.4):.1f}%", height=14)
    wasted = el("rect", class_="bar lost", width=f"{lost * 100:.1f}%", height=14) if lost else None
    return el("svg", whole, wasted, width="100%", height=14, aria_hidden="true")


def show_model(run: RunFacts) -> Element | None:
    """Return where the model is, and what is done with it; None if there is nothing to say."""
    artifacts, hosting = run.document.get("model_artifacts"), run.document.get("hosting") or {}
    tasks = (
        ("Registration", "group", hosting.get("register_model")),
        ("Deployment", "endpoint", hosting.get("deploy")),
    )
    rows: list[tuple[str, Child] | None] = [("Artifacts", el("code", artifacts)) if artifacts else None]
    rows += [
        (name, f"{task[target]}: {task['status']}. {shorten(task['reason'], _MOST_WHY)}")
        for name, target, task in tasks
        if task
    ]
    return section("Model", facts(rows), name="model") if any(rows) else None


def show_checkpoints(run: RunFacts, clock: Clock) -> Element:
    """Return what is known of the run's checkpoints."""
    newest = run.newest_checkpoint
    if newest is None:
        nothing = "None is known. Spot Relay looks for them when a deadline or the end of an attempt requires it."
        return section("Checkpoints", el("p", nothing), name="checkpoints")
    written = read_moment(newest["last_modified"])
    usual = run.checkpoint_interval
    return section(
        "Checkpoints",
        facts(
            (
                ("Newest", el("code", newest["key"])),
                ("Written", f"{clock.time(written)}, {clock.ago(written)}" if written else NOTHING),
                ("Size of that file", size(newest["size_bytes"])) if newest.get("size_bytes") is not None else None,
                ("One arrives about every", duration(usual)) if usual is not None else None,
                ("Training that they hold", duration(run.deadline["progress_seconds"])) if run.deadline else None,
            )
        ),
        name="checkpoints",
    )


def show_queue(run: RunFacts, clock: Clock) -> Element | None:
    """Return what the run waits for, if it waits for room."""
    queue = run.document.get("queue")
    if not queue:
        return None
    since, ahead = read_moment(queue.get("since")), queue.get("ahead")
    place = None if ahead is None else "next in line" if ahead == 0 else f"{plural(ahead, 'run')} ahead of it"
    return section(
        "Queue",
        facts(
            (
                ("Waits for room in", queue["pool"]),
                ("Since", f"{clock.time(since)}, {clock.ago(since)}") if since else None,
                ("Place", place) if place else None,
            )
        ),
        name="queue",
    )


def list_decisions(run: RunFacts, clock: Clock, most: int) -> Element:
    """Return the newest decisions, newest first; repeats are one."""
    decisions = list(reversed(run.document.get("decisions") or ()))
    left = len(decisions) - most
    rows = [_decision_row(one, clock) for one in decisions[:most]]
    more = el("p", f"{left} earlier decisions are not shown here.", class_="note") if left > 0 else None
    return section(
        "Decisions",
        table("Why the run was changed, newest first", ("When", "After", "Decision"), rows, kind="decisions"),
        more,
        name="decisions",
    )


def _decision_row(decision: Document, clock: Clock) -> tuple[Child, ...]:
    at, until = read_moment(decision["at"]), read_moment(decision.get("until"))
    times = decision.get("times") or 1
    repeated = f" ({times} times until {clock.time(until)})" if times > 1 and until else ""
    observation = decision["observation"]
    return (
        clock.time(at) if at else NOTHING,
        _OBSERVATIONS.get(observation, observation),
        f"{shorten(decision['reason'], _MOST_REASON)}{repeated}",
    )
