"""What users see of a run: the status document, and the answers of the API and to tasks of Step Functions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.checkpoint_age import usual_interval
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.run.hosting import HostingKind, HostingTask
from spot_relay.domain.run.life import phases_of
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import training_job_arn
from spot_relay.domain.sagemaker.redaction import redact_job
from spot_relay.domain.sagemaker.request import role_arn_of, tags_of
from spot_relay.domain.shown.accounting import account_of, cost_of_canary, costs_of_attempt
from spot_relay.domain.shown.forecast import foretell_demand, foretell_finish, foretell_next
from spot_relay.domain.text import clean_text
from spot_relay.domain.values import dataclass, list_members

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.run import Explanation, Run
    from spot_relay.domain.run.start import Start
    from spot_relay.domain.sagemaker.job import Checkpoint, Transition
    from spot_relay.domain.shown.accounting import Account

# Where SageMaker puts the logs of all training jobs.
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_FLAT = str.maketrans(
    {
        '"': "'",
        "\\": "/",
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
    }
)


@dataclass(frozen=True)
class Whereabouts:
    """Where a stack is: its region, and the bucket with its status documents."""

    region: str
    bucket: str


def iso(moment: datetime | None) -> str | None:
    """Return an aware moment as ISO 8601 in UTC with milliseconds, or None for None."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _checkpoint(found: Checkpoint | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"key": found.key, "last_modified": iso(found.last_modified), "size_bytes": found.size}


def _transition(entry: Transition) -> dict[str, Any]:
    return {
        "status": entry.status,
        "started_at": iso(entry.started_at),
        "ended_at": iso(entry.ended_at),
        "message": entry.message,
    }


def _phases(attempt: Attempt) -> list[dict[str, Any]]:
    zero = attempt.planned_at
    return [
        {"stage": stage, "started_at": _later(zero, begins), "ended_at": None if ends is None else _later(zero, ends)}
        for stage, begins, ends in phases_of(attempt)
    ]


def _later(zero: datetime, seconds: int) -> str | None:
    return iso(zero + timedelta(seconds=seconds))


def _attempt(run: Run, attempt: Attempt, region: str) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "job_name": attempt.job_name,
        # An old attempt of a run with a long history may have dropped its ARN.
        "job_arn": attempt.arn or (job_arn_of(run, attempt.job_name, region) if attempt.created_at else None),
        "log_stream_prefix": f"{attempt.job_name}/",
        "status": attempt.status,
        "cause": attempt.cause,
        "phase": attempt.phase,
        "outcome": attempt.outcome,
        "failure_reason": attempt.failure_reason,
        "status_message": attempt.status_message,
        "resumes_from": _checkpoint(attempt.resumes_from),
        "checkpoint": _checkpoint(attempt.checkpoint),
        "ignored_objects": attempt.ignored_objects,
        "placement": list_members(attempt.placement),
        "planned_at": iso(attempt.planned_at),
        "created_at": iso(attempt.created_at or attempt.launched_at),
        "training_started_at": iso(attempt.training_started_at),
        "ended_at": iso(attempt.ended_at),
        "training_seconds": attempt.training_seconds,
        "billable_seconds": attempt.billable_seconds,
        "waited_seconds": attempt.waited_seconds,
        "interruptions": attempt.interruptions,
        "wasted_seconds": attempt.wasted_seconds,
        **costs_of_attempt(run, attempt, run.updated_at),
        "phases": _phases(attempt),
        "transitions": [_transition(entry) for entry in attempt.transitions],
    }


def job_arn_of(run: Run, job_name: str, region: str) -> str:
    return training_job_arn(job_name, role_arn_of(run.training_job), region)


def _canary(run: Run, canary: Canary) -> dict[str, Any]:
    return {
        "job_name": canary.job_name,
        "status": canary.status,
        "phase": canary.phase,
        "refusal": canary.refusal,
        "placement": list_members(canary.placement),
        "planned_at": iso(canary.planned_at),
        "billable_seconds": canary.billable_seconds,
        "cost_usd": cost_of_canary(run, canary),
    }


