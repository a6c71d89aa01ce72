"""What pages ask of a status document. A document of an older stack may lack any of the newer fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from spot_relay.pages.view import ENDED
from spot_relay.pages.wording import read_moment

Document = Mapping[str, Any]


class Span(NamedTuple):
    """A phase of an attempt as it is drawn."""

    stage: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class RunFacts:
    """A status document, and the moment at which it is shown."""

    document: Document
    now: datetime

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.document["run_id"])

    @property
    def status(self) -> str:
        """The status of the run."""
        return str(self.document["status"])

    @property
    def has_ended(self) -> bool:
        """Whether the run is over."""
        return self.status in ENDED

    @property
    def created_at(self) -> datetime:
        """When the run was submitted."""
        return self.moment("created_at") or self.now

    @property
    def until(self) -> datetime:
        """When the run ended, or the moment that is shown."""
        return self.moment("ended_at") or max(self.now, self.created_at)

    @property
    def attempts(self) -> Sequence[Document]:
        """The attempts, oldest first."""
        attempts: Sequence[Document] = self.document["attempts"]
        return attempts

    @property
    def current(self) -> Document:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def deadline(self) -> Document | None:
        """What the document says of the deadline."""
        return self.document.get("deadline")

    @property
    def share(self) -> float | None:
        """How much of the training is done, from 0 to 1, or None if its length is not known."""
        if self.status == "Completed":
            return 1.0
        expected = self.deadline.get("expected_runtime_seconds") if self.deadline else None
        if not expected or self.deadline is None:
            return None
        return min(1.0, float(self.deadline.get("progress_seconds", 0)) / float(expected))

    @property
    def saved_share(self) -> float | None:
        """How much was saved compared with on-demand, from 0 to 1; None if it is not known."""
        cost, on_demand = self.document.get("cost_usd"), self.document.get("on_demand_cost_usd")
        if cost is not None and on_demand:
            return 1 - float(cost) / float(on_demand)
        by_seconds = self.document.get("savings_percent")
        return None if by_seconds is None else float(by_seconds) / 100

    @property
    def budget_usd(self) -> float | None:
        """The money budget."""
        amount = self.document.get("budgets", {}).get("money_usd")
        return None if amount is None else float(amount)

    @property
    def points(self) -> tuple[tuple[datetime, float], ...]:
        """The progress that checkpoints proved over time."""
        told = self.document.get("progress") or ()
        return tuple((datetime.fromisoformat(one["at"]), float(one["seconds"])) for one in told)

    @property
    def newest_checkpoint(self) -> Document | None:
        """The newest checkpoint that the document names."""
        named = (one.get(key) for one in self.attempts for key in ("resumes_from", "checkpoint"))
        found = [one for one in named if one]
        return max(found, key=lambda one: str(one["last_modified"]), default=None)

    @property
    def checkpoint_interval(self) -> float | None:
        """How much training usually lies between two checkpoints, in seconds; None if that is not known."""
        seconds = self._checkpoints.get("usual_interval_seconds")
        return None if seconds is None else float(seconds)

    @property
    def overdue_since(self) -> datetime | None:
        """Since when the training has saved nothing that should have been saved long ago; None if all is well."""
        return read_moment(self._checkpoints.get("overdue_since"))

    @property
    def _checkpoints(self) -> Document:
        return self.document.get("checkpoints") or {}

    def moment(self, key: str) -> datetime | None:
        """Return a moment of the document."""
        return read_moment(self.document.get(key))

    def spans(self, attempt: Document) -> tuple[Span, ...]:
        """Return the phases of an attempt, after the time until it was launched; one that lasts goes on until now."""
        end = read_moment(attempt.get("ended_at")) or self.until
        spans = [_read_span(phase, end) for phase in _phases_of(attempt)]
        planned = read_moment(attempt.get("planned_at"))
        if planned is not None:
            launched = spans[0].begins if spans else end
            spans[:0] = [Span("queued", planned, launched)] if launched > planned else []
        return tuple(spans)

    def lost_spans(self, attempt: Document) -> tuple[Span, ...]:
        """Return the training that was lost: after the last checkpoint that was seen before each interruption."""
        left, lost = float(attempt.get("wasted_seconds") or 0), []
        spans, saves = self.spans(attempt), [at for at, _ in self.points]
        for index, span in enumerate(spans):
            goes_on = index + 1 == len(spans) and attempt["status"] != "Ended"
            if span.stage != "training" or goes_on or left <= 0:
                continue
            saved = max((at for at in saves if span.begins <= at <= span.ends), default=span.begins)
            seconds = min(left, (span.ends - saved).total_seconds())
            if seconds > 0:
                lost.append(
                    Span("lost", datetime.fromtimestamp(span.ends.timestamp() - seconds, span.ends.tzinfo), span.ends)
                )
                left -= seconds
        return tuple(lost)


def _phases_of(attempt: Document) -> Iterable[Document]:
    """Return the phases of an attempt; a stack that does not say them says at least some of its times."""
    phases: Iterable[Document] | None = attempt.get("phases")
    if phases is not None:
        return phases
    times = (("waiting", attempt.get("created_at")), ("training", attempt.get("training_started_at")))
    known = [{"stage": stage, "started_at": at} for stage, at in times if at]
    ends = [*(one["started_at"] for one in known[1:]), attempt.get("ended_at")]
    return [{**one, "ended_at": end} for one, end in zip(known, ends, strict=False)]


def _read_span(phase: Document, until: datetime) -> Span:
    begins = datetime.fromisoformat(phase["started_at"])
    return Span(str(phase["stage"]), begins, max(begins, read_moment(phase.get("ended_at")) or until))
