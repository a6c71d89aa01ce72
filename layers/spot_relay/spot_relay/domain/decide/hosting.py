"""What follows each answer of SageMaker while a run's model is registered or deployed. The run itself has completed.

Nothing here changes the run's own result: only its tasks for the model change, and what is owed for them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.steps import Decision, unchanged
from spot_relay.domain.rules.hosting import MOST_TRIES, PATIENCE, list_due, wait_after
from spot_relay.domain.run.hosting import (
    Endpoint,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    Made,
    NoEndpoint,
    Unmade,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import ABSENCE_PATIENCE, OUTBOX_PATIENCE, Run
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.shown import metrics
from spot_relay.domain.text import MAX_MESSAGE_BYTES, MAX_STATUS_BYTES, MAX_TEXT_BYTES, clean_text
from spot_relay.domain.values import as_sentence, dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.observation import HostingAnswered

# A description can lag behind a call: look again after this long.
_SOON = timedelta(seconds=30)
_NEXT_STEPS = {
    HostingStep.MODEL: HostingStep.ENDPOINT_CONFIG,
    HostingStep.ENDPOINT_CONFIG: HostingStep.LOOK,
    HostingStep.ENDPOINT: HostingStep.FOLLOW,
    HostingStep.ENDPOINT_UPDATE: HostingStep.FOLLOW,
}
_LOOKS = frozenset({HostingStep.LOOK, HostingStep.FOLLOW})
_IN_SERVICE, _FAILED = "InService", "Failed"
_IN_PROGRESS = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
# In these, requests are answered by the configuration that DescribeEndpoint shows.
_SERVING = frozenset({_IN_SERVICE, "Updating", "SystemUpdating", "RollingBack"})


def follow_due(run: Run, now: datetime) -> Decision:
    """Owe the next call of each task that is due."""
    kinds = list_due(run, now)
    if not kinds:
        return unchanged(run, "The run has ended, so nothing is due.")
    return _call(run, kinds, now, f"Going on with {' and '.join(kinds)}.")


def follow_event(run: Run, now: datetime) -> Decision:
    """Look at the endpoint at once if a deployment waits for it."""
    deployment = _find(run, HostingKind.DEPLOY)
    if deployment is None or not deployment.is_open or deployment.step not in _LOOKS:
        return unchanged(run, "The run is not waiting for an endpoint.")
    return _call(run, (HostingKind.DEPLOY,), now, "The endpoint has changed. Looking at it.")


def follow_answer(run: Run, answered: HostingAnswered, facts: Facts, now: datetime) -> Decision:
    """Go to the next step of a task, wait, or settle it."""
    task = _find(run, answered.kind)
    if task is None or not task.is_open or task.step is not answered.step:
        return unchanged(run, f"The answer to {answered.step} is no longer waited for.")
    match answered.answer:
        case Made(arn):
            return _follow_made(run, task, clean_text(arn, MAX_TEXT_BYTES), facts, now)
        case Unmade() as unmade:
            return _follow_unmade(run, task, unmade, facts, now)
        case NoEndpoint():
            return _follow_absence(run, task, facts, now)
        case Endpoint() as seen:
            found = replace(task, arn=clean_text(seen.arn, MAX_TEXT_BYTES))
            return _Look(run, found, seen, facts, now).decide()


def _follow_made(run: Run, task: HostingTask, arn: str, facts: Facts, now: datetime) -> Decision:
    if task.step is HostingStep.MODEL_PACKAGE:
        return _settle(run, replace(task, arn=arn), HostingStatus.SUCCEEDED, f"The model is registered as {arn}.", now)
    following = _NEXT_STEPS[task.step]
    if following is HostingStep.FOLLOW:
        verb = "created" if task.step is HostingStep.ENDPOINT else "updated"
        moved = _move(replace(task, arn=arn), following, now)
        return _wait(run, moved, f"The endpoint {run.endpoint_name} is being {verb}.", now + facts.check_every, now)
    return _go_on(run, _move(task, following, now), f"{task.step} {run.model_name} exists.", now)


def _follow_unmade(run: Run, task: HostingTask, unmade: Unmade, facts: Facts, now: datetime) -> Decision:
    """Try again later what may pass; what was asked of an endpoint may have taken effect, so look at it first."""
    told = _tell(run, unmade.because)
    is_of_endpoint = task.step in {HostingStep.ENDPOINT, HostingStep.ENDPOINT_UPDATE}
    if not (unmade.passes or (unmade.is_taken and is_of_endpoint)):
        return _settle(run, task, HostingStatus.FAILED, told, now)
    tries = task.tries + 1
    if tries >= MOST_TRIES:
        return _settle(run, task, HostingStatus.FAILED, f"{told} Giving up after {tries} tries.", now)
    again = replace(_move(task, HostingStep.LOOK, now) if is_of_endpoint else task, tries=tries)
    return _wait(run, again, f"{told} Trying again.", now + wait_after(tries, facts.draw), now)


def _follow_absence(run: Run, task: HostingTask, facts: Facts, now: datetime) -> Decision:
    """Create the endpoint; one that was created may not be visible yet, or has been deleted since."""
    name = run.endpoint_name
    if task.step is HostingStep.LOOK:
        return _go_on(
            run, _move(task, HostingStep.ENDPOINT, now), f"There is no endpoint {name} yet. Creating it.", now
        )
    if now < task.since + ABSENCE_PATIENCE:
        return _wait(run, task, f"The endpoint {name} is not visible yet.", now + min(_SOON, facts.check_every), now)
    return _settle(run, task, HostingStatus.FAILED, f"The endpoint {name} has been deleted.", now)


@dataclass(frozen=True)
class _Look:
    """What follows from a look at an endpoint that exists."""

    run: Run
    task: HostingTask
    seen: Endpoint
    facts: Facts
    at: datetime

    @property
    def name(self) -> str:
        """The endpoint's name."""
        return self.run.endpoint_name

    @property
    def status(self) -> str:
        """The endpoint's status, to be shown."""
        return clean_text(self.seen.status, MAX_STATUS_BYTES)

    @property
    def other(self) -> str:
        """The endpoint's configuration, to be shown."""
        return clean_text(self.seen.config_name, MAX_MESSAGE_BYTES)

    def decide(self) -> Decision:
        """Return what follows."""
        seen = self.seen
        if not seen.is_ours and self.task.step is HostingStep.LOOK:
            return self._fail(
                f"There is an endpoint {self.name} that Spot Relay has not created, and it updates no other. Use "
                "another name, or tag that endpoint with spot-relay:run-id if it may be updated."
            )
        if seen.config_name == self.run.model_name and seen.status in _SERVING:
            reason = f"The endpoint {self.name} is in service with the model {self.run.model_name}."
            return _settle(self.run, self.task, HostingStatus.SUCCEEDED, reason, self.at)
        if seen.status == _FAILED:
            why = _tell(self.run, seen.failure_reason or "SageMaker gives no reason")
            return self._fail(f"The endpoint {self.name} has failed: {why} A failed endpoint can only be deleted.")
        if seen.status in _IN_PROGRESS:
            return self._follow_progress()
        if seen.status != _IN_SERVICE:
            return self._fail(f"The endpoint {self.name} is {self.status}, and can't be updated.")
        return self._follow_other_configuration()

    def _follow_progress(self) -> Decision:
        """Wait for the end of our own deployment, or of another one that has to end first."""
        is_mine = self.run.model_name in {self.seen.config_name, self.seen.pending_config_name}
        is_known = self.task.step is HostingStep.FOLLOW
        task = _move(self.task, HostingStep.FOLLOW, self.at) if is_mine and not is_known else self.task
        whose = "" if is_mine or is_known else " with another configuration"
        return self._wait(task, f"The endpoint {self.name} is {self.status}{whose}.")

    def _follow_other_configuration(self) -> Decision:
        """Update the endpoint, unless that was done already: a failed update leaves nothing but the old configuration.

        An old description shows the same. Only one that is newer than the last one before the update proves anything.
        """
        task, seen = self.task, self.seen
        is_old = task.replaces == seen.config_name
        is_newer = task.replaces_since is not None and seen.modified_at > task.replaces_since
        if is_old and is_newer:
            return self._fail(
                f"The update of the endpoint {self.name} has failed, and SageMaker has rolled it back to {self.other}. "
                "The endpoint's log and its events say why."
            )
        if task.step is HostingStep.FOLLOW and is_old:
            return self._wait(task, f"The endpoint {self.name} does not show its update yet.")
        if task.step is HostingStep.FOLLOW:
            return self._fail(f"The endpoint {self.name} was updated to {self.other} in the meantime.")
        update = replace(task, replaces=seen.config_name, replaces_since=seen.modified_at)
        moved = _move(update, HostingStep.ENDPOINT_UPDATE, self.at)
        reason = f"The endpoint {self.name} serves {self.other}. Updating it."
        return _go_on(self.run, moved, reason, self.at)

    def _wait(self, task: HostingTask, reason: str) -> Decision:
        if self.at >= task.began_at + PATIENCE:
            hours = PATIENCE // timedelta(hours=1)
            return _settle(self.run, task, HostingStatus.FAILED, f"{reason} Giving up after {hours} hours.", self.at)
        return _wait(self.run, task, reason, self.at + self.facts.check_every, self.at)

    def _fail(self, because: str) -> Decision:
        return _settle(self.run, self.task, HostingStatus.FAILED, because, self.at)


