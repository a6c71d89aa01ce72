"""The events on the default event bus, made of a run's news. docs/events/ has a JSON Schema of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.news import AttemptState, NewsKind
from spot_relay.domain.shown.accounting import costs_of_attempt
from spot_relay.domain.shown.report import flatten, hosting_document, iso, job_arn_of, summarise
from spot_relay.domain.values import dataclass, list_members

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.news import News
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.shown.report import Whereabouts

RUN_CHANGE = "Spot Relay Run State Change"
ATTEMPT_CHANGE = "Spot Relay Attempt State Change"
HOSTING_CHANGE = "Spot Relay Hosting State Change"
NOTICE = "Spot Relay Notice"
# Of the schemas in docs/events/. A field may be added without a new version; none is removed or changed.
VERSION = "1"
_STATUSES = {AttemptState.PLANNED: AttemptStatus.PLANNED, AttemptState.QUEUED: AttemptStatus.PLANNED}


@dataclass(frozen=True)
class Event:
    """An event of Spot Relay's. Sent again, it has the same id."""

    detail_type: str
    id: str
    detail: dict[str, Any]


def build_event(run: Run, news: News, where: Whereabouts) -> Event:
    """Return the event of a run's news. Amounts are those of the moment at which it is sent."""
    match news.kind:
        case NewsKind.RUN:
            detail_type, detail = RUN_CHANGE, _run_detail(run, news)
        case NewsKind.ATTEMPT:
            detail_type, detail = ATTEMPT_CHANGE, _attempt_detail(run, news, where.region)
        case NewsKind.HOSTING:
            detail_type, detail = HOSTING_CHANGE, _hosting_detail(run, news)
        case NewsKind.NOTICE:
            # Imported here to keep cold starts short: few decisions are worth a notice.
            from spot_relay.domain.shown.notice_text import write_notice

            detail_type, detail = NOTICE, write_notice(run, news, where)
    known_by = id_of(run, news)
    return Event(detail_type, known_by, {"version": VERSION, "id": known_by, "at": iso(news.at), **detail})


def id_of(run: Run, news: News) -> str:
    """Return what tells news from all other news of this run, and of earlier runs of its name."""
    return f"{run.id}.{run.submission_id}.{news.number}.{news.kind}"


def _run_detail(run: Run, news: News) -> dict[str, Any]:
    attempt, reason = run.attempt(news.attempt) or run.current, news.explain(run.reason)
    return summarise(run) | {
        "sequence": news.number,
        "status": news.state,
        "previous_status": news.before,
        "reason": reason,
        "summary": flatten(f"Run {run.id} is now {news.state}: {reason}"),
        "job_name": attempt.job_name,
        "cause": attempt.cause,
        "model_artifacts": run.model_artifacts,
    }


def _attempt_detail(run: Run, news: News, region: str) -> dict[str, Any]:
    attempt = run.attempt(news.attempt) or run.current
    has_ended, reason = news.state == AttemptState.ENDED, news.explain(run.reason)
    status = AttemptStatus.ENDED if has_ended else _STATUSES.get(AttemptState(news.state), AttemptStatus.IN_PROGRESS)
    return {
        "sequence": news.number,
        "run_id": run.id,
        "attempt": attempt.number,
        "job_name": attempt.job_name,
        "job_arn": _job_arn(run, attempt, region),
        "status": status,
        "state": news.state,
        "previous_state": news.before,
        "cause": news.cause,
        "reason": reason,
        "summary": flatten(f"{attempt.job_name} is now {news.state}: {reason}"),
        "placement": list_members(news.placement or attempt.placement),
        "outcome": attempt.outcome if has_ended else None,
        "failure_reason": attempt.failure_reason if has_ended else None,
        "interruptions": attempt.interruptions,
        "training_seconds": attempt.training_seconds,
        "billable_seconds": attempt.billable_seconds,
        "waited_seconds": attempt.waited_seconds,
        "wasted_seconds": attempt.wasted_seconds,
        **costs_of_attempt(run, attempt, run.updated_at),
        "resumes_from": attempt.resumes_from.key if attempt.resumes_from else None,
        "checkpoint": attempt.checkpoint.key if attempt.checkpoint else None,
        "model_artifacts": attempt.model_artifacts if has_ended else None,
    }


def _job_arn(run: Run, attempt: Attempt, region: str) -> str | None:
    if attempt.arn is not None or not attempt.launched_at:
        return attempt.arn
    return job_arn_of(run, attempt.job_name, region)


def _hosting_detail(run: Run, news: News) -> dict[str, Any]:
    failed = [task for task in run.hosting if task.status == "Failed"]
    reason = " ".join(task.reason for task in failed or run.hosting)
    return {
        "sequence": news.number,
        "run_id": run.id,
        "status": news.state,
        "reason": reason,
        "summary": flatten(f"The hosting of run {run.id} has {news.state.lower()}: {reason}"),
        "model_artifacts": run.model_artifacts,
        "hosting": hosting_document(run),
    }
