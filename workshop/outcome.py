"""What became of the rows, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workshop.rows import Client, Row


@dataclass(frozen=True)
class RowOutcome:
    """What became of a row. ``error`` says why it is not what it should be."""

    row: Row
    client: Client
    status: str
    seconds: float
    run: str = ""
    attempts: int = 0
    interruptions: int = 0
    resumed_from: str | None = None
    real_training: bool = False
    metrics: tuple[float, ...] = ()
    saved_percent: float | None = None
    model: str | None = None
    error: str | None = None

    @property
    def complaint(self) -> str | None:
        """What is wrong with the row, if anything is."""
        if self.error is not None:
            return self.error
        if self.status != "Completed":
            return f"The run is {self.status}."
        if not self.real_training:
            return "Nothing was trained."
        if self.interruptions < 1:
            return "The run was not interrupted."
        if not self.row.metric.improved(self.metrics[0], self.metrics[-1]):
            return f"{self.row.metric.name} did not improve: from {self.metrics[0]:g} to {self.metrics[-1]:g}."
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the row for programs."""
        return {
            "workload": self.row.workload,
            "client": self.client,
            "run": self.run,
            "status": self.status,
            "attempts": self.attempts,
            "interruptions": self.interruptions,
            "resumed_from": self.resumed_from,
            "real_training": self.real_training,
            "metric": self.row.metric.name,
            "metric_first": self.metrics[0] if self.metrics else None,
            "metric_last": self.metrics[-1] if self.metrics else None,
            "saved_percent": self.saved_percent,
            "seconds": round(self.seconds, 1),
            "model": self.model,
            "complaint": self.complaint,
        }


@dataclass(frozen=True)
class EndpointOutcome:
    """Whether the endpoint with DeepAR's model answered: what it forecast, or why it did not."""

    answered: bool
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of all rows, and of the endpoint, if DeepAR was among the rows."""

    rows: Sequence[RowOutcome]
    endpoint: EndpointOutcome | None
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether nothing is wrong with any row, nor with the endpoint."""
        answered = self.endpoint is None or self.endpoint.answered
        return answered and bool(self.rows) and all(row.complaint is None for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return one object for programs."""
        return {
            "rows": [row.to_json() for row in self.rows],
            "endpoint_answered": self.endpoint is not None and self.endpoint.answered,
            "endpoint_reason": self.endpoint.reason if self.endpoint else "DeepAR was not among the rows.",
            "seconds": round(self.seconds, 1),
        }

    def draw(self) -> Table:
        """Return the table for people, without the models, whose places are too long for it."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for title in ("workload", "client", "status"):
            table.add_column(title)
        for title in ("attempts", "interrupted"):
            table.add_column(title, justify="right")
        for title in ("last attempt from", "metric"):
            table.add_column(title)
        for title in ("first", "last", "saved", "seconds"):
            table.add_column(title, justify="right")
        for row in self.rows:
            first, last = (f"{row.metrics[0]:.4g}", f"{row.metrics[-1]:.4g}") if row.metrics else ("", "")
            table.add_row(
                *(row.row.workload, row.client, row.status, str(row.attempts), str(row.interruptions)),
                row.resumed_from or "the beginning",
                *(row.row.metric.name, first, last),
                "" if row.saved_percent is None else f"{row.saved_percent:.0f} %",
                f"{row.seconds:.0f}",
            )
        return table
