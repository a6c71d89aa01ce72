"""The result of the demo, and the JSON object it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.comparison import Comparison
    from demo.function_metrics import Metric
    from demo.watcher import View


@dataclass(frozen=True)
class Places:
    """Where to find the results of the run."""

    status_document: str
    training_logs: str
    function_logs: tuple[str, ...]
    checkpoints: str
    model: str | None


@dataclass(frozen=True)
class Outcome:
    """The final state of the run, the comparison of its model, the service's metrics, and the total duration."""

    view: View
    comparison: Comparison | None
    metrics: dict[str, Metric]
    places: Places
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether the run completed with the same model as an uninterrupted training."""
        return self.view.status == "Completed" and self.comparison is not None and self.comparison.identical

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        run = self.view.run
        return {
            "status": self.view.status,
            "attempts": [
                {
                    "job_name": attempt.job_name,
                    "outcome": attempt.reported.get("outcome"),
                    "resumed_from_round": attempt.resumed_from,
                    "trained_rounds": attempt.trained,
                    "training_seconds": attempt.reported.get("training_seconds"),
                    "billable_seconds": attempt.reported.get("billable_seconds"),
                }
                for attempt in self.view.attempts
            ],
            "interruptions": run.get("interruptions", 0),
            "savings_percent": run.get("savings_percent"),
            "model_identical": self.comparison is not None and self.comparison.identical,
            "seconds": round(self.seconds, 1),
        }
