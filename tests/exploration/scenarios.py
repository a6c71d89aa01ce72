"""The scenarios: in each, two or more things that happen to a run at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.life.job import Script, Secondary
from simulator.world.capacity import ScriptedCapacity
from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.hosting import Deployment, OnSuccess
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, Rung
from spot_relay.domain.run.start import Start
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Market, Placement, Pool
from spot_relay.domain.values import replace
from tests.exploration.closing import deliver_next, pass_until
from tests.exploration.hosting import DEPLOYS_FOR
from tests.exploration.scope import Allowance, Scenario
from tests.exploration.tasks import move, observe, resume, stop, submit
from tests.exploration.world import Message
from tests.simulation.worlds import BUCKET, M5

if TYPE_CHECKING:
    from tests.exploration.tasks import Task
    from tests.exploration.world import World

# Phases that are over as soon as the exploration wants, that it skips, and that are over after its end.
_SOON, _AT_ONCE, _LATER = 0.001, 0.0, 5.0
_MAX_RUNTIME, _MAX_WAIT = 3600, 7200
_TRAINING = 1000.0
_NEVER = ScriptedCapacity(None)
# When a run on demand is first looked at, and how long one that is behind its pace waits for spot capacity.
_LOOK, _SENSED = 60.0, 1250.0
# Enough for an attempt on demand, a canary and an attempt on spot: 0.23, 0.01 and 0.07 USD at most.
_MONEY = 0.5


def _spec(name: str, policy: Policy | None = None, prefix: str | None = None, *, spot: bool = True) -> Submission:
    stopping = {"MaxRuntimeInSeconds": _MAX_RUNTIME}
    job: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn:1"},
        "RoleArn": "arn:aws:iam::111122223333:role/training",
        "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": M5, "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": stopping,
        "CheckpointConfig": {"S3Uri": f"{BUCKET}/{prefix or name}/"},
    }
    if spot:
        stopping["MaxWaitTimeInSeconds"] = _MAX_WAIT
        job["EnableManagedSpotTraining"] = True
    return Submission(name, job, policy or _TWO_ATTEMPTS, fingerprint=name)


_TWO_ATTEMPTS = Policy(Budgets(expired_waits=1, capacity_failures=1, user_errors=0), Backoff(1, 1))


def _script(trains: float = _TRAINING, starting: float = _LATER, **changes: Any) -> Script:
    return Script(
        starting=starting, downloading=_AT_ONCE, uploading=_AT_ONCE, stopping=_SOON, train_seconds=trains, **changes
    )


def _trains(run_id: str, number: int, is_canary: bool) -> Script:
    return _script()


def _begins(run_id: str, number: int, is_canary: bool) -> Script:
    return _script(starting=_SOON)


def _first_waits(run_id: str, number: int, is_canary: bool) -> Script:
    """Let the first attempt wait for capacity for ever."""
    return _script(capacity=_NEVER) if number == 1 else _script()


def _queue(world: World, *tasks: Task) -> None:
    for task in tasks:
        world.put(Message(task, world.clock))


def _submitted(world: World, *submissions: Submission) -> None:
    for submission in submissions:
        _queue(world, submit(submission))
        pass_until(world, world.now + _SOON)


def _submissions(world: World) -> None:
    _queue(world, submit(_spec("run-1")), submit(_spec("run-1")).again(), submit(_spec("run-2", prefix="run-1")))


def _launch_and_stop(world: World) -> None:
    _queue(world, submit(_spec("run-1")), stop("run-1"))


def _expires(world: World) -> None:
    """Let MaxWait be about to expire."""
    _submitted(world, _spec("run-1"))
    pass_until(world, _MAX_WAIT - 1.0)
    world.pass_to(_MAX_WAIT)


def _expires_and_stop(world: World) -> None:
    _expires(world)
    _queue(world, stop("run-1"))


def _ends_and_stop(world: World) -> None:
    """Let the training be about to end."""
    _ends(world, _spec("run-1"))
    _queue(world, stop("run-1"))


def _launch_and_move(world: World) -> None:
    _queue(world, submit(_spec("run-1")), move("run-1", Market.ON_DEMAND))


def _ends_and_move(world: World) -> None:
    """Let the training be about to end."""
    _ends(world, _spec("run-1"))
    _queue(world, move("run-1", Market.ON_DEMAND))


def _room(world: World) -> None:
    """Let the first of three runs be about to end, and the second wait for its room."""
    _submitted(world, _spec("run-1"), _spec("run-2"))
    pass_until(world, _TRAINING)
    world.pass_to(_TRAINING + _LATER)
    _queue(world, submit(_spec("run-3")))


def _after(name: str, other: str, *, copies: bool = False) -> Submission:
    start = Start(after=(other,), continue_from=other if copies else None, checkpoint=copies)
    return replace(_spec(name), start=start)


def _ends(world: World, *submissions: Submission) -> None:
    """Let the training of the first run be about to end, and the others be submitted."""
    _submitted(world, *submissions)
    pass_until(world, _TRAINING)
    world.pass_to(_TRAINING + _LATER)


def _without_ticks(world: World, *names: str) -> None:
    """Let no tick find these runs before the quiet end: each would be one more function beside those that are tried."""
    world.ticked = world.ticked | dict.fromkeys(names, world.clock)


def _follower(world: World) -> None:
    _ends(world, _spec("run-1"))
    _queue(world, submit(_after("run-2", "run-1")))
    _without_ticks(world, "run-1", "run-2")


def _wake_up(world: World) -> None:
    _ends(world, _spec("run-1"), _after("run-2", "run-1"))
    _queue(world, stop("run-2"))
    _without_ticks(world, "run-1", "run-2")


def _followers(world: World) -> None:
    """Let two runs wait for one, which each call of a function tells one of."""
    _ends(world, _spec("run-1"), _after("run-2", "run-1"), _after("run-3", "run-1"))
    _without_ticks(world, "run-1", "run-2", "run-3")


def _copy(world: World, checkpoints: int = 2) -> None:
    """Let a run have left checkpoints, which another one is to continue from. Each call copies one."""
    _submitted(world, _spec("run-1"))
    for number in range(1, checkpoints + 1):
        world.checkpoints.write(f"{BUCKET}/run-1/", number, 100.0 * number)
    pass_until(world, 2 * _TRAINING)
    _queue(world, submit(_after("run-2", "run-1", copies=True)))
    deliver_next(world)
    _without_ticks(world, "run-2")


def _copy_and_stop(world: World) -> None:
    _copy(world, 1)
    _queue(world, stop("run-2"))


def _deployment(world: World) -> None:
    """Let the training of a run be about to end whose model is to be deployed."""
    image, role = "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn:1", "arn:aws:iam::111122223333:role/training"
    deployed = OnSuccess(deploy=Deployment("live", image, role, instance_type=M5))
    _ends(world, replace(_spec("run-1"), on_success=deployed))
    _without_ticks(world, "run-1")
    body = (
        '{"source":"aws.sagemaker","detail-type":"SageMaker Endpoint State Change","time":"","detail":'
        '{"EndpointName":"live","EndpointConfigName":"run-1-relay-01","EndpointStatus":"IN_SERVICE"}}'
    )
    if (event := observe(body)) is not None:
        world.put(Message(event, world.clock + DEPLOYS_FOR.total_seconds()))


def _resumption(world: World) -> None:
    """Let a run have been stopped before the event of its job's end arrives; somebody else wants its prefix."""
    _submitted(world, _spec("run-1"))
    pass_until(world, _TRAINING / 2)
    _queue(world, stop("run-1"))
    deliver_next(world)
    pass_until(world, _TRAINING, events=False)
    _queue(world, resume("run-1"), submit(_spec("run-2", prefix="run-1")))


