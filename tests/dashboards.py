"""Runs for the dashboard, without a stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spot_relay_client.errors import NoSuchRunError, UnreachableError
from spot_relay_client.logs import LogLine
from spot_relay_client.models import Run, RunSummary
from tests.unit.client.documents import run_document

if TYPE_CHECKING:
    from collections.abc import Iterator

BUDGETS = {"expired_waits": 10, "money_usd": 12.5, "refusals": 500}


class FakeReader:
    """A log that grows by a line with each look."""

    def __init__(self) -> None:
        self.lines = 0

    def read(self, run: Run, _until: datetime) -> Iterator[LogLine]:
        self.lines += 1
        yield LogLine(datetime(2026, 5, 1, 12, tzinfo=UTC), 1, "algo-1", f"{run.name} <b>epoch</b> {self.lines}")


@dataclass
class FakeRelay:
    """The runs of a stack, and what was asked of them. It stands for its own API as well."""

    documents: dict[str, dict[str, Any]]
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    fault: Exception | None = None

    @property
    def api(self) -> FakeRelay:
        return self

    def show(self, run: str) -> dict[str, Any]:
        self.shown.append(run)
        if isinstance(self.fault, UnreachableError):
            raise self.fault
        if run not in self.documents:
            raise NoSuchRunError(404, "NoSuchRun", f"There is no run {run}.")
        return self.documents[run]

    def get(self, run: str) -> Run:
        return Run.from_document(self.show(run))

    def list(self, status: str | None = None) -> Iterator[RunSummary]:
        for document in self.documents.values():
            if status in (None, document["status"]):
                summary = {key: document[key] for key in ("run_id", "status", "reason", "created_at", "updated_at")}
                yield RunSummary.from_document(summary | {"attempts": len(document["attempts"])})

    def stop(self, run: str) -> None:
        self._ask("stop", run)

    def resume(self, run: str, changes: dict[str, Any]) -> None:
        self._ask("resume", run, changes)

    def move(self, run: str, market: str) -> None:
        self._ask("move", run, market)

    def change_deadline(self, run: str, deadline: str | None, **changes: Any) -> None:
        self._ask("deadline", run, deadline, changes)

    def read_logs(self) -> FakeReader:
        return FakeReader()

    def _ask(self, *asked: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.asked.append(asked)


def fake_relay() -> FakeRelay:
    """Return three runs: one that goes on, one that failed, and one that completed."""
    documents = [
        run_document(run_id="churn", budgets=BUDGETS),
        run_document(run_id="failed", status="Failed", budgets=BUDGETS),
        run_document(run_id="done", status="Completed"),
    ]
    return FakeRelay({each["run_id"]: each for each in documents})
