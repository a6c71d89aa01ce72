"""The worlds that plays begin in, drawn from the seed: what is submitted, with which policy, and how jobs fare."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from bench.descriptions import moment
from simulator.life.capacity import AlwaysAvailable
from simulator.life.job import Failure, Script, Secondary
from simulator.world.capacity import Interruption, ScriptedCapacity
from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.hosting import Deployment, OnSuccess, Registration
from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested, MoveRequested
from spot_relay.domain.run.policy import Backoff, Budgets, Deadline, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.run.start import OnFailure, Start
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Market, Placement, attempt_name, canary_name
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.sagemaker.request import CANARY_MAX_RUNTIME_SECONDS, max_runtime_of, placement_of
from spot_relay.domain.values import replace
from tests.fakes import NOON
from tests.simulation.hosting import GROUP, OTHERS

BUCKET = "s3://models"
M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
# Without a price on spot, it counts as dear as on demand.
P3 = "ml.p3.2xlarge"
PRICES = PriceList("a list", NOON, {M5: Price(0.23, 0.07), G5: Price(1.5, 0.5), P3: Price(3.8)})
_ON_DEMAND_FIRST = {
    kind: (Rung(Placement(kind, 1, Market.ON_DEMAND)), Rung(Placement(kind, 1, Market.SPOT))) for kind in (M5, G5, P3)
}
_REFUSALS = (
    Refusal.UNRECOGNIZED,
    Refusal.SHARED_QUOTA_FULL,
    Refusal.OTHER_QUOTA_FULL,
    Refusal.PLACEMENT_REJECTED,
    Refusal.QUOTA_TOO_SMALL,
)
# From this attempt on a job has capacity and ends well, so that every run comes to an end.
_LUCKY = 7
# A run that forgives so many expired waits gets no spot capacity at all, until it has had all its attempts.
_BARREN = MAX_ATTEMPTS + 10
_SERVICE_ERROR = "InternalServerError: We encountered an internal error.  Please try again."
_FAILURES = {
    "CapacityError: Unable to provision requested ML compute capacity.": 6,
    _SERVICE_ERROR: 3,
    "AlgorithmError: ExecuteUserScriptError: exit code 1": 2,
    "a text of tomorrow": 1,
}


@dataclass(frozen=True)
class World:
    """What a play begins with.

    ``delays`` are the seconds after which each submission comes, ``foreign`` names jobs of others that have the names
    of attempts or canaries, ``invalid`` says of which attempts' launches SageMaker can make nothing, and until when.
    ``refused`` says which launches it refuses for another reason if that fault strikes.
    """

    submissions: tuple[Submission, ...]
    delays: tuple[float, ...]
    limits: Limits
    check_every: float
    foreign: frozenset[str]
    invalid: dict[str, float]
    refused: dict[str, tuple[Refusal, float]]


def draw_world(seed: int) -> World:
    """Draw a world."""
    rng = Random(seed * 2)
    count = rng.choice((1, 1, 1, 2, 2, 3))
    shared = rng.random() < 0.1
    drawn = (draw_submission(rng, f"run-{number}", shares=shared) for number in range(1, count + 1))
    submissions = _chain(seed, tuple(_impatient(seed, _with_canary(seed, submission)) for submission in drawn))
    submissions = _limited(seed, tuple(_hosted(seed, submission) for submission in submissions))
    names = [attempt_name(submission.name, number) for submission in submissions for number in (1, 2, 3)]
    canaries = [canary_name(s.name, number) for s in submissions if s.policy.deadline for number in (1, 2, 3)]
    return World(
        submissions,
        tuple(0.0 if number == 0 else rng.choice((0.0, 5.0, 900.0)) for number in range(count)),
        Limits.parse(rng.choice(("", "", "", f"{M5}=1", "*=2"))),
        rng.choice((900.0, 1800.0, 3600.0)),
        frozenset(
            [*(name for name in names if rng.random() < 0.01), *(name for name in canaries if rng.random() < 0.4)]
        ),
        {name: rng.uniform(0, 20_000) for name in names if rng.random() < 0.01},
        _refused(Random(f"{seed}/refused"), names),
    )


def _refused(rng: Random, names: list[str]) -> dict[str, tuple[Refusal, float]]:
    """Draw whose launches meet a quota that spans pools, an error that nobody knows, or a placement that is closed."""
    return {name: (rng.choice(_REFUSALS), rng.choice((60.0, 3000.0, 40_000.0))) for name in names if rng.random() < 0.2}


def is_timeless(world: World) -> bool:
    """Whether time alone changes nothing about how the world's runs end."""
    if world.foreign or world.invalid or any(submission.start for submission in world.submissions):
        return False
    if any(s.policy.budgets.refusals < Budgets().refusals for s in world.submissions):
        return False
    endpoints = [s.on_success.deploy.endpoint for s in world.submissions if s.on_success.deploy]
    if len(set(endpoints)) < len(endpoints):
        return False
    prefixes = {_prefix(submission) for submission in world.submissions}
    return len(prefixes) == len(world.submissions) and all(s.policy.deadline is None for s in world.submissions)


