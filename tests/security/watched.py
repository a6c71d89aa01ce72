"""A stack whose functions have their roles' rights and no more: what IAM would refuse is refused, and all is noted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.fake_aws import SERVICES
from tests.integration.stack import Stack
from tests.security.calls import asked
from tests.security.policies import roles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.security.policies import Request

_EVENT = "before-parameter-build"


@dataclass
class Watch:
    """Who asks IAM for what, and what is refused."""

    made: list[tuple[str, Request]] = field(default_factory=list)
    refused: list[tuple[str, Request]] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    parameters: dict[str, str] = field(default_factory=dict)
    """The parameters with which the roles are made, where they are not the ones that use every statement."""
    _function: str = ""

    @contextmanager
    def of(self, function: str, *clients: Any) -> Iterator[None]:
        """Take every call of these clients for one of this function."""
        before, self._function = self._function, function
        for client in clients:
            client.meta.events.register_last(_EVENT, self._decide)
        try:
            yield
        finally:
            self._function = before
            for client in clients:
                client.meta.events.unregister(_EVENT, self._decide)

    def _decide(self, event_name: str, params: dict[str, Any], **_: Any) -> None:
        """Let a call pass, or answer it as AWS answers one that a role does not allow."""
        call = event_name.partition(".")[2]
        self.calls.add(call)
        for request in asked(call, params):
            if not roles(**self.parameters)[self._function].allows(request):
                self.refused.append((self._function, request))
                denial = {"Code": "AccessDenied", "Message": f"not authorized to perform: {request}"}
                raise ClientError({"Error": denial, "ResponseMetadata": {"HTTPStatusCode": 403}}, call)  # type: ignore[typeddict-item]
            self.made.append((self._function, request))


@dataclass
class WatchedStack(Stack):
    """A stack with IAM."""

    watch: Watch = field(default_factory=Watch)

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Load a function afresh and hand it an event; it may do what its role allows."""
        with self.watch.of(function, *(self.client(service) for service in SERVICES)):
            return super().invoke(function, event)

    @contextmanager
    def variable(self, name: str, value: str) -> Iterator[None]:
        """Have the functions find a variable in their environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            yield
