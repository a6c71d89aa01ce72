"""Worlds with prices, whose training jobs may cost no more than the run's money budget leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spot_relay.domain.run.launch import ATTEMPT_TAG, RUN_ID_TAG, Created, Launch
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.sagemaker.request import placement_of
from tests.fakes import NOON, MemoryPrices, MemoryRunStore, MemoryTrainingJobs
from tests.unit.worlds import World

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Placement
    from spot_relay.domain.sagemaker.refusal import NotCreated

HOUR = 3600
M5, P3 = "ml.m5.xlarge", "ml.p3.2xlarge"
PRICES = PriceList("a list", NOON, {M5: Price(0.24, 0.08), P3: Price(3.6, 1.2)})
ENDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "expired_waits": ("Stopped", "MaxWaitTimeExceeded", {}),
    "capacity_failures": ("Failed", "Failed", {"failure_reason": "CapacityError: Unable to provision."}),
    "service_errors": ("Failed", "Failed", {"failure_reason": "InternalServerError: We encountered"}),
    "user_errors": ("Failed", "Failed", {"failure_reason": "AlgorithmError: exit code 1"}),
}
TOO_SMALL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances."
)


@dataclass
class PricedJobs(MemoryTrainingJobs):
    """Jobs that may cost no more than the run's budget leaves; what they cost is told by their billable seconds."""

    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    placements: dict[str, Placement] = field(default_factory=dict)

    def create(self, launch: Launch) -> Created | NotCreated:
        known = launch.job_name in self.jobs
        answer = super().create(launch)
        if launch.job_name in self.jobs and not known and ATTEMPT_TAG in launch.tags:
            budget = self.store.runs[launch.tags[RUN_ID_TAG]].policy.budgets.money_usd
            placement = placement_of(launch.request)
            price = PRICES.by_instance_type[placement.instance_type].usd_per_hour(placement.market)
            worst = price * placement.instance_count
            assert budget is None or self.cost() + worst <= budget + 1e-6, "no attempt may exceed the budget"
            self.placements[launch.job_name] = placement
        return answer

    def cost(self) -> float:
        """What the jobs have cost, in USD."""
        return sum(
            (self.jobs[name].billable_seconds or 0)
            * placement.instance_count
            * PRICES.by_instance_type[placement.instance_type].on_demand_usd
            / HOUR
            for name, placement in self.placements.items()
        )


def priced() -> World:
    """A world whose stack knows the prices, and whose SageMaker holds every launch to them."""
    world = World(prices=MemoryPrices(PRICES))
    world.jobs = PricedJobs(world.clock, store=world.store)
    world.service = replace(world.service, jobs=world.jobs)
    return world