def draw_script(seed: int, run_id: str, number: int, policy: Policy, *, spot: bool) -> Script:
    """Draw how the job of an attempt fares: by who it is alone, so that it fares alike whenever it is created.

    Runs with a deadline have more to do: else they are done before any rule of theirs can fire.
    """
    rng = Random(f"{seed}/{run_id}/{number}")
    barren = policy.budgets.expired_waits == _BARREN
    lucky = number >= _LUCKY and not barren
    first = 0.0 if lucky else None if barren else rng.choice((0.0, 0.0, 5.0, 300.0, 2000.0, None))
    interruptions = tuple(
        Interruption(rng.choice((23.0, 137.0, 733.0)), 600.0 if lucky else rng.choice((60.0, 600.0, 3000.0, None)))
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))
    )
    failure = None
    if rng.random() < 0.3 and not lucky and not barren:
        reason = rng.choices(list(_FAILURES), list(_FAILURES.values()))[0]
        early = reason.startswith("CapacityError")
        failure = Failure(reason, Secondary.STARTING if early else Secondary.TRAINING, rng.choice((0.0, 5.0, 250.0)))
    if policy.ladder in _ON_DEMAND_FIRST.values() and not spot and not lucky and rng.random() < 0.3:
        # Late enough for a canary to be on its way.
        failure = Failure(_SERVICE_ERROR, Secondary.TRAINING, rng.choice((250.0, 450.0, 900.0)))
    return Script(
        starting=rng.choice((1.0, 30.0)),
        downloading=rng.choice((1.0, 60.0)),
        uploading=rng.choice((1.0, 20.0)),
        stopping=rng.choice((1.0, 100.0)),
        train_seconds=_work(seed, run_id, hurried=policy.deadline is not None),
        checkpoint_every=100.0,
        failure=failure,
        capacity=ScriptedCapacity(first, interruptions) if spot else AlwaysAvailable(),
    )


def draw_move(rng: Random) -> MoveRequested:
    """Draw where a user moves a run."""
    return MoveRequested(rng.choice(list(Market)))


def draw_deadline(rng: Random) -> DeadlineRequested:
    """Draw which deadline a user wants for a run: too early, tight or easy, for an instant or none."""
    expected = rng.choice((None, 3000, 6000))
    seconds = rng.choice((300, 2000, 4000, 7000, 20_000))
    change = rng.choice(
        (
            DeadlineChange(within_seconds=seconds, expected_runtime_seconds=expected),
            DeadlineChange(at=moment(seconds + 4000.0), expected_runtime_seconds=expected),
            DeadlineChange(changeover_seconds=60, return_to_spot=rng.choice(list(ReturnToSpot))),
            None,
        )
    )
    return DeadlineRequested(change)


def canary_script(seed: int, run_id: str, number: int) -> Script:
    """Draw how a canary fares."""
    rng = Random(f"{seed}/{run_id}/canary/{number}")
    capacity = ScriptedCapacity(rng.choice((0.0, 60.0, 900.0, None)))
    return Script(starting=5.0, downloading=5.0, uploading=1.0, stopping=5.0, train_seconds=600.0, capacity=capacity)


