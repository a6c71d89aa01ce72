"""The decision: what happens to a run, given what is known. Pure and total; every branch has its reason."""

from __future__ import annotations

from datetime import datetime

from spot_relay.domain.decide import beginnings, canaries, deadlines, launch_answers, moves, tasks, user_requests
from spot_relay.domain.decide.descriptions import follow_description
from spot_relay.domain.decide.ends import continue_run, wait_for_listing
from spot_relay.domain.decide.facts import Facts, clean_facts
from spot_relay.domain.decide.looks import is_due, may_be_orphan, says_net_is_due
from spot_relay.domain.decide.markets import demand_before_launch, next_look
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    Decision,
    change,
    describe_interruption,
    describe_retry,
    explain,
    ignore_foreign_job,
    ignore_unknown_attempt,
    launch_again,
    leave_queue,
    record,
    stop_needless_job,
    unchanged,
)
from spot_relay.domain.rules.checkpoint_age import note_overdue
from spot_relay.domain.rules.turns import drop_missed_turn
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    CheckpointsCopied,
    DataArrived,
    DeadlineRequested,
    Due,
    EndpointChanged,
    FollowersTold,
    HostingAnswered,
    JobChanged,
    Launched,
    MoveRequested,
    Observation,
    Overgrown,
    Overtaken,
    PredecessorEnded,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRefused,
    StopRequested,
    TaskGone,
    TaskWaiting,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Run
from spot_relay.domain.sagemaker.job import Absent, Job, SecondaryStatus
from spot_relay.domain.shown import metrics
from spot_relay.domain.shown.news import tell_news
from spot_relay.domain.values import replace


def decide(run: Run, facts: Facts, now: datetime) -> Decision:
    """Return what happens to ``run`` given what is known at ``now``, and keep the reason on the run."""
    decision = _decide(run, clean_facts(facts), now)
    if decision.run is run:
        return decision
    explained = explain(decision.run, type(facts.observation).__name__, decision.reason, now)
    changed = note_overdue(explained, now, has_listed=facts.ignored_objects is not None)
    owes = decision.owes.then(leave_queue(run, changed)).then(_measure_check(changed, facts, now))
    told, news = tell_news(run, changed, now)
    return replace(decision, run=told, owes=owes.then(news))


def _measure_check(run: Run, facts: Facts, now: datetime) -> Outbox:
    """Return the metrics that are owed if this was a regular check. Other observations come too irregularly."""
    if not isinstance(facts.observation, Due):
        return Outbox()
    return Outbox(measures=metrics.measure_check(run, now))


def settle(run: Run, answers: tuple[Observation, ...], facts: Facts, now: datetime) -> Run:
    """Return the run with its outbox cleared and the answers of performing it folded in; it may owe something new."""
    settled = replace(run, outbox=Outbox())
    owed = Outbox()
    for answer in answers:
        decision = decide(settled, replace(facts, observation=answer), now)
        settled, owed = decision.run, owed.then(decision.owes)
    return replace(settled, outbox=owed)


def reason_after(answer: Observation, settled: Run) -> str:
    """Return the reason of what an answer has led to, for the log. An end keeps its own reason."""
    if isinstance(answer, TaskGone):
        return tasks.describe_gone_task(answer)
    kind = answer.kind if isinstance(answer, HostingAnswered) else None
    return next((task.reason for task in settled.hosting if task.kind is kind), settled.reason)


def _decide(run: Run, facts: Facts, now: datetime) -> Decision:
    match facts.observation:
        case JobChanged() as event:
            return _follow_event(run, event, facts, now)
        case Due():
            return _follow_due(run, facts, now)
        case RoomFreed():
            return _follow_room(run, now)
        case PredecessorEnded() | FollowersTold() | CheckpointsCopied() | DataArrived() as news:
            return _follow_what_it_waits_for(run, news, facts, now)
        case EndpointChanged() | HostingAnswered() as news:
            return _follow_hosting(run, news, facts, now)
        case Launched() | Refused() as answer:
            return _follow_launch_answer(run, answer, facts, now)
        case CanaryChanged() | CanaryCreated() | CanaryRefused() as news:
            return _follow_canary(run, news, facts, now)
        case StopRequested() | ResumeRequested() | MoveRequested() | DeadlineRequested() | TaskWaiting() as request:
            return _follow_request(run, request, facts, now)
        case TaskGone() | Overtaken() | Overgrown() | StopRefused() as failure:
            return _follow_failure(run, failure, now)