def _decision(entry: Explanation) -> dict[str, Any]:
    return {
        "at": iso(entry.at),
        "observation": entry.observation,
        "reason": entry.reason,
        "times": entry.times,
        "until": iso(entry.until),
    }


def _prices(account: Account) -> dict[str, Any] | None:
    if account.prices_source is None:
        return None
    return {"source": account.prices_source, "as_of": iso(account.prices_as_of)}


def start_document(
    start: Start, completed: tuple[str, ...], *, waits: bool, copied: int | None = None
) -> dict[str, Any] | None:
    """Return what a run waits for before its first launch, and its template; None if it never waits and has none."""
    if not start and start.template is None:
        return None
    return {
        "waits": waits,
        "template": start.template,
        "at_most": start.at_most,
        "at": iso(start.at),
        "after": [{"run_id": name, "has_completed": name in completed} for name in start.after],
        "on_failure": start.on_failure,
        "continue_from": start.continue_from,
        "channel": start.channel if start.continue_from and not start.checkpoint else None,
        "checkpoint": start.checkpoint,
        "copied_objects": copied,
    }


def hosting_document(run: Run) -> dict[str, Any] | None:
    """Return what is done with the run's model, or None if nothing is."""
    wanted = run.on_success
    if not wanted:
        return None
    tasks = {task.kind: _hosting_task(task) for task in run.hosting}
    waiting = _hosting_task(None)
    registers, deploys = wanted.register_model, wanted.deploy
    registration = {"group": registers.group, **tasks.get(HostingKind.REGISTER_MODEL, waiting)} if registers else None
    deployment = {"endpoint": deploys.endpoint, **tasks.get(HostingKind.DEPLOY, waiting)} if deploys else None
    if deployment is not None:
        deployment["model_name"] = run.model_name
    return {"register_model": registration, "deploy": deployment}


def _hosting_task(task: HostingTask | None) -> dict[str, Any]:
    if task is None:
        reason = "It begins once the run has completed."
        return {
            "status": "Waiting",
            "reason": reason,
            "arn": None,
            "began_at": None,
            "check_at": None,
            "settled_at": None,
        }
    return {
        "status": task.status,
        "reason": task.reason,
        "arn": task.arn,
        "began_at": iso(task.began_at),
        "check_at": iso(task.check_at),
        "settled_at": iso(task.settled_at),
    }


def _start(run: Run) -> dict[str, Any] | None:
    copied = run.copying.done if run.copying and run.is_copying and not run.has_ended else None
    return start_document(run.start, run.completed, waits=run.waits_to_begin and not run.has_ended, copied=copied)


def _deadline(run: Run) -> dict[str, Any] | None:
    deadline, standing = run.policy.deadline, standing_of(run, run.updated_at)
    if deadline is None or standing is None:
        return None
    return {
        "at": iso(run.deadline_at),
        "expected_runtime_seconds": deadline.expected_runtime_seconds,
        "progress_seconds": round(run.progress_seconds),
        "return_to_spot": deadline.return_to_spot,
        "pace": round(standing.pace, 4),
        "reserve_seconds": round(standing.reserve),
        "on_demand_from": iso(foretell_demand(run, run.updated_at)),
    }


def _next(run: Run) -> dict[str, Any] | None:
    found = foretell_next(run, run.updated_at)
    return None if found is None else {"action": found.action, "at": iso(found.at), "reason": found.reason}


def _finish(run: Run) -> dict[str, Any] | None:
    found = foretell_finish(run, run.updated_at)
    if found is None:
        return None
    return {"earliest": iso(found.earliest), "likely": iso(found.likely), "latest": iso(found.latest)}


def _checkpoints(run: Run) -> dict[str, Any]:
    usual = usual_interval(run)
    return {
        "usual_interval_seconds": None if usual is None else round(usual.total_seconds()),
        "overdue_since": iso(run.current.unsaved_since),
    }


