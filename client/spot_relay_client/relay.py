"""The runs of one stack, for Python programs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.session import Session

from spot_relay_client import stack as stacks
from spot_relay_client.api import Api
from spot_relay_client.errors import ConflictError, NoSuchRunError, SpotRelayError, UnreachableError, WaitTimeoutError
from spot_relay_client.logs import CloudWatchStreams, LogReader
from spot_relay_client.models import Run, RunSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from spot_relay_client.logs import LogLine

Read = TypeVar("Read")

POLL_SECONDS: Final = 5.0
# How long `wait` and `logs` go on while the API gives no usable answer.
PATIENCE: Final = timedelta(minutes=10)
# The stack's clock may be behind this one.
_CLOCKS_DIFFER: Final = timedelta(seconds=30)


class SpotRelay:
    """The runs of one stack.

    ``stack`` is the name of the stack, by default that of SPOT_RELAY_STACK or else ``spot-relay``. ``session`` is a
    session of boto3 or botocore; by default the usual AWS configuration holds. All methods raise `SpotRelayError`.
    """

    def __init__(
        self, stack: str | None = None, *, session: Any = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        # A session of boto3 wraps one of botocore.
        self.session: Session = getattr(session, "_session", session) or Session()
        self.stack = stacks.find(self.session, stack)
        self.api = Api(self.session, self.stack.api_url, self.stack.region)
        self._sleep = sleep

    def submit(self, spec: Mapping[str, Any]) -> Run:
        """Submit a spec, and return its run. The same spec again is the same run, so it never trains twice.

        Values such as ``{stack.role}`` in the spec are filled in first: see `Stack.fill_in`. If the answer is
        lost, the run is asked for by its name.
        """
        submitted_at = datetime.now(UTC)
        filled_in = self.stack.fill_in(dict(spec))
        try:
            return _read(Run.from_document, self.api.submit(filled_in))
        except UnreachableError:
            run = self._find_made(spec.get("name") or spec.get("TrainingJobName"), submitted_at)
            if run is None:
                raise
            return run

    def plan(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return what would happen to a spec if it were submitted now; nothing is stored or launched.

        It has ``problems``, for which the spec would be refused, ``warnings`` and, for a valid spec, a ``plan``. If the
        stack is too old to plan, it is not asked: it would submit the spec.
        """
        self._require_version()
        return self.api.plan(self.stack.fill_in(dict(spec)))

    def _require_version(self) -> None:
        """Make sure that the stack says its version, which those did not that cannot plan."""
        if "Version" not in self.stack.outputs:
            self.stack = stacks.find(self.session, self.stack.name, region=self.stack.region, fresh=True)
        if "Version" not in self.stack.outputs:
            raise SpotRelayError(
                f"The stack {self.stack.name} is older than this client. It cannot plan, and would submit the spec "
                "instead, so nothing was sent. Update the stack."
            )

    def get(self, run: str) -> Run:
        """Return a run as it is now."""
        return _read(Run.from_document, self.api.show(run))

    def list(self, status: str | None = None) -> Iterator[RunSummary]:
        """Yield all runs, newest first, or those with a status."""
        token: str | None = None
        while True:
            page = self.api.list(status=status, token=token)
            summaries, token = _read(_read_page, page)
            yield from summaries
            if token is None:
                return

    def wait(self, run: str, *, timeout: float | None = None, poll: float = POLL_SECONDS) -> Run:
        """Wait until a run has ended, and return it.

        Look every ``poll`` seconds. An API that gives no usable answer for a while is asked again. Raise
        `WaitTimeoutError` after ``timeout`` seconds; the run goes on.
        """
        began = time.monotonic()
        for found in self.follow(run, poll=poll):
            if found.ended:
                return found
            if timeout is not None and time.monotonic() - began >= timeout:
                raise WaitTimeoutError(
                    f"The run {run} is still {found.status} after {timeout:g} seconds: {found.reason} It goes on."
                )
        raise AssertionError("a run is followed until it has ended")

    def follow(self, run: str, *, poll: float = POLL_SECONDS) -> Iterator[Run]:
        """Yield a run as it is now, then every ``poll`` seconds, until it has ended."""
        failing_since: float | None = None
        while True:
            try:
                found = self.get(run)
            except UnreachableError:
                failing_since = failing_since or time.monotonic()
                if time.monotonic() - failing_since > PATIENCE.total_seconds():
                    raise
            else:
                failing_since = None
                yield found
                if found.ended:
                    return
            self._sleep(poll)

    def stop(self, run: str) -> Run:
        """Stop a run for good."""
        return _read(Run.from_document, self.api.stop(run))

    def resume(self, run: str, changes: Mapping[str, Any] | None = None) -> Run:
        """Resume a run that failed or was stopped, with changes such as ``{"budgets": {"expired_waits": 20}}``.

        If the answer is lost, the run is asked for: it may have been resumed.
        """
        before = self.get(run)
        try:
            return _read(Run.from_document, self.api.resume(run, dict(changes or {})))
        except (UnreachableError, ConflictError) as error:
            # A request that is repeated after a lost answer finds the run open, and is refused.
            if not before.ended or (isinstance(error, ConflictError) and not error.repeated):
                raise
            now = self.get(run)
            if len(now.attempts) == len(before.attempts) and now.ended:
                raise
            return now

    def move(self, run: str, market: str) -> Run:
        """Move an open run to ``on-demand``, where it stays until it is moved back, or to ``spot``.

        A live training job is stopped, and the next one continues from its newest checkpoint.
        """
        return _read(Run.from_document, self.api.move(run, market))

    def change_deadline(self, run: str, deadline: str | datetime | None, **changes: Any) -> Run:
        """Change the deadline of an open run to an instant or to a duration from now, such as ``P2D``; None removes it.

        ``changes`` are other keys of the deadline. A first one needs ``expected_runtime``.
        """
        moment = deadline.isoformat() if isinstance(deadline, datetime) else deadline
        return _read(Run.from_document, self.api.change_deadline(run, {"deadline": moment, **changes}))

    def logs(
        self,
        run: str,
        *,
        follow: bool = False,
        attempt: int | None = None,
        since: datetime | None = None,
        poll: float = POLL_SECONDS,
    ) -> Iterator[LogLine]:
        """Yield the lines of all attempts and hosts in the order of their times, each exactly once.

        ``follow`` goes on until the run has ended, across attempts. ``attempt`` and ``since`` leave out other lines.
        """
        reader = self.read_logs(attempt=attempt, since=since)
        last = self.get(run)
        if not follow:
            yield from reader.read(last, datetime.now(UTC) + timedelta(days=1))
            return
        for last in self.follow(run, poll=poll):
            yield from reader.read(last, datetime.now(UTC))
        while not reader.at_end(last):
            self._sleep(1)
            yield from reader.read(last, datetime.now(UTC))

    def read_logs(self, *, attempt: int | None = None, since: datetime | None = None) -> LogReader:
        """Return what reads the log of a run piece by piece, for programs that do something else in between."""
        client = self.session.create_client("logs", region_name=self.stack.region)
        return LogReader(CloudWatchStreams(client), attempt=attempt, since=since)

    def _find_made(self, name: Any, submitted_at: datetime) -> Run | None:
        """Return the run that a submission without an answer has made, or None if it made none."""
        if not isinstance(name, str) or not name:
            return None
        try:
            found = self.get(name)
        except (NoSuchRunError, UnreachableError):
            return None
        return found if found.created_at >= submitted_at - _CLOCKS_DIFFER else None


def _read_page(page: Mapping[str, Any]) -> tuple[Sequence[RunSummary], str | None]:
    return [RunSummary.from_document(each) for each in page["runs"]], page["next_token"]


def _read(read: Callable[[Mapping[str, Any]], Read], document: Mapping[str, Any]) -> Read:
    """Return what an answer says; an API of another version may answer something else."""
    try:
        return read(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreachableError(
            f"This client cannot read the API's answer ({type(error).__name__}: {error}). The stack may be of another "
            "version: `spot-relay doctor` compares them."
        ) from error
