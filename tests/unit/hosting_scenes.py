"""Scenes in which everything is said that can be said of models that are registered and deployed."""

from __future__ import annotations

from typing import Any

from spot_relay.domain.rules.hosting import MOST_TRIES
from spot_relay.domain.run.hosting import HostingKind, HostingStep, Made, OnSuccess, Unmade
from spot_relay.domain.run.observation import EndpointChanged, HostingAnswered
from tests.unit.hosted import DEPLOYMENT, Hosted

LIVE = "churn-live"


def said(hosted: Hosted) -> list[str]:
    """What was said of the run and of its model, since the beginning."""
    logged = [line.partition(": ")[2] for line in hosted.world.telemetry.reasons]
    return [*logged, *(entry.reason for run in hosted.world.store.runs.values() for entry in run.decisions)]


def deployed() -> Hosted:
    """A run that has completed and whose endpoint is being created."""
    hosted = Hosted(OnSuccess(deploy=DEPLOYMENT))
    hosted.completes()
    return hosted


def served() -> Hosted:
    """The endpoint of one run is being updated by another."""
    hosted = deployed()
    hosted.world.hosting.deploys(LIVE)
    hosted.told()
    hosted.world.clock.passes(60)
    hosted.completes("again")
    return hosted


def models_that_are_hosted() -> list[str]:
    """All goes well, or needs another try."""
    both, none, plain, slow = Hosted(), Hosted(), Hosted(OnSuccess()), Hosted(OnSuccess(deploy=DEPLOYMENT))
    both.completes()
    both.looks()
    both.world.hosting.deploys(LIVE)
    both.told()
    both.world.service.advance("churn", EndpointChanged())
    both.world.service.advance("churn", HostingAnswered(HostingKind.DEPLOY, HostingStep.FOLLOW, Made("arn")))
    none.completes(model=None)
    plain.completes()
    plain.world.service.advance("churn", EndpointChanged())
    slow.world.hosting.refusals = [Unmade("Rate exceeded", passes=True)] * MOST_TRIES
    slow.completes()
    while slow.task().is_open:
        slow.looks()
    failed = [task.reason for task in none.run().hosting]
    return [*(reason for hosted in (both, none, plain, slow) for reason in said(hosted)), *failed]


def endpoints_that_are_not_what_they_should_be() -> list[str]:
    """Endpoints that fail, that are somebody else's or another run's, or that are gone."""
    scenes = [_endpoint(*change) for change in _CHANGES]
    rolled_back, replaced, behind, slow, gone = served(), deployed(), deployed(), deployed(), deployed()
    rolled_back.world.clock.passes(60)
    rolled_back.world.hosting.rolls_back(LIVE)
    rolled_back.told("again")
    seen = rolled_back.task(name="again").replaces_since
    stale = served()
    stale.world.hosting.becomes(LIVE, "InService", pending_config_name=None, modified_at=seen)
    stale.told("again")
    replaced.world.hosting.becomes(LIVE, "InService", config_name="another")
    replaced.told()
    behind.completes("again")
    slow.world.clock.passes(24 * 3600)
    slow.told()
    del gone.world.hosting.endpoints[LIVE]
    gone.told()
    gone.world.clock.passes(300)
    gone.told()
    scenes += [rolled_back, stale, replaced, behind, slow, gone]
    return [reason for scene in scenes for reason in said(scene)]


_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Failed", {"failure_reason": "The container did not answer"}),
    ("Failed", {}),
    ("OutOfService", {}),
    ("InService", {"is_ours": False}),
)


def _endpoint(status: str, changes: dict[str, Any]) -> Hosted:
    hosted = deployed()
    hosted.world.hosting.becomes(LIVE, status, **changes)
    hosted.completes("again")
    return hosted
