"""The checks of what is done with models, against the truth of the simulated endpoints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.hosting import list_wanted
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep
from spot_relay.domain.run.run import RunStatus
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spot_relay.domain.run.hosting import HostingTask, Part
    from spot_relay.domain.run.run import Run
    from tests.simulation.hosting import Hosting


@dataclass
class HostingWatch:
    """Watches the models and endpoints of one play."""

    hosting: Hosting
    counts: Counter[tuple[str, HostingStep]] = field(default_factory=Counter)
    """How many parts of each kind were created for each run."""

    def made(self, part: Part, runs: Iterable[Run]) -> None:
        """Check a part that is about to be created: for a run that has completed, from its model, and once."""
        run = next((run for run in runs if _is_of(part, run)), None)
        if run is None or run.status is not RunStatus.COMPLETED:
            raise ViolationError(10, f"{part.step} {part.name} is created, and no run that wants it has completed")
        if _kind_of(part.step) not in list_wanted(run):
            raise ViolationError(10, f"{part.step} {part.name} is created, which {run.id} does not want")
        self.counts[run.id, part.step] += 1
        if self.counts[run.id, part.step] > 1:
            raise ViolationError(10, f"a second {part.step} is created for {run.id}: {part.name}")
        data = _data_of(part)
        if data is not None and data != run.model_artifacts:
            raise ViolationError(10, f"{part.step} {part.name} has {data}, and the model is {run.model_artifacts}")

    def saved(self, before: Run, after: Run) -> None:
        """Check what a run says of its model."""
        if after.hosting and after.status is not RunStatus.COMPLETED:
            raise ViolationError(10, f"{after.id} is hosted, and is {after.status}")
        known = {task.kind: task for task in before.hosting}
        for task in after.hosting:
            earlier = known.pop(task.kind, None)
            if task.is_open and task.check_at is None:
                raise ViolationError(2, f"{task.kind} of {after.id} is open and has no check_at")
            if earlier is not None and not earlier.is_open and earlier != task:
                raise ViolationError(
                    10, f"{task.kind} of {after.id} was {earlier.status} and has changed: {task.reason}"
                )
            if (earlier is None or earlier.is_open) and not task.is_open:
                self._check_settled(after, task)
        if known:
            raise ViolationError(10, f"{after.id} has forgotten {', '.join(known)}")

    def closed(self, run: Run, document: dict[str, Any], announced: list[dict[str, Any]]) -> None:
        """Check that everything that was wanted is settled, and told as it is."""
        wanted = list_wanted(run) if run.status is RunStatus.COMPLETED else ()
        if tuple(task.kind for task in run.hosting) != wanted:
            raise ViolationError(10, f"{run.id} is {run.status} and wants {wanted}, but has {run.hosting}")
        if any(task.is_open for task in run.hosting):
            raise ViolationError(2, f"{run.id} is not hosted yet: {run.hosting}")
        shown = document.get("hosting") or {}
        told = {kind: (task["status"], task["reason"]) for kind, task in shown.items() if task and run.hosting}
        if told != {str(task.kind): (task.status, task.reason) for task in run.hosting}:
            raise ViolationError(10, f"{run.id} has {run.hosting}, and its status document says {shown}")
        if run.hosting and not any(one["run_id"] == run.id for one in announced):
            raise ViolationError(10, f"{run.id} is hosted, and nobody was told")

    def _check_settled(self, run: Run, task: HostingTask) -> None:
        is_done = self._is_done(run, task)
        if task.status is HostingStatus.SUCCEEDED and not is_done:
            raise ViolationError(10, f"{task.kind} of {run.id} is told to have succeeded, and has not: {task.reason}")
        if task.status is HostingStatus.FAILED and is_done and not self._is_past(run, task):
            raise ViolationError(10, f"{task.kind} of {run.id} is told to have failed, and has not: {task.reason}")

    def _is_done(self, run: Run, task: HostingTask) -> bool:
        if task.kind is HostingKind.REGISTER_MODEL:
            return task.arn in self.hosting.packages.values()
        return self.hosting.serves(run.endpoint_name, run.model_name)

    def _is_past(self, run: Run, task: HostingTask) -> bool:
        """Whether another deployment has replaced this one by now."""
        endpoint = self.hosting.endpoints.get(run.endpoint_name)
        return task.kind is HostingKind.DEPLOY and endpoint is not None and endpoint.config_name != run.model_name


def _kind_of(step: HostingStep) -> HostingKind:
    return HostingKind.REGISTER_MODEL if step is HostingStep.MODEL_PACKAGE else HostingKind.DEPLOY


def _data_of(part: Part) -> str | None:
    if part.step is HostingStep.MODEL:
        return str(part.request["PrimaryContainer"]["ModelDataUrl"])
    if part.step is HostingStep.MODEL_PACKAGE:
        return str(part.request["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    return None


def _is_of(part: Part, run: Run) -> bool:
    data = _data_of(part)
    if data is not None:
        return data == run.model_artifacts
    return part.tags.get("spot-relay:run-id") == run.id
