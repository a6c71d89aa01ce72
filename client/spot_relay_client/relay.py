"""The runs of one stack, for Python programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.session import Session

from spot_relay_client import stack as stacks
from spot_relay_client.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


class SpotRelay:
    """The runs of one stack.

    ``stack`` is the name of the stack, by default that of SPOT_RELAY_STACK or else ``spot-relay``. ``session`` is a
    session of boto3 or botocore; by default the usual AWS configuration holds.
    """

    def __init__(self, stack: str | None = None, *, session: Any = None) -> None:
        # A session of boto3 wraps one of botocore.
        core: Session = getattr(session, "_session", session) or Session()
        self.stack = stacks.find(core, stack)
        self.api = Api(core, self.stack.api_url, self.stack.region)

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Submit a spec, and return the run. The same spec again is the same run."""
        return self.api.submit(spec)

    def get(self, run: str) -> dict[str, Any]:
        """Return a run as it is now."""
        return self.api.show(run)

    def list(self, status: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield all runs, newest first."""
        token = None
        while True:
            page = self.api.list(status=status, token=token)
            yield from page["runs"]
            token = page["next_token"]
            if token is None:
                return

    def stop(self, run: str) -> dict[str, Any]:
        """Stop a run for good."""
        return self.api.stop(run)

    def resume(self, run: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Resume a run that failed or was stopped."""
        return self.api.resume(run, changes or {})
