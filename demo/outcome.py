"""What the demo found, as a value and as the JSON object that it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.comparison import Comparison
    from demo.figures import Metric
    from demo.watching import View


@dataclass(frozen=True)
class Places:
    """Where what a run leaves can be found."""

    status_document: str
    training_logs: str
    function_logs: tuple[str, ...]
    checkpoints: str
    model: str | None


@dataclass(frozen=True)
class Outcome:
    """The end of the run, the comparison of its model, the service's metrics, and the seconds it all took."""

    view: View
    comparison: Comparison | None
    metrics: dict[str, Metric]
    places: Places
    seconds: float

    @property
    def good(self) -> bool:
        """Whether the run completed with the model that no interruption would have changed."""
        return self.view.status == "Completed" and self.comparison is not None and self.comparison.identical

    def document(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints."""
        run = self.view.run or {}
        return {
            "status": self.view.status,
            "attempts": [
                {
                    "job_name": attempt.job_name,
                    "outcome": attempt.told.get("outcome"),
                    "resumed_from_round": attempt.resumed_from,
                    "trained_rounds": attempt.trained,
                    "training_seconds": attempt.told.get("training_seconds"),
                    "billable_seconds": attempt.told.get("billable_seconds"),
                }
                for attempt in self.view.attempts
            ],
            "interruptions": run.get("interruptions", 0),
            "savings_percent": run.get("savings_percent"),
            "model_identical": self.comparison is not None and self.comparison.identical,
            "seconds": round(self.seconds, 1),
        }
