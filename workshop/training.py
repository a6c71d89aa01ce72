"""Train the rows on a stack: upload their data, submit them, and look at what became of them."""

from __future__ import annotations

import io
import re
import tarfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from workshop.outcome import RowOutcome
from workshop.programs import ProgramError, Programs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedded.stack import Stack
    from workshop.rows import Client, Row

# Two cores train at most three rows at a time: a row waits for capacity for a part of its own.
AT_ONCE: Final = 3
_SIMULATED: Final = "simulated.json"


@dataclass(frozen=True)
class Workshop:
    """Trains rows on ``stack``, with data in ``bucket``; ``note`` is told what happens."""

    stack: Stack
    bucket: str
    note: Callable[[str], None]

    def train(self, rows: Sequence[Row], client: Client | None) -> list[RowOutcome]:
        """Train all rows, some of them at the same time; a row that begins with another's model waits for it."""
        self.stack.client("s3").create_bucket(Bucket=self.bucket)
        trained: dict[str, Future[RowOutcome]] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for row in rows:
                earlier = trained[row.begins_with] if row.begins_with else None
                trained[row.run] = pool.submit(self._train, row, row.client(client), earlier)
            return [trained[row.run].result() for row in rows]

    def _train(self, row: Row, client: Client, earlier: Future[RowOutcome] | None) -> RowOutcome:
        before = earlier.result() if earlier else None
        if before and before.model is None:
            return RowOutcome(row, client, "not submitted", 0, error=f"The run {row.begins_with} has left no model.")
        began = time.monotonic()
        s3 = self.stack.client("s3")
        for key, body in row.data().items():
            s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        self.note(f"{row.workload}: submitted by {client}")
        error = None
        try:
            Programs(self.stack).submit(row, client, before)
        except ProgramError as problem:
            error = str(problem)
        outcome = replace(self._look(row, client, error), seconds=time.monotonic() - began)
        self.note(f"{row.workload}: {outcome.complaint or 'Completed'}")
        return outcome

    def _look(self, row: Row, client: Client, error: str | None) -> RowOutcome:
        run = self._find(row.run)
        if run is None:
            return RowOutcome(row, client, "not submitted", 0, error=error or f"There is no run {row.run}.")
        try:
            metrics = tuple(row.metric.read(Programs(self.stack).read_log(run["run_id"])))
        except ProgramError as problem:
            metrics, error = (), error or str(problem)
        return RowOutcome(
            row,
            client,
            run["status"],
            seconds=0,
            run=run["run_id"],
            attempts=len(run["attempts"]),
            interruptions=run["interruptions"],
            resumed_from=_name_of_checkpoint(run["attempts"]),
            real_training=bool(metrics) and self._is_real(run["model_artifacts"]),
            metrics=metrics,
            saved_percent=run["savings_percent"],
            model=run["model_artifacts"],
            error=error,
        )

    def _find(self, name: str) -> dict[str, Any] | None:
        """Return the run of this name, or the one whose name is this and a time, as version 3 of the SDK names jobs."""
        named = re.compile(rf"{re.escape(name)}(-\d[\d-]*)?")
        runs = self.stack.api.list()["runs"]
        found = [run["run_id"] for run in runs if named.fullmatch(run["run_id"])]
        return self.stack.api.show(found[0]) if found else None

    def _is_real(self, model: str | None) -> bool:
        """Whether a model is there, and is not the simulator's mark that nothing was trained."""
        if model is None:
            return False
        bucket, _, key = model.removeprefix("s3://").partition("/")
        archive = self.stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            names = members.getnames()
        return bool(names) and _SIMULATED not in names


def _name_of_checkpoint(attempts: Sequence[dict[str, Any]]) -> str | None:
    """Return the file from which the last attempt resumed, if it did."""
    resumes_from = attempts[-1]["resumes_from"] if attempts else None
    return str(resumes_from["key"]).rpartition("/")[2] if resumes_from else None