def _hurried(within: int, *ladder: Rung, **budgets: Any) -> Policy:
    deadline = Deadline(expected_runtime_seconds=3000, within_seconds=within, changeover_seconds=60)
    return Policy(Budgets(**budgets), Backoff(1, 1), deadline=deadline, ladder=ladder)


_ON_DEMAND_FIRST = (Rung(Placement(M5, 1, Market.ON_DEMAND)), Rung(Placement(M5, 1, Market.SPOT)))


def _canary(world: World) -> None:
    """Let a run on demand be about to send a canary."""
    _submitted(world, _spec("run-1", _hurried(20_000, *_ON_DEMAND_FIRST, money_usd=_MONEY)))
    pass_until(world, _LOOK - 1.0)
    world.pass_to(_LOOK)


def _canary_and_stop(world: World) -> None:
    _canary(world)
    _queue(world, stop("run-1"))


def _return_to_spot(world: World) -> None:
    """Let a canary have found capacity, and the training on demand be about to end."""
    _canary(world)
    pass_until(world, 2 * _LOOK - 1.0)
    world.pass_to(2 * _LOOK)


def _ends_on_demand(run_id: str, number: int, is_canary: bool) -> Script:
    """Let the first attempt end when the run may return to spot."""
    if is_canary:
        return _script(_TRAINING, _SOON)
    return _script(2 * _LOOK - _LATER if number == 1 else _TRAINING)


def _switch(world: World) -> None:
    """Let a run have waited so long for spot that it is to continue on demand."""
    _submitted(world, _spec("run-1", _hurried(5000)))
    pass_until(world, _SENSED - 1.0)
    world.pass_to(_SENSED)


