"""A router for each region: a run lives in the region whose SageMaker it was created in."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from spot_relay_client import stack as stacks
from spot_relay_client.api import Api
from spot_relay_client.sagemaker.router import Router

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session


class Routers:
    """The routers of a session, by region."""

    def __init__(self, session: Session, stack: str | None, policy: Mapping[str, Any], *, all_jobs: bool) -> None:
        self._session = session
        self._stack = stack
        self._policy = policy
        self._all_jobs = all_jobs
        self._routers: dict[str, Router] = {}
        self._apis: dict[str, Api] = {}
        self._lock = Lock()

    def of(self, region: str) -> Router:
        """Return the router of a region; it looks for the stack there when it first needs it."""
        with self._lock:
            if region not in self._routers:
                find = partial(self._find_api, region)
                self._routers[region] = Router(find, self._policy, all_jobs=self._all_jobs)
            return self._routers[region]

    def _find_api(self, region: str) -> Api:
        with self._lock:
            if region not in self._apis:
                stack = stacks.find(self._session, self._stack, region=region)
                self._apis[region] = Api(self._session, stack.api_url, region)
            return self._apis[region]
