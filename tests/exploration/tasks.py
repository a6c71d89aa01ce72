"""What functions are called for: a message of a queue or a user's request, by its effect on the service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.inbound import read_observation
from spot_relay.domain.run.observation import CanaryChanged, JobChanged, MoveRequested, PredecessorEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.submission import Submission
    from spot_relay.domain.sagemaker.job import Market
    from spot_relay.service import Service


@dataclass(frozen=True)
class Task:
    """One invocation of a function. Two tasks with the same ``name`` do the same."""

    name: str
    work: Callable[[Service], Any] = field(compare=False, repr=False)
    is_message: bool = field(default=True, compare=False)
    """Whether a queue delivers it again if the function fails; a user's request is gone then."""
    resumes: str | None = field(default=None, compare=False)
    """The run whose user asks for its resumption."""
    moves: str | None = field(default=None, compare=False)
    """The run whose user asks to move it."""
    is_of_chain: bool = field(default=False, compare=False)
    """Whether it is the news that another run has ended."""
    draws_an_id: bool = field(default=False, compare=False)
    """Whether each invocation draws a submission id of its own."""

    def again(self) -> Task:
        """Return the task for another invocation of the same."""
        return replace(self, name=f"{self.name}, again") if self.draws_an_id else self


@cache
def observe(body: str) -> Task | None:
    """Return the task of a message in the queue of the observe function, or None if nothing follows from it."""
    found = read_observation(body)
    if found is None:
        return None
    run_id, observation = found
    match observation:
        case JobChanged():
            what = f"attempt {observation.attempt} is {observation.secondary_status} ({observation.at:%H:%M:%S.%f})"
        case CanaryChanged():
            what = f"canary {observation.canary} is {observation.secondary_status}"
        case _:
            what = type(observation).__name__
    is_of_chain = isinstance(observation, PredecessorEnded)
    return Task(f"{run_id}: {what}", lambda service: service.advance(run_id, observation), is_of_chain=is_of_chain)


def submit(submission: Submission) -> Task:
    """Return the task of an uploaded spec."""
    return Task(f"submit {submission.name}", lambda service: _elsewhere(service).submit(submission), draws_an_id=True)


def stop(run_id: str) -> Task:
    """Return the task of a user's stop."""
    return Task(f"stop {run_id}", lambda service: _elsewhere(service).stop(run_id), is_message=False)


def resume(run_id: str) -> Task:
    """Return the task of a user's resumption."""

    def work(service: Service) -> Any:
        return _elsewhere(service).resume(run_id)

    return Task(f"resume {run_id}", work, is_message=False, resumes=run_id)


def move(run_id: str, market: Market) -> Task:
    """Return the task of a user's move."""
    request = MoveRequested(market)

    def work(service: Service) -> Any:
        return _elsewhere(service).change(run_id, request)

    return Task(f"move {run_id} to {market}", work, is_message=False, moves=run_id)


def _elsewhere(service: Service) -> Service:
    """Return the service of a function that may not touch models, endpoints and checkpoints."""
    return replace(service, hosting=None, copies=None)
