"""A run in one sentence: how far it is, where it runs, when it finishes, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.pages.wording import duration, limit, money, percent, read_moment

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.pages.run_facts import Document, RunFacts
    from spot_relay.pages.wording import Clock

_DOING = {
    "starting": "starting {where} since {since}",
    "downloading": "downloading its data {where} since {since}",
    "training": "{where} since {since}",
    "waiting": "waiting for {kind} capacity since {since}",
    "interrupted": "interrupted, and waiting for {kind} capacity since {since}",
    "uploading": "uploading its model since {since}",
    "stopping": "stopping since {since}",
    "earlier": "{where} since {since}",
}


def say_headline(run: RunFacts, clock: Clock) -> str:
    """Return what is most worth knowing about a run, in two short sentences."""
    state = _say_end(run, clock) if run.has_ended else _say_state(run, clock)
    return " ".join(part for part in (state, _say_money(run)) if part)


def say_progress(run: RunFacts) -> str:
    """Return how far the training is, as far as that is known."""
    if run.share is not None:
        return f"{percent(run.share)} trained"
    trained = sum(
        (span.ends - span.begins).total_seconds()
        for attempt in run.attempts
        for span in run.spans(attempt)
        if span.stage == "training"
    )
    return f"{duration(trained)} trained" if trained else "Not trained yet"


def say_place(attempt: Document) -> str:
    """Return where an attempt runs."""
    placement = attempt["placement"]
    return f"{placement['instance_count']} x {placement['instance_type']}"


def _say_state(run: RunFacts, clock: Clock) -> str:
    parts = [say_progress(run), _say_doing(run, clock), _say_finish(run, clock)]
    return ", ".join(part for part in parts if part) + "."


def _say_end(run: RunFacts, clock: Clock) -> str:
    took = duration((run.until - run.created_at).total_seconds())
    end = f"{run.status} at {clock.time(run.until)} after {took}"
    left = _say_spare(run, run.until) if run.status == "Completed" else f", {_lower(say_progress(run))}"
    return f"{end}{left}."


def _say_doing(run: RunFacts, clock: Clock) -> str:
    attempt, queue, start = run.current, run.document.get("queue"), run.document.get("start")
    if start and start["waits"]:
        names = [one["run_id"] for one in start["after"] if not one["has_completed"]]
        return f"waiting for {' and '.join(names)} to complete" if names else "waiting for its time to start"
    if queue:
        ahead = queue.get("ahead")
        place = "" if ahead is None else " next in line" if ahead == 0 else f" with {ahead} ahead of it"
        return f"waiting{place} for room in {queue['pool']} since {_since(queue.get('since'), clock)}"
    if attempt["status"] == "Ended":
        return "between two attempts"
    spans = run.spans(attempt)
    if attempt["status"] == "Planned" or not spans or spans[-1].stage == "queued":
        return f"about to launch attempt {attempt['number']}"
    market = attempt["placement"]["market"]
    where = "on spot" if market == "spot" else "on-demand"
    since = clock.time(spans[-1].begins)
    return _DOING.get(spans[-1].stage, "{where} since {since}").format(where=where, kind=market, since=since)


def _say_finish(run: RunFacts, clock: Clock) -> str:
    finish = run.document.get("finish")
    if not finish:
        return ""
    likely, earliest, latest = (read_moment(finish.get(key)) for key in ("likely", "earliest", "latest"))
    if likely is not None:
        return f"finishing about {clock.time(likely)}{_say_spare(run, likely)}"
    if earliest is None:
        return ""
    if latest is not None and latest > earliest:
        return f"finishing between {clock.time(earliest)} and {clock.time(latest)}"
    return f"finishing at {clock.time(earliest)} at the earliest{_say_spare(run, earliest)}"


def _say_spare(run: RunFacts, finish: datetime) -> str:
    """Return how a finish lies to the deadline."""
    at = read_moment(run.deadline.get("at")) if run.deadline else None
    if at is None:
        return ""
    seconds = (at - finish).total_seconds()
    if abs(seconds) < 60:
        return ", just in time for its deadline"
    return f", {duration(abs(seconds))} {'before' if seconds > 0 else 'after'} its deadline"


def _say_money(run: RunFacts) -> str:
    cost = run.document.get("cost_usd")
    share = run.saved_share
    saved = "" if share is None or share <= 0 else f"{percent(share)} saved"
    if cost is None:
        return f"{saved[:1].upper()}{saved[1:]}." if saved else ""
    most = f" of at most {limit(run.budget_usd)}" if run.budget_usd is not None else "" if run.has_ended else " so far"
    return f"{money(cost)}{most}{f', {saved}' if saved else ''}."


def _since(text: str | None, clock: Clock) -> str:
    moment = read_moment(text)
    return clock.time(moment) if moment else "now"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
