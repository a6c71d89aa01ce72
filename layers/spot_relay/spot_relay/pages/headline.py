"""What is most worth knowing about a run, in a sentence each: for its page, the list of runs and the terminal."""

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


def say_next(run: RunFacts, clock: Clock) -> str:
    """Return what is decided next, after its time if that is known; empty if nothing is."""
    found = run.document.get("next")
    if not found:
        return ""
    at = read_moment(found.get("at"))
    about = "about " if found.get("action") == "complete" else ""
    return f"{about}{clock.time(at)}: {found['reason']}" if at is not None and at > run.now else str(found["reason"])


def say_finish(run: RunFacts, clock: Clock) -> str:
    """Return when a run finishes, as far as that is known; empty if it is not."""
    finish = run.document.get("finish")
    if not finish:
        return ""
    earliest, likely, latest = (read_moment(finish.get(key)) for key in ("earliest", "likely", "latest"))
    end = "" if latest is None else clock.time(latest)
    if likely is not None:
        return f"about {clock.time(likely)}{f', by {end} at the latest' if end else ''}"
    if earliest is None:
        return ""
    return f"{clock.time(earliest)} to {end}" if end else f"{clock.time(earliest)} at the earliest"


def warn_of_overdue(run: RunFacts, clock: Clock) -> str:
    """Return since when a checkpoint is missing that is overdue; empty if none is."""
    since, usual = run.overdue_since, run.checkpoint_interval
    if since is None:
        return ""
    but = "" if usual is None else f", although one usually arrives every {duration(usual)}"
    return f"None since {clock.time(since)}{but}. What is trained without one is lost with the next interruption."


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
        return _say_wait(run, start, clock)
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


def _say_wait(run: RunFacts, start: Document, clock: Clock) -> str:
    """Return what a run waits for before its first launch."""
    names = [one["run_id"] for one in start.get("after") or () if not one["has_completed"]]
    at, most, template = read_moment(start.get("at")), start.get("at_most"), start.get("template")
    if names:
        return f"waiting for {' and '.join(names)} to complete"
    if at is not None and at > run.now:
        return f"waiting until {clock.time(at)} to start"
    if start.get("copied_objects") is not None:
        return f"copying the checkpoints of {start['continue_from']}"
    if most is not None:
        others = f"no other run of {template} is" if most == 1 else f"fewer than {most} other runs of {template} are"
        return f"waiting until {others} under way"
    return "about to start"


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
