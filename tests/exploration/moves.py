"""What can happen next in a world: a function makes its next call or dies, a message arrives, a job moves on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf
from typing import TYPE_CHECKING

from bench.descriptions import BEGINNING
from simulator import life
from spot_relay.adapters.inbound import write_run_due
from spot_relay.domain.errors import CallerError
from spot_relay.domain.run.run import TICK
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.ports import ConflictError, RunExistsError
from spot_relay.service import NotPublishedError
from tests.exploration.programs import Answer, Call, Place
from tests.exploration.tasks import observe
from tests.exploration.world import Message, Worker
from tests.simulation.sagemaker import CallError
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from tests.exploration.world import World

# As many functions work at once.
WORKERS = 2
# Changes of jobs that come due so soon can happen before, between or after the calls of a function.
_SOON = 0.01
# How long a queue hides a message whose function has failed, and how long a pause is: a function may run for 60 s.
VISIBILITY, PAUSE = 360.0, 55.0
_TICK = TICK.total_seconds()
# Calls whose order makes no difference to anybody: what they change is compared at the end alone, and only grows.
_AT_ONCE = frozenset({("announcements", "announce"), ("telemetry", "measure"), ("checkpoints", "find_newest")})
_LOST = "the call was carried out, and its answer was lost"


class Kind(StrEnum):
    """The kinds of moves."""

    CALL = "call"
    LOSE = "answer lost"
    CRASH = "crash"
    DELIVER = "deliver"
    DUPLICATE = "deliver twice"
    DROP = "lose a message"
    TICK = "tick"
    JOB = "job"
    LEAP = "time passes"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Move:
    """One step: of the worker, the message, the run or the job that ``which`` names."""

    kind: Kind
    which: int | str = 0


def list_moves(world: World) -> list[Move]:
    """Return everything that can happen next."""
    workers = world.workers
    for index, worker in enumerate(workers):
        if _is_at_once(world, worker.place):
            return _moves_of(world, index, worker)
    moves: list[Move] = []
    for index, worker in enumerate(workers):
        if worker not in workers[:index]:
            moves += _moves_of(world, index, worker)
    if len(workers) < WORKERS:
        moves += _arrivals(world)
    soon = world.now + _SOON
    moves += [Move(Kind.JOB, name) for name, at in _job_times(world).items() if at <= soon]
    if not workers and world.allowance.leaps and next_moment(world) < inf:
        moves.append(Move(Kind.LEAP))
    if workers and world.allowance.pauses:
        moves.append(Move(Kind.PAUSE))
    return moves


def make(world: World, move: Move) -> World:
    """Return the world after a move. ViolationError where an invariant does not hold."""
    after = world.fork() if _is_deep(world, move) else world.glance()
    match move.kind:
        case Kind.CALL:
            _call(after, int(move.which))
        case Kind.LOSE:
            _call(after, int(move.which), loses=True)
        case Kind.CRASH:
            _spend(after, "crashes")
            _leave(after, int(move.which), failed=True)
        case Kind.DELIVER:
            deliver(after, int(move.which))
        case Kind.DUPLICATE | Kind.DROP:
            _misdeliver(after, int(move.which), twice=move.kind is Kind.DUPLICATE)
        case Kind.TICK:
            tick(after, str(move.which))
        case Kind.JOB:
            after.move(after.sagemaker.jobs[str(move.which)], _job_times(after)[str(move.which)])
        case Kind.LEAP:
            _spend(after, "leaps")
            after.pass_to(next_moment(after))
        case Kind.PAUSE:
            _spend(after, "pauses")
            after.pass_to(after.now + PAUSE)
    return after


def _is_deep(world: World, move: Move) -> bool:
    match move.kind:
        case Kind.CALL | Kind.LOSE:
            return world.is_deep(world.workers[int(move.which)].place.call)
        case Kind.DELIVER | Kind.DUPLICATE:
            return world.is_deep(world.programs.begin(world.queue[int(move.which)].task).call)
        case Kind.CRASH | Kind.DROP:
            return False
    return True


def deliver(world: World, index: int) -> None:
    """Let a function take a message from its queue and make its first call."""
    message = world.queue[index]
    world.queue = (*world.queue[:index], *world.queue[index + 1 :])
    _start(world, world.programs.begin(message.task))


def _misdeliver(world: World, index: int, *, twice: bool) -> None:
    """Let a message arrive and be delivered once more, or never arrive."""
    _spend(world, "duplicates" if twice else "drops")
    message = world.queue[index]
    if twice:
        deliver(world, index)
        world.put(Message(message.task.again(), message.visible_at))
    else:
        world.queue = (*world.queue[:index], *world.queue[index + 1 :])


def tick(world: World, run_id: str) -> None:
    """Let the tick find a run that is due, and a function take the message of it."""
    task = observe(write_run_due(run_id))
    assert task is not None
    world.ticked = world.ticked | {run_id: world.clock}
    _start(world, world.programs.begin(task))


def due_runs(world: World) -> list[str]:
    """Return the runs that a tick finds: each tick finds a run once, and ticks are a minute apart."""
    return [run_id for run_id in world.due() if world.clock >= world.ticked.get(run_id, -inf) + _TICK]


def next_moment(world: World, *, ticks: bool = True) -> float:
    """Return when something next happens that time alone brings, or infinity."""
    moments = [*_job_times(world).values(), *(m.visible_at for m in world.queue if m.visible_at > world.clock)]
    for run in world.store.runs.values() if ticks else ():
        if run.due_at is not None:
            due = ceil((run.due_at - BEGINNING).total_seconds())
            moments.append(max(due, world.ticked.get(run.id, -inf) + _TICK))
    return min(moments, default=inf)


def run_on(world: World) -> None:
    """Let all functions go on to their ends, one after another."""
    while world.workers:
        _call(world, len(world.workers) - 1)


def move_next_job(world: World) -> bool:
    """Let the job move on that is due, if one is."""
    for name, at in _job_times(world).items():
        if at <= world.now + _SOON:
            world.move(world.sagemaker.jobs[name], at)
            return True
    return False


def _moves_of(world: World, index: int, worker: Worker) -> list[Move]:
    moves = [Move(Kind.CALL, index)]
    call = worker.place.call
    if world.allowance.lost and call is not None and call.is_effect:
        moves.append(Move(Kind.LOSE, index))
    # Dying after a call that has no effect is the same as dying before it.
    if world.allowance.crashes and worker.place.is_after_effect:
        moves.append(Move(Kind.CRASH, index))
    return moves


def _arrivals(world: World) -> list[Move]:
    moves = []
    for index, message in enumerate(world.queue):
        if message.visible_at <= world.clock and message not in world.queue[:index]:
            moves.append(Move(Kind.DELIVER, index))
            if world.allowance.duplicates:
                moves.append(Move(Kind.DUPLICATE, index))
            if world.allowance.drops and message.task.is_of_chain:
                moves.append(Move(Kind.DROP, index))
    return moves + [Move(Kind.TICK, run_id) for run_id in due_runs(world)]


def _is_at_once(world: World, place: Place) -> bool:
    call = place.call
    if call is None:
        return False
    # Nothing but a pause makes a difference to the time that a function reads.
    return call[:2] in _AT_ONCE or (call.port == "clock" and not world.allowance.pauses)


def _job_times(world: World) -> dict[str, float]:
    due = ((job.name, life.next_due(job.life)) for job in world.sagemaker.jobs.values() if not job.ended)
    return {name: at for name, at in due if at is not None}


def _spend(world: World, name: str) -> None:
    world.allowance = world.allowance.spend(name)


def _start(world: World, place: Place) -> None:
    world.workers = (*world.workers, Worker(place, world.clock))
    _settle(world, len(world.workers) - 1)
    _call(world, len(world.workers) - 1)


def _call(world: World, index: int, *, loses: bool = False) -> None:
    """Let a function make its next call."""
    worker = world.workers[index]
    call = worker.place.call
    assert call is not None
    answer = world.answer(call)
    if loses and answer.error is None:
        _spend(world, "lost")
        answer = _lose(call)
    place = world.programs.follow(worker.place, answer)
    world.workers = (*world.workers[:index], Worker(place, worker.started_at), *world.workers[index + 1 :])
    _settle(world, index)


def _settle(world: World, index: int) -> None:
    """Let a function go that has come to its end."""
    place = world.workers[index].place
    if place.call is None:
        error = place.answer.error
        if error is not None and not isinstance(error, CallerError | CallError | ConflictError | NotPublishedError):
            text = f"{place.task.name} raised {type(error).__name__}: {error}"
            raise ViolationError(2, text) from error
        _leave(world, index, failed=error is not None and not isinstance(error, CallerError))


def _leave(world: World, index: int, *, failed: bool) -> None:
    place, started_at = world.workers[index]
    world.workers = (*world.workers[:index], *world.workers[index + 1 :])
    if failed and place.task.is_message:
        world.put(Message(place.task.again(), started_at + VISIBILITY))


def _lose(call: Call) -> Answer:
    """Return what a function sees when a call has taken effect and its answer is lost, as the adapters show it."""
    match call:
        case ("jobs", "create", _):
            return Answer(NotCreated(_LOST, Refusal.UNAVAILABLE))
        case ("store", "create", (run, *_)):
            # The SDK tries again, and the second try meets what the first one has written.
            return Answer(error=RunExistsError(run.id))
        case ("store", "save" | "reopen", (run, *_)):
            return Answer(error=ConflictError(run.id))
    return Answer(error=CallError(f"{call.port}.{call.method}: {_LOST}"))