def _work(seed: int, run_id: str, *, hurried: bool) -> float:
    amounts = (1500.0, 3000.0, 5500.0) if hurried else (60.0, 500.0, 1500.0)
    return Random(f"{seed}/{run_id}/work").choice(amounts)


def _prefix(submission: Submission) -> str:
    uri: str = submission.training_job.get("CheckpointConfig", {}).get("S3Uri", submission.name)
    return uri


def draw_submission(rng: Random, name: str, *, shares: bool = False) -> Submission:
    """Draw what a user submits, by itself."""
    spot, kind = rng.random() < 0.85, rng.choice((M5, M5, G5))
    keeps = rng.random() < 0.92
    deadline = _deadline(rng) if keeps and rng.random() < 0.25 else None
    runtime = rng.choice((400, 1200, 4000)) if deadline is None else rng.choice((4000, 9000))
    barren = spot and keeps and runtime == 400 and rng.random() < 0.02
    stopping = {"MaxRuntimeInSeconds": runtime}
    if spot:
        stopping["MaxWaitTimeInSeconds"] = runtime + rng.choice((0, 600, 4000))
    job: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn:1"},
        "RoleArn": "arn:aws:iam::111122223333:role/training",
        "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/output"},
        "ResourceConfig": {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": stopping,
    }
    if spot:
        job["EnableManagedSpotTraining"] = True
    if keeps:
        job["CheckpointConfig"] = {"S3Uri": f"{BUCKET}/{'shared' if shares else name}/"}
    policy = _policy(rng, placement_of(job), runtime, deadline, keeps=keeps)
    if barren:
        policy = Policy(Budgets(expired_waits=_BARREN))
    return Submission(name, job, policy, fingerprint=f"{name} of its spec", task_token=f"{name}/first")


def _policy(rng: Random, own: Placement, runtime: int, deadline: Deadline | None, *, keeps: bool) -> Policy:
    ladder = _ladder(rng, own.instance_type, hurried=deadline is not None)
    budgets = Budgets(
        expired_waits=rng.choice((0, 1, 3, 10)),
        capacity_failures=rng.choice((0, 2, 20)),
        service_errors=rng.choice((0, 1, 5)),
        user_errors=rng.choice((0, 0, 2)),
        attempts_without_progress=rng.choice((0, 1, 2)),
        money_usd=_money(rng, [rung.placement for rung in ladder] or [own], runtime) if rng.random() < 0.2 else None,
    )
    return Policy(
        budgets=budgets,
        backoff=Backoff(base_seconds=rng.choice((1, 30)), max_seconds=rng.choice((60, 900))),
        restart_from_scratch=not keeps and rng.random() < 0.5,
        relaunch_on_max_runtime=rng.random() < 0.4,
        ladder=ladder,
        deadline=deadline,
    )


def _money(rng: Random, placements: list[Placement], runtime: int) -> float:
    """Draw a budget that some runs use up: a little more than the dearest attempt may cost, or a few times that."""
    dearest = max(PRICES.by_instance_type[where.instance_type].usd_per_hour(where.market) for where in placements)
    return rng.choice((1.02, 1.3, 3.0)) * runtime * dearest / 3600


def _impatient(seed: int, submission: Submission) -> Submission:
    """Let some runs give up after a few refusals in a row."""
    rng = Random(f"{seed}/{submission.name}/refusals")
    if rng.random() >= 0.1:
        return submission
    policy = submission.policy
    budgets = replace(policy.budgets, refusals=rng.choice((0, 1, 4)))
    return replace(submission, policy=replace(policy, budgets=budgets))


