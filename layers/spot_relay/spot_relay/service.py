"""The use cases: submit a run, advance it by an observation, stop and resume it, list what is due.

Everything that happens to a run goes through `advance`. A crash between any two of its steps loses nothing:
what a saved decision owes is in the run's outbox, and whoever loads the run next pays it first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decision import Decision, decide, settle
from spot_relay.domain.facts import Facts, job_to_describe, needs_checkpoint
from spot_relay.domain.observation import Due, Overtaken, ResumeRequested, StopRequested
from spot_relay.domain.report import announcement, status_document
from spot_relay.domain.run import accept
from spot_relay.ports import (
    Announcements,
    Checkpoints,
    ConflictError,
    RunExistsError,
    RunStore,
    StatusDocuments,
    Telemetry,
    TrainingJobs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.observation import Launched, Observation, Refused
    from spot_relay.domain.outbox import Outbox
    from spot_relay.domain.run import Run, RunStatus
    from spot_relay.domain.submission import Submission

# Writers of one run are few; one that loses this often in a row leaves the message to its queue's retry.
MAX_CONFLICTS = 20


class NameConflictError(Exception):
    """A run of that name exists, with another spec."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"There is a run {run_id} already, with another spec, and a spec can't change. Give this one another name."
        )
        self.run_id = run_id


class RejectedError(Exception):
    """What a user asked for can't be done in the run's state; the message says why."""


class NoSuchRunError(Exception):
    """There is no run of that id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id}. Ended runs are forgotten when their retention is over.")
        self.run_id = run_id


@dataclass(frozen=True)
class Service:
    """One stack's runs, over the ports it was wired with."""

    store: RunStore
    jobs: TrainingJobs
    checkpoints: Checkpoints
    documents: StatusDocuments
    announcements: Announcements
    telemetry: Telemetry
    clock: Callable[[], datetime]
    draw: Callable[[], float]
    new_id: Callable[[], str]
    check_every: timedelta = field(default=timedelta(minutes=5))

    def submit(self, submission: Submission) -> Run:
        """Accept a run and launch its first attempt; the same submission again is the same run.

        NameConflictError if the name belongs to a run with another spec, PrefixTakenError if another open run
        has the checkpoint prefix.
        """
        try:
            run = self.store.create(accept(submission, self.new_id(), self.clock()))
        except RunExistsError:
            existing = self._load(submission.name)
            if existing.fingerprint != submission.fingerprint:
                raise NameConflictError(submission.name) from None
            run = existing
        else:
            self.telemetry.decided(run, "Submitted", run.reason)
        return self._pay(run)

    def advance(self, run_id: str, observation: Observation) -> Run | None:
        """Fold an observation into its run; None if there is no such run."""
        run = self.store.load(run_id)
        return None if run is None else self._advance(run, observation)[0]

    def stop(self, run_id: str) -> Run:
        """Stop a run for good. RejectedError if it has ended in another way, NoSuchRunError."""
        return self._request(run_id, StopRequested())

    def resume(self, run_id: str) -> Run:
        """Let an ended run go on. RejectedError where that can't be, NoSuchRunError, PrefixTakenError."""
        return self._request(run_id, ResumeRequested())

    def show(self, run_id: str) -> Run:
        """Give a run. NoSuchRunError if there is none."""
        return self._load(run_id)

    def list(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """List runs, newest first: summaries, and where the next page begins, or None."""
        return self.store.page(status, limit, created_before)

    def _request(self, run_id: str, observation: Observation) -> Run:
        run, decision = self._advance(self._load(run_id), observation)
        if decision.rejected:
            raise RejectedError(decision.reason)
        return run

    def _load(self, run_id: str) -> Run:
        run = self.store.load(run_id)
        if run is None:
            raise NoSuchRunError(run_id)
        return run

    def _advance(self, run: Run, observation: Observation) -> tuple[Run, Decision]:
        """Decide on the newest state of the run until the decision could be saved, then pay what it owes."""
        for _ in range(MAX_CONFLICTS):
            run = self._pay(run)
            decision = decide(run, self._gather(run, observation), self.clock())
            self.telemetry.decided(decision.run, type(observation).__name__, decision.reason)
            if decision.run is run:
                self._perform(run, decision.owes)
                self.telemetry.measure(decision.owes.measures)
                return run, decision
            write = self.store.reopen if run.has_ended and not decision.run.has_ended else self.store.save
            try:
                saved = write(replace(decision.run, outbox=decision.owes))
            except ConflictError:
                run = self._load(run.id)
                continue
            return self._pay(saved), decision
        raise ConflictError(run.id)

    def _gather(self, run: Run, observation: Observation) -> Facts:
        """Gather the facts that the decision needs, and no others."""
        name = job_to_describe(run, observation)
        job = self.jobs.describe(name) if name else None
        uri = run.checkpoint_uri
        wanted = uri is not None and needs_checkpoint(run, observation, job)
        newest = self.checkpoints.newest(uri) if uri is not None and wanted else None
        return Facts(observation, job, newest, self.draw(), self.check_every)

    def _pay(self, run: Run) -> Run:
        """Perform what a run owes and save that it is done, and so with what the answers bring."""
        answers: tuple[Observation, ...] = ()
        for _ in range(MAX_CONFLICTS):
            if not run.outbox and not answers:
                return run
            answers += self._perform(run, run.outbox)
            facts = Facts(Due(), draw=self.draw(), check_every=self.check_every)
            settled = settle(run, answers, facts, self.clock())
            for answer in answers:
                self.telemetry.decided(settled, type(answer).__name__, settled.reason)
            try:
                paid, run, answers = run.outbox, self.store.save(settled), ()
                # By whoever settled the outbox, and no one else who performed it: a metric can't be put twice.
                self.telemetry.measure(paid.measures)
            except ConflictError:
                # What was performed stays true: fold it into the newer state, and publish that state again.
                run, answers = self._load(run.id), (*answers, Overtaken())
        raise ConflictError(run.id)

    def _perform(self, run: Run, owed: Outbox) -> tuple[Launched | Refused, ...]:
        """Perform the idempotent duties, all but the measures, in the outbox's order; give the answer of a launch."""
        attempt = run.attempt(owed.launch) if owed.launch is not None else None
        answers = (self.jobs.create(run, attempt),) if attempt else ()
        if owed.stop is not None:
            self.jobs.stop(owed.stop)
        if owed.status:
            self.documents.write(run.id, status_document(run))
        if owed.announce:
            self.announcements.announce(announcement(run))
        return answers


def utc_now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)