def _follow_what_it_waits_for(
    run: Run, news: PredecessorEnded | FollowersTold | CheckpointsCopied | DataArrived, facts: Facts, now: datetime
) -> Decision:
    match news:
        case PredecessorEnded():
            return beginnings.follow_predecessor(run, facts, now)
        case CheckpointsCopied():
            return beginnings.follow_copy(run, news, facts, now)
        case DataArrived():
            return beginnings.follow_data(run, news, now)
        case FollowersTold():
            reason = "Many runs come after this one. Some have been told of its end, and the others are told next."
            return unchanged(run, reason, Outbox(tell_followers=True, told=news.told))


def _follow_launch_answer(run: Run, answer: Launched | Refused, facts: Facts, now: datetime) -> Decision:
    if isinstance(answer, Launched):
        return launch_answers.follow_launch(run, answer, facts, now)
    return launch_answers.follow_refusal(run, answer, facts, now)


def _follow_hosting(run: Run, news: EndpointChanged | HostingAnswered, facts: Facts, now: datetime) -> Decision:
    if not run.hosting:
        return unchanged(run, "The run does nothing with its model.")
    # Imported here, and below, to keep cold starts short: few runs do anything with their models.
    from spot_relay.domain.decide import hosting

    if isinstance(news, EndpointChanged):
        return hosting.follow_event(run, now)
    return hosting.follow_answer(run, news, facts, now)


def _follow_request(
    run: Run,
    request: StopRequested | ResumeRequested | MoveRequested | DeadlineRequested | TaskWaiting,
    facts: Facts,
    now: datetime,
) -> Decision:
    match request:
        case StopRequested():
            return user_requests.stop(run, now)
        case ResumeRequested():
            return user_requests.resume(run, request, facts, now)
        case MoveRequested():
            return moves.move(run, request.market, now)
        case DeadlineRequested():
            return deadlines.follow_request(run, request, facts, now)
        case TaskWaiting():
            return tasks.join(run, request, now)


def _follow_failure(run: Run, failure: TaskGone | Overtaken | Overgrown | StopRefused, now: datetime) -> Decision:
    if isinstance(failure, TaskGone):
        return tasks.follow_gone_task(run, failure, now)
    if isinstance(failure, StopRefused):
        return user_requests.follow_refused_stop(run, failure, now)
    if isinstance(failure, Overgrown):
        return user_requests.give_up(run, now)
    return unchanged(run, "Another function saved the run first. Publishing that state.", Outbox(status=True))