def _find(run: Run, kind: HostingKind) -> HostingTask | None:
    return next((task for task in run.hosting if task.kind is kind), None)


def _with(run: Run, changed: HostingTask) -> Run:
    return replace(run, hosting=tuple(changed if task.kind is changed.kind else task for task in run.hosting))


def _move(task: HostingTask, step: HostingStep, now: datetime) -> HostingTask:
    return replace(task, step=step, since=now)


def _call(run: Run, kinds: tuple[HostingKind, ...], now: datetime, reason: str) -> Decision:
    """Owe the next call of some tasks. The tick finds them again if nobody makes it."""
    tasks = (replace(task, check_at=now + OUTBOX_PATIENCE) if task.kind in kinds else task for task in run.hosting)
    return Decision(replace(run, updated_at=now, hosting=tuple(tasks)), Outbox(host=kinds), reason)


def _go_on(run: Run, task: HostingTask, reason: str, now: datetime) -> Decision:
    """Owe the next call of a task that has moved on."""
    return _call(_with(run, replace(task, reason=reason)), (task.kind,), now, reason)


def _wait(run: Run, task: HostingTask, reason: str, until: datetime, now: datetime) -> Decision:
    changed = replace(task, reason=reason, check_at=until)
    # The document shows the task's reason: it is written only if that is news.
    news = Outbox(status=True) if reason != _reason_of(run, task) else Outbox()
    return Decision(replace(_with(run, changed), updated_at=now), news, reason)


def _reason_of(run: Run, task: HostingTask) -> str | None:
    known = _find(run, task.kind)
    return known.reason if known else None


def _settle(run: Run, task: HostingTask, status: HostingStatus, reason: str, now: datetime) -> Decision:
    """End a task."""
    changes: dict[str, Any] = {"status": status, "reason": reason, "check_at": None, "settled_at": now}
    after = replace(_with(run, replace(task, **changes)), updated_at=now)
    return Decision(after, Outbox(status=True, measures=metrics.measure_hosting(run, status)), reason)


def _tell(run: Run, text: str) -> str:
    """Return a text of SageMaker as a sentence, without the secrets that the training or the model was given."""
    wanted = (run.on_success.register_model, run.on_success.deploy)
    given = [{"Environment": one.environment} for one in wanted if one is not None]
    return as_sentence(hide_secrets(text, {**run.training_job, "on_success": given}))