def _chain(seed: int, submissions: tuple[Submission, ...]) -> tuple[Submission, ...]:
    """Let some runs come after others, or begin at a time; in rare worlds each of two comes after the other."""
    rng = Random(f"{seed}/chain")
    names = [submission.name for submission in submissions]
    chained = []
    for index, submission in enumerate(submissions):
        others = names[:index] if rng.random() < 0.4 else [names[-1]] if index == 0 and rng.random() < 0.03 else []
        start = Start(
            at=moment(rng.choice((30.0, 3000.0))) if rng.random() < 0.05 else None,
            after=tuple(name for name in others if name != submission.name),
            on_failure=rng.choice(list(OnFailure)),
            known_within_seconds=rng.choice((None, 600, 5000)),
        )
        if start.after and rng.random() < 0.3:
            keeps = "CheckpointConfig" in submission.training_job
            copies = keeps and Random(f"{seed}/{submission.name}/copy").random() < 0.6
            start = replace(start, continue_from=start.after[0], checkpoint=copies)
        chained.append(replace(submission, start=start) if start else submission)
    return tuple(chained)


def _limited(seed: int, submissions: tuple[Submission, ...]) -> tuple[Submission, ...]:
    """Let the runs of some worlds be of one template, of which only one may be under way."""
    if len(submissions) == 1 or Random(f"{seed}/limited").random() >= 0.08:
        return submissions
    return tuple(
        replace(submission, start=replace(submission.start, template="templates/mine.yaml", at_most=1))
        for submission in submissions
    )


def _hosted(seed: int, submission: Submission) -> Submission:
    """Let some runs have their models registered or deployed: to an endpoint of their own, a common one, or others'."""
    is_common = Random(f"{seed}/hosting").random() < 0.25
    rng = Random(f"{seed}/{submission.name}/hosting")
    if rng.random() >= 0.3 and not is_common:
        return submission
    image, role = "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn:1", "arn:aws:iam::111122223333:role/training"
    own = f"{submission.name}-live"
    endpoint = "live" if is_common else rng.choice((own, own, own, OTHERS))
    wanted = OnSuccess(
        Registration(GROUP, image) if rng.random() < 0.5 else None,
        Deployment(endpoint, image, role, instance_type=M5) if rng.random() < 0.8 else None,
    )
    return replace(submission, on_success=wanted)


def _with_canary(seed: int, submission: Submission) -> Submission:
    """Let some runs with a deadline begin on demand, with time to return to spot and hardly the money to do so.

    It is enough for one attempt, a canary, and a little that an attempt may cost before it fails.
    """
    policy, rng = submission.policy, Random(f"{seed}/{submission.name}/canary")
    if policy.deadline is None or rng.random() < 0.4:
        return submission
    job = submission.training_job
    job = job | {"ResourceConfig": job["ResourceConfig"] | {"InstanceType": P3}}
    deadline = replace(policy.deadline, within_seconds=30_000, return_to_spot=ReturnToSpot.CANARY)
    seconds = max_runtime_of(job) + rng.choice((1.02, 1.5)) * CANARY_MAX_RUNTIME_SECONDS
    money = seconds * PRICES.by_instance_type[P3].on_demand_usd / 3600
    budgets = replace(policy.budgets, money_usd=money, service_errors=5)
    changed = replace(policy, budgets=budgets, deadline=deadline, ladder=_ON_DEMAND_FIRST[P3])
    return replace(submission, training_job=job, policy=changed)


def _ladder(rng: Random, kind: str, *, hurried: bool) -> tuple[Rung, ...]:
    """Draw a ladder; a run with a deadline may begin on demand, from where a canary brings it to spot."""
    if hurried and rng.random() < 0.3:
        return _ON_DEMAND_FIRST[kind]
    if rng.random() < 0.65:
        return ()
    other = G5 if kind == M5 else M5
    rungs = (
        Rung(Placement(kind, 1, Market.SPOT), rng.choice((1, 2))),
        Rung(Placement(other, 1, Market.SPOT)),
        Rung(Placement(kind, 1, Market.ON_DEMAND)),
    )
    return rungs[: rng.choice((2, 3))]


def _deadline(rng: Random) -> Deadline:
    expected = rng.choice((3000, 6000))
    return Deadline(
        expected_runtime_seconds=expected,
        within_seconds=expected + rng.choice((700, 3000, 6000, 20_000)),
        changeover_seconds=rng.choice((60, 60, 600)),
        return_to_spot=rng.choice((ReturnToSpot.CANARY, ReturnToSpot.CANARY, ReturnToSpot.BLIND, ReturnToSpot.NEVER)),
    )