def _queue(run: Run) -> dict[str, Any] | None:
    pool = run.waits_for
    if pool is None:
        return None
    attempt = run.current
    return {"pool": str(pool), "since": iso(attempt.waiting_since or attempt.planned_at), "ahead": None}


def status_document(run: Run, region: str) -> dict[str, Any]:
    """Return a run of a region as users see it. What looks like a secret in its training job is hidden."""
    account = account_of(run, run.updated_at)
    return {
        "run_id": run.id,
        "training_job_arn": job_arn_of(run, run.id, region),
        "status": run.status,
        "reason": run.reason,
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
        "ended_at": iso(run.ended_at),
        "check_at": iso(run.check_at),
        "stop_requested": run.stop_requested,
        "next": _next(run),
        "finish": _finish(run),
        "queue": _queue(run),
        "moved_to": run.moved_to,
        "attempts": [_attempt(run, attempt, region) for attempt in run.attempts],
        "start": _start(run),
        "log_group": LOG_GROUP,
        "model_artifacts": run.model_artifacts,
        "hosting": hosting_document(run),
        "training_seconds": account.training_seconds,
        "billable_seconds": account.billable_seconds,
        "waited_seconds": account.waited_seconds,
        "interruptions": account.interruptions,
        "savings_percent": account.savings_percent,
        "wasted_seconds": account.wasted_seconds,
        "cost_usd": account.cost_usd,
        "on_demand_cost_usd": account.on_demand_cost_usd,
        "wasted_usd": account.wasted_usd,
        "most_usd": account.most_usd,
        "prices": _prices(account),
        "deadline": _deadline(run),
        "spent": list_members(run.spent),
        "budgets": list_members(run.policy.budgets),
        "progress": [{"at": _later(run.created_at, after), "seconds": s} for after, s in run.progress_points],
        "checkpoints": _checkpoints(run),
        "canaries": [_canary(run, canary) for canary in run.canaries],
        "decisions": [_decision(entry) for entry in run.decisions],
        "tags": tags_of(run.training_job),
        "training_job": redact_job(run.training_job),
    }


def notice_of_end(run: Run, submitted_at: datetime) -> str | None:
    """Return what to tell whoever submits a spec again after its run has ended, or None if it had not ended by then."""
    if run.ended_at is None or run.ended_at >= submitted_at:
        return None
    onward = "" if run.status is RunStatus.COMPLETED else ", or resume the run"
    return (
        f"This spec was submitted before, and its run {run.id} has been {run.status} since {iso(run.ended_at)}. "
        f"Nothing was launched. To train again, submit it under another name{onward}."
    )


def task_error(run: Run) -> str | None:
    """Return the error that an ended run means for a task of Step Functions, or None if the run has completed."""
    return None if run.status is RunStatus.COMPLETED else f"SpotRelay.Run{run.status}"


def summarise(run: Run) -> dict[str, Any]:
    """Return a run in a few values: what a task of Step Functions gets, and what each event of a run contains."""
    account = account_of(run, run.updated_at)
    return {
        "run_id": run.id,
        "status": run.status,
        "reason": run.reason,
        "summary": flatten(f"Run {run.id} is now {run.status}: {run.reason}"),
        "attempts": len(run.attempts),
        "training_seconds": account.training_seconds,
        "billable_seconds": account.billable_seconds,
        "savings_percent": account.savings_percent,
        "cost_usd": account.cost_usd,
        "on_demand_cost_usd": account.on_demand_cost_usd,
        "interruptions": account.interruptions,
    }


def flatten(text: str) -> str:
    """Return a text that fits into a template of EventBridge, which escapes neither quotes nor line breaks.

    Slack takes what is in angle brackets for a command, such as one that calls everybody in a channel.
    """
    return " ".join(clean_text(text).translate(_FLAT).split())
