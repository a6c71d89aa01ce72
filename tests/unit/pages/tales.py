"""Ten typical runs, each told through the real service until a moment at which somebody looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.report import status_document
from spot_relay.domain.values import replace
from tests.fakes import NOON, REGION
from tests.unit.worlds import PREFIX, World, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.submission import Submission

# The pages as they are kept.
KEPT = Path(__file__).parent / "kept"
HOUR, MINUTE = 3600, 60
G5, LARGER = "ml.g5.2xlarge", "ml.g5.4xlarge"
PRICES = PriceList(
    "the price list of us-east-1", NOON - timedelta(days=1), {G5: Price(1.515, 0.52), LARGER: Price(2.03, 0.7)}
)
FULL = (
    "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is 1 Instances, with current "
    "utilization of 1 Instances and a request delta of 1 Instances."
)
NO_CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
SIX_HOURS = 6 * HOUR


@dataclass
class Tale:
    """A run under way."""

    world: World = field(default_factory=World)
    saved: int = 0
    minutes: int = 0
    """How long the newest job has trained since its newest checkpoint."""
    look_every: int = 1
    """How many minutes lie between two ticks: more make a long tale short."""

    def begins(self, policy: Policy | None = None, start: Start | None = None, hours: int = 24) -> Tale:
        """Submit a run that may train for so many hours."""
        self.world.prices.write(PRICES)
        stopping = {"MaxRuntimeInSeconds": hours * HOUR, "MaxWaitTimeInSeconds": 2 * hours * HOUR}
        resources = {"InstanceType": G5, "InstanceCount": 1, "VolumeSizeInGB": 50}
        given: Submission = submission(policy, ResourceConfig=resources, StoppingCondition=stopping)
        self.world.service.submit(replace(given, start=start or Start()))
        return self

    def passes(self, minutes: float) -> None:
        """Let time pass with a tick each minute, and nothing else happen."""
        for _ in range(round(minutes / self.look_every)):
            self.world.clock.passes(self.look_every * MINUTE)
            self.world.tick()

    def tells(self, status: str, **changes: Any) -> None:
        """Let the newest job move on, with its event."""
        primary = {"Stopped": "Stopped", "Failed": "Failed", "Completed": "Completed"}
        ended = {"MaxWaitTimeExceeded": "Stopped"} | primary
        self.world.tell(self.world.run().current.number, ended.get(status, "InProgress"), status, **changes)

    def starts(self) -> None:
        """Let the newest job get capacity, download its data and begin to train."""
        self.tells("Downloading")
        self.passes(max(3, self.look_every))
        begun = self.world.run().current.training_started_at
        self.tells("Training", **({} if begun else {"training_started_at": self.world.clock()}))

    def trains(self, minutes: int, every: int = 15) -> None:
        """Let the newest job train for a while, and save a checkpoint every so many minutes."""
        for _ in range(minutes // self.look_every):
            self.passes(self.look_every)
            self.minutes += self.look_every
            if self.minutes % every == 0:
                self._save()

    def loses_capacity(self) -> None:
        """Let the newest job be interrupted."""
        self.minutes = 0
        self.tells("Interrupted")

    def ends(self, status: str, trained: int, billable: int, **changes: Any) -> None:
        """Let the newest job end after so many minutes of training, of which some are billed."""
        self.minutes = 0
        self.tells(status, training_seconds=trained * MINUTE, billable_seconds=billable * MINUTE, **changes)

    def _save(self) -> None:
        self.saved += 1
        key = f"churn/checkpoints/epoch={self.saved:03}.ckpt"
        found = Checkpoint(key, self.world.clock(), 1_340_000_000 + 1000 * self.saved)
        self.world.checkpoints.found.setdefault(PREFIX, []).append(found)


def hurry(hours: float, needs: float = 6, **policy: Any) -> Policy:
    """A policy with a deadline so many hours from the submission, for a run that needs some hours of training."""
    deadline = Deadline(round(needs * HOUR), within_seconds=round(hours * HOUR), changeover_seconds=300)
    return Policy(deadline=deadline, **policy)


def never_launched() -> Tale:
    """It comes after another run, and has a time before which it does not start."""
    tale = Tale().begins(hurry(12), Start(NOON + timedelta(hours=1), ("prepare-data",), known_within_seconds=HOUR))
    tale.passes(25)
    return tale


def first_attempt_training() -> Tale:
    """It trains on spot without a break, well before its deadline, within a money budget."""
    tale = Tale().begins(hurry(12, budgets=Budgets(money_usd=60)))
    tale.passes(9)
    tale.starts()
    tale.trains(225)
    return tale


def interrupted() -> Tale:
    """It has lost its capacity, after an hour and a half of training, and waits for more."""
    tale = Tale().begins(hurry(12))
    tale.passes(6)
    tale.starts()
    tale.trains(97)
    tale.loses_capacity()
    tale.passes(21)
    return tale


def waiting_in_the_queue() -> Tale:
    """The quota for its instances is full."""
    tale = Tale()
    tale.world.jobs.refusals = [(Refusal.QUOTA_FULL, FULL)] * 1000
    tale.begins(hurry(10))
    tale.passes(47)
    return tale


def on_demand_by_pace() -> Tale:
    """It had waited for spot so long that it fell behind its pace, and trains on-demand since."""
    tale = Tale().begins(hurry(11))
    tale.passes(4)
    tale.starts()
    tale.trains(64)
    tale.loses_capacity()
    for _ in range(600):
        if tale.world.run().current.switch_to is not None:
            break
        tale.passes(1)
    tale.ends("Stopped", 65, 65)
    tale.passes(4)
    tale.starts()
    tale.trains(45)
    return tale


def on_demand_by_the_safety_net() -> Tale:
    """It lost its capacity when there was no time left to wait, and trains on-demand until its end."""
    tale = Tale().begins(hurry(6.6))
    tale.starts()
    tale.trains(200)
    tale.loses_capacity()
    for _ in range(30):
        if tale.world.run().current.switch_to is not None:
            break
        tale.passes(1)
    tale.ends("Stopped", 200, 90)
    tale.passes(3)
    tale.starts()
    tale.trains(95)
    return tale


def canary_alongside() -> Tale:
    """It trains on-demand, ahead of its pace again, while a canary looks for spot capacity."""
    tale = on_demand_by_pace()
    for _ in range(240):
        if tale.world.run().canary is not None:
            break
        tale.trains(5)
    tale.trains(10)
    return tale


def failed_by_budget() -> Tale:
    """Its waits for capacity expired more often than its policy allows."""
    tale = Tale().begins(Policy(Budgets(expired_waits=2)), hours=2)
    tale.passes(5)
    tale.starts()
    tale.trains(52)
    tale.loses_capacity()
    for _ in range(3):
        tale.passes(180)
        tale.ends(
            "MaxWaitTimeExceeded",
            52 if tale.world.run().current.number == 1 else 0,
            19 if tale.world.run().current.number == 1 else 0,
        )
        tale.passes(2)
    return tale


def fifty_attempts() -> Tale:
    """It has had as many attempts as a run can have, with interruptions in most of them."""
    ladder = (Rung(Placement(G5, 1, Market.SPOT), 2), Rung(Placement(LARGER, 1, Market.SPOT)))
    policy = hurry(300, 90, ladder=ladder, budgets=Budgets(100, 100, 100, 100, 100), backoff=Backoff(30, 300))
    tale = Tale(look_every=15).begins(policy, hours=8)
    while tale.world.run().current.number < 50:
        number = tale.world.run().current.number
        tale.passes(10)
        if number % 4 == 3:
            tale.ends("Failed", 0, 0, failure_reason=NO_CAPACITY)
            tale.passes(10)
            continue
        tale.starts()
        for _ in range(number % 4):
            tale.trains(45)
            tale.loses_capacity()
            tale.passes(15)
            tale.starts()
        tale.trains(30)
        tale.loses_capacity()
        tale.passes(25)
        trained = 45 * (number % 4) + 30
        tale.ends("MaxWaitTimeExceeded", trained, trained // 3)
    tale.passes(4)
    tale.starts()
    tale.trains(50)
    return tale


def completed() -> Tale:
    """It was interrupted, changed its instance type once, and completed in time."""
    ladder = (Rung(Placement(G5, 1, Market.SPOT)), Rung(Placement(LARGER, 1, Market.SPOT)))
    tale = Tale().begins(hurry(11, 4, ladder=ladder, budgets=Budgets(money_usd=50)))
    tale.passes(12)
    tale.starts()
    tale.trains(71)
    tale.loses_capacity()
    tale.passes(14)
    tale.starts()
    tale.trains(40)
    tale.loses_capacity()
    tale.passes(31)
    tale.ends("Failed", 111, 39, failure_reason=NO_CAPACITY)
    tale.passes(3)
    tale.starts()
    tale.trains(133)
    tale.tells("Uploading")
    tale.passes(2)
    tale.ends("Completed", 136, 47, model_artifacts="s3://models/churn/output/churn-relay-02/output/model.tar.gz")
    return tale


TALES: tuple[Callable[[], Tale], ...] = (
    never_launched,
    first_attempt_training,
    interrupted,
    waiting_in_the_queue,
    on_demand_by_pace,
    on_demand_by_the_safety_net,
    canary_alongside,
    failed_by_budget,
    fifty_attempts,
    completed,
)


@cache
def document_of(tale: Callable[[], Tale]) -> tuple[dict[str, Any], datetime]:
    """The status document of a run at the end of its tale, as the API answers it, and the moment of that."""
    world = tale().world
    read: dict[str, Any] = json.loads(json.dumps(status_document(world.run(), REGION)))
    return read, world.clock()