def _waits(run_id: str, number: int, is_canary: bool) -> Script:
    """Let capacity come when the run is about to stop waiting for it."""
    return _script(starting=_SOON, capacity=ScriptedCapacity(_SENSED)) if number == 1 else _script()


SCENARIOS = (
    Scenario(
        "submissions",
        "one spec is uploaded twice, and another one with the same checkpoint prefix",
        _submissions,
        _trains,
    ),
    Scenario(
        "launch and stop",
        "a run is stopped while its first attempt is launched",
        _launch_and_stop,
        _trains,
        allowance=Allowance(leaps=1),
    ),
    Scenario(
        "launch and event",
        "the event of a job arrives while its launch is under way",
        lambda world: _queue(world, submit(_spec("run-1"))),
        _begins,
        frozenset({Secondary.TRAINING}),
        allowance=Allowance(leaps=1),
    ),
    Scenario(
        "expired wait",
        "MaxWait expires, and its event arrives with the tick",
        _expires,
        _first_waits,
        frozenset({Secondary.MAX_WAIT_TIME_EXCEEDED}),
    ),
    Scenario(
        "expired wait and stop",
        "MaxWait expires, and a user stops the run while it is relaunched",
        _expires_and_stop,
        _first_waits,
        frozenset({Secondary.MAX_WAIT_TIME_EXCEEDED}),
        check_every=5000.0,
    ),
    Scenario(
        "end and stop",
        "a user stops a run whose training is about to end",
        _ends_and_stop,
        _trains,
        frozenset({Secondary.COMPLETED, Secondary.STOPPED}),
    ),
    Scenario(
        "launch and move",
        "a run is moved to on-demand while its first attempt is launched",
        _launch_and_move,
        _trains,
        allowance=Allowance(leaps=1),
    ),
    Scenario(
        "end and move",
        "a user moves a run to on-demand whose training is about to end",
        _ends_and_move,
        _trains,
        frozenset({Secondary.COMPLETED, Secondary.STOPPED}),
    ),
    Scenario(
        "room",
        "one run ends, another waits for its room, and a third is submitted",
        _room,
        _trains,
        frozenset({Secondary.COMPLETED}),
        limits=Limits.parse(f"{M5}=1"),
    ),
    Scenario(
        "quota",
        "the same, where SageMaker's quota is full instead of the stack's limit",
        _room,
        _trains,
        frozenset({Secondary.COMPLETED}),
        quotas={Pool(M5, Market.SPOT): 1},
    ),
    Scenario(
        "follower",
        "a run ends while one that comes after it is submitted",
        _follower,
        _trains,
        frozenset({Secondary.COMPLETED}),
        allowance=Allowance(duplicates=0, lost=0, drops=1),
    ),
    Scenario(
        "wake-up and stop",
        "a run ends, and a user stops the one that it wakes",
        _wake_up,
        _trains,
        frozenset({Secondary.COMPLETED}),
        allowance=Allowance(crashes=0, lost=0, drops=1),
    ),
    Scenario(
        "followers",
        "a run ends that two others wait for, and each call of a function tells one of them",
        _followers,
        _trains,
        frozenset({Secondary.COMPLETED}),
        allowance=Allowance(duplicates=0, lost=0, drops=1),
    ),
    Scenario(
        "copy",
        "a run copies the checkpoints of another one in two calls of a function",
        _copy,
        _trains,
        allowance=Allowance(lost=0, leaps=1),
    ),
    Scenario(
        "copy and stop",
        "a run copies a checkpoint of another one, and a user stops it meanwhile",
        _copy_and_stop,
        _trains,
        allowance=Allowance(lost=0),
    ),
    Scenario(
        "deployment",
        "a training ends, and its model is deployed to an endpoint",
        _deployment,
        _trains,
        frozenset({Secondary.COMPLETED}),
    ),
    Scenario(
        "resumption",
        "a run is resumed while late events arrive, and another one wants its checkpoint prefix",
        _resumption,
        _trains,
        frozenset({Secondary.STOPPED}),
    ),
    Scenario(
        "canary and stop",
        "a user stops a run while it sends a canary",
        _canary_and_stop,
        _trains,
    ),
    Scenario(
        "canary",
        "a canary is sent and finds capacity, and the training on demand ends",
        _canary,
        _ends_on_demand,
        hears_canaries=frozenset({Secondary.TRAINING}),
        allowance=Allowance(leaps=1),
    ),
    Scenario(
        "return to spot",
        "a canary has found capacity when the training on demand ends",
        _return_to_spot,
        _ends_on_demand,
        frozenset({Secondary.STOPPED, Secondary.COMPLETED}),
    ),
    Scenario(
        "switch to on-demand",
        "spot capacity comes just when a run that is behind its pace is to continue on demand",
        _switch,
        _waits,
        frozenset({Secondary.TRAINING, Secondary.STOPPED}),
    ),
)