def _follow_event(run: Run, event: JobChanged, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(event.attempt)
    if attempt is None:
        return ignore_unknown_attempt(run, event.attempt)
    if run.has_ended or attempt.status is AttemptStatus.ENDED:
        if may_be_orphan(attempt, event) and isinstance(facts.job, Job) and not facts.job.has_ended:
            return stop_needless_job(run, attempt.job_name, Outbox(stop=attempt.job_name))
        return _ignore_late(run, attempt, f"The event comes after the end of {attempt.job_name}.")
    if attempt.status is AttemptStatus.PLANNED:
        # A job has the attempt's name. Its tags have proved it ours, or it would not have been described.
        if isinstance(facts.job, Absent):
            return ignore_foreign_job(run, attempt)
        return follow_description(run, attempt, facts, now)
    if event.says_ended:
        return follow_description(run, attempt, facts, now)
    if attempt.heard_at is not None and event.at <= attempt.heard_at:
        return _ignore_late(run, attempt, "The event is no newer than what is already known.")
    if says_net_is_due(run, event, now):
        return follow_description(run, attempt, facts, now)
    return _note_event(run, attempt, event, facts, now)


def _note_event(run: Run, attempt: Attempt, event: JobChanged, facts: Facts, now: datetime) -> Decision:
    """Record a state change that ends nothing, such as Interrupted: SageMaker itself resumes the job.

    Look again soon after an interruption: the description can lag behind the event, and the last checkpoint may still
    be on its way. Until then the run counts as further from its end than it is, so no rule fires late.
    """
    interrupted = event.secondary_status == SecondaryStatus.INTERRUPTED and attempt.phase != event.secondary_status
    noted = replace(
        attempt,
        phase=event.secondary_status,
        heard_at=event.at,
        waiting_since=(attempt.waiting_since or event.at) if event.is_waiting else None,
        interruptions=attempt.interruptions + interrupted,
    )
    reason = describe_interruption(attempt) if interrupted else f"{attempt.job_name} is {event.secondary_status}."
    owes = Outbox(measures=metrics.measure_interruptions(attempt, 1) if interrupted else ())
    run = run.with_attempt(noted)
    costs = interrupted and run.checkpoint_uri is not None
    every = min(CHECK_SOON, facts.check_every) if costs else facts.check_every
    look = now + CHECK_SOON if run.stop_requested else next_look(run, now, every)
    # No event delays a look that is due sooner: an earlier interruption may have asked for it.
    return record(run, now, reason, owes, check_at=min(look, run.check_at or look))


def _follow_due(run: Run, facts: Facts, now: datetime) -> Decision:
    if run.hosting:  # so it has completed
        from spot_relay.domain.decide import hosting

        return hosting.follow_due(run, now)
    if run.has_ended:
        return unchanged(run, "The run has ended, so nothing is due.")
    if not is_due(run, now):
        return unchanged(run, "The run is not due yet.")
    if run.waits_to_begin:
        return beginnings.begin_or_wait(run, facts, now)
    if canary := canaries.live_canary(run):
        run = canaries.note_description(run, canary, facts.canary)
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        if facts.unlisted:
            return wait_for_listing(run, facts.unlisted, facts, now)
        return continue_run(run, Cause.of_end(attempt.outcome), facts, now, "The backoff is over.")
    if attempt.status is AttemptStatus.PLANNED and not (run.stop_requested or attempt.gives_up):
        attempt = drop_missed_turn(run, attempt, now)
        if demand := demand_before_launch(run, now):
            return launch_answers.go_on_demand(run, attempt, demand, now)
        return launch_again(run, attempt, now)
    return follow_description(run, attempt, facts, now)


def _follow_room(run: Run, now: datetime) -> Decision:
    if run.waits_for is None:
        return unchanged(run, "The run is not waiting for room.")
    reason = f"There may be room on {run.waits_for} now. {describe_retry(run.current)}"
    return launch_again(run, run.current, now, reason)


def _follow_canary(
    run: Run, news: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime
) -> Decision:
    canary = canaries.live_canary(run)
    if canary is None or canary.number != news.canary:
        return _follow_given_up_canary(run, news, facts, now)
    match news:
        case CanaryCreated() as answer:
            return canaries.follow_creation(run, canary, answer, now)
        case CanaryRefused() as answer:
            return canaries.follow_refusal(run, canary, answer, now)
        case CanaryChanged() as event if not event.has_ended:
            return canaries.follow_event(run, canary, event, now)
        case CanaryChanged():
            return canaries.follow_end(run, canary, facts.canary, now)


def _follow_given_up_canary(
    run: Run, news: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime
) -> Decision:
    """Treat the end of a canary that the run no longer needs as freed room, and record what it cost."""
    canary = run.canary_beside(news.canary)
    if canary is not None and canaries.shows_life(canary, news):
        return stop_needless_job(run, canary.job_name, Outbox(stop_canary=canary.job_name))
    if canary is None or not isinstance(news, CanaryChanged) or not news.has_ended:
        return unchanged(run, f"The run is not waiting for canary {news.canary}.")
    noted = run if run.has_ended else canaries.note_description(run, canary, facts.canary)
    if run.waits_for == canary.placement.pool:
        return _follow_room(noted, now)
    room, reason = canaries.room_of(canary), f"{canary.job_name} has ended, so its instances are free."
    return unchanged(run, reason, room) if noted is run else change(noted, now, reason, room)


def _ignore_late(run: Run, attempt: Attempt, reason: str) -> Decision:
    return unchanged(run, reason, Outbox(measures=metrics.measure_late_event(attempt)))
