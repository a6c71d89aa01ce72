"""One play: a stack, its users and its SageMaker on virtual time, with the faults of one seed, to the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from math import ceil, floor, inf
from random import Random
from typing import TYPE_CHECKING, Any

from bench.descriptions import BEGINNING, moment
from simulator.life.job import CheckpointWritten, StopRequested, Transitioned
from spot_relay.adapters.inbound import read_observation
from spot_relay.domain.rules.due import spread_looks
from spot_relay.domain.rules.turns import FASTEST, LaunchRate
from spot_relay.domain.run.news import NoticeKind
from spot_relay.domain.run.observation import DeadlineChange, Due, ResumeRequested, RoomFreed
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.run import TICK
from spot_relay.domain.run.start import OnFailure
from spot_relay.domain.sagemaker.job import Market, Pool
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.domain.values import replace
from spot_relay.pacing import Pacing
from spot_relay.ports import ConflictError, PrefixTakenError, UnansweredError
from spot_relay.service import (
    NameConflictError,
    NoSuchRunError,
    NotPublishedError,
    RejectedError,
    Service,
    UnacceptableError,
)
from tests.fakes import (
    REGION,
    MemoryDocuments,
    MemoryInputFiles,
    MemoryPrices,
    MemorySlots,
    MemoryTurns,
)
from tests.simulation.arrivals import Data, draw_incoming
from tests.simulation.changes_watch import ChangesWatch
from tests.simulation.faults import Dice, Fault
from tests.simulation.functions import Lambda
from tests.simulation.hosting import Hosting
from tests.simulation.hosting_watch import HostingWatch
from tests.simulation.invariants import Published, Watch, check_end
from tests.simulation.ledger import Ledger
from tests.simulation.outlets import RECEIVES, VISIBILITY, Announcements, Queue, Tasks, Telemetry
from tests.simulation.sagemaker import CallError, SageMaker
from tests.simulation.stops import Stops
from tests.simulation.storage import CheckpointCopies, Checkpoints, RunStore
from tests.simulation.timeline import Timeline
from tests.simulation.violation import ViolationError
from tests.simulation.worlds import (
    G5,
    M5,
    PRICES,
    canary_script,
    draw_deadline,
    draw_move,
    draw_script,
    draw_world,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from simulator.life.job import Happening, Script
    from spot_relay.domain.run.hosting import Endpoint
    from spot_relay.domain.run.observation import DeadlineRequested, MoveRequested
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.submission import Submission
    from tests.simulation.sagemaker import TrainingJob

# Faults are over after eight hours; a play that goes on for a month never ends.
QUIET_AT, TOO_LATE = 8 * 3600.0, 30 * 86_400.0
TICK_SECONDS = TICK.total_seconds()
# When an event comes again that SageMaker left without an answer.
PUT_OFF = 45.0
FUNCTION_SECONDS, API_SECONDS = 60.0, 29.0
# When users give up waiting for others, once the faults are over.
_PATIENCE = 2 * 86_400.0
# What a user's client tries again.
_TRIES = 5
_REFUSALS = (NameConflictError, NoSuchRunError, RejectedError, UnacceptableError, PrefixTakenError)
_PASSING = (CallError, UnansweredError, ConflictError, NotPublishedError)


@dataclass
class Play:
    """Plays a seed. ``without`` leaves out kinds of faults, ``tell`` hears what happens."""

    seed: int
    without: Collection[Fault] = ()
    tell: Callable[[str], None] | None = None
    wire: Callable[[Service], Service] = lambda service: service
    timeline: Timeline = field(default_factory=Timeline)
    observed: int = 0
    dead: list[str] = field(default_factory=list)
    ticked_at: float = -inf
    delayed: set[tuple[float, float]] = field(default_factory=set)
    closed: dict[str, bool] = field(default_factory=dict)
    """Which launches SageMaker has refused for good, or not."""
    beside: dict[int, list[tuple[float, Callable[[], None]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = draw_world(self.seed)
        self.dice = Dice(self.seed, self.without)
        self.sagemaker = SageMaker(
            self.timeline, self._script, self._happened, self._work, visible_after=self._lag, is_stale=self._is_stale
        )
        self.sagemaker.was_absent = lambda: self._struck(Fault.NOT_FOUND_YET)
        self.sagemaker.was_full = lambda: self._struck(Fault.QUOTA_FULL)
        self.sagemaker.refuse = self._refused
        self.checkpoints = Checkpoints(timeline=self.timeline, dice=self.dice)
        timeline, seed = self.timeline, self.seed
        self.hosting = Hosting(lambda: moment(timeline.now), seed=seed, timeline=timeline, is_stale=self._is_stale)
        self.hosting.tells = self._emit_endpoint
        self.copies = CheckpointCopies(self.checkpoints, lambda: moment(timeline.now), at_once=1)
        ledger, hosting = Ledger(self.sagemaker, self.checkpoints), HostingWatch(self.hosting)
        self.watch = Watch(self.sagemaker, ledger, hosting, ChangesWatch(self.timeline))
        self.hosting.created, self.copies.written = self.watch.made, self.watch.copied
        self.sagemaker.created, self.sagemaker.stopped = self.watch.created, self.watch.stopped
        self.store = RunStore(timeline=self.timeline, dice=self.dice, watch=self.watch.saved)
        self.watch.store = self.store
        incoming = draw_incoming(self.seed)
        starts = [submission.start for submission in self.world.submissions]
        uses_slots = self.world.limits.by_type or incoming or any(start.at_most is not None for start in starts)
        silent = frozenset({"telemetry"} if uses_slots else {"telemetry", "slots"})
        self.functions = Lambda(self.timeline, self.dice, self._told if self.tell else None, silent)
        self.functions.answered = self.watch.ledger.answered
        self.service = self.wire(self._service())
        # The function behind the API and the one for uploads may not touch models, endpoints and checkpoints.
        self.elsewhere = replace(self.service, hosting=None, copies=None)
        self.data = Data(self, incoming)
        self.outages = self._outages()
        self.stops = Stops(self.sagemaker, self.store, self.dice, self.outages)

    def play(self) -> None:
        """Play to the end; ViolationError where an invariant does not hold."""
        self._plan()
        while True:
            tick_at, next_at = self._next_tick(), self.timeline.next_at
            now = min(tick_at, inf if next_at is None else next_at)
            if now == inf:
                break
            self.stops.pass_until(now)
            if now > TOO_LATE:
                open_runs = {run.id: run.reason for run in self.store.runs.values() if not run.has_ended}
                raise ViolationError(2, f"after a month these have not ended: {open_runs}")
            if now >= QUIET_AT and not self.dice.over:
                self.dice.over = True
                self.sagemaker.taken.clear()
                self._give_up_waiting()
            if tick_at < (inf if next_at is None else next_at):
                self._tick(tick_at)
            else:
                self.timeline.step()
        told = self.documents.written, self.announcements.details, self.telemetry.measures, self.tasks.answers
        check_end(self.watch, Published(*told, self.announcements.hosting))
        self.data.check_end()

    def _service(self) -> Service:
        ids, draws, functions = count(1), Random(self.seed * 3), self.functions

        # In some plays turns are so far apart that launches await them.
        rate = LaunchRate(Random(self.seed * 11).choice((FASTEST, 1, 0.02)))

        def clock() -> datetime:
            return moment(self.timeline.now + functions.current.skew)

        slots = MemorySlots(self.world.limits, self.store.load)
        self.documents, self.announcements = (
            MemoryDocuments(),
            Announcements(watch=lambda events: self.watch.news.announced(events, clock())),
        )
        functions.reject_some = self.announcements.announce_some
        self.queue, self.telemetry, self.tasks = Queue(self), Telemetry(play=self), Tasks(self)
        return Service(
            store=functions.port("store", self.store),
            jobs=functions.port("jobs", self.sagemaker),
            checkpoints=functions.port("checkpoints", self.checkpoints),
            documents=functions.port("documents", self.documents),
            announcements=functions.port("announcements", self.announcements),
            notify=tuple(NoticeKind),
            waiting_tasks=functions.port("waiting_tasks", self.tasks),
            telemetry=functions.port("telemetry", self.telemetry),
            prices=functions.port("prices", MemoryPrices(PRICES)),
            input_files=functions.port("input_files", MemoryInputFiles()),
            slots=functions.port("slots", slots),
            wakeups=(wakeups := functions.port("wakeups", self.queue)),
            pacing=Pacing(functions.port("turns", MemoryTurns(rate)), wakeups, clock, lambda _: None),
            clock=clock,
            draw=draws.random,
            new_id=lambda: f"submission-{next(ids)}",
            region=REGION,
            check_every=timedelta(seconds=self.world.check_every),
            hosting=functions.port("hosting", self.hosting),
            copies=functions.port("copies", self.copies),
            tells_at_once=1,
        )

    def _plan(self) -> None:
        """Plan what users and others will do."""
        rng = Random(self.seed * 5 + 2)
        for name in sorted(self.world.foreign):
            self.timeline.after(rng.uniform(0, 5000), partial(self.sagemaker.begin_foreign, name))
        for submission, delay in zip(self.world.submissions, self.world.delays, strict=True):
            self.timeline.after(delay, partial(self._submit, submission))
            if self.dice.strikes(Fault.SUBMITTED_AGAIN):
                again = delay + rng.choice((0.1, 2.0, 100.0, 5000.0))
                retried = replace(submission, task_token=f"{submission.name}/retried")
                self.timeline.after(again, partial(self._submit, retried))
            for kind, act in ((Fault.USER_STOPS, self._stop), (Fault.USER_RESUMES, self._resume)):
                if self.dice.draws(kind):
                    for _ in range(rng.choice((1, 1, 2))):
                        self._plan_request(rng, delay, kind, partial(act, submission.name))
            if self.dice.draws(Fault.STOPPED_OUTSIDE):
                when = delay + rng.uniform(0, 5000)
                self.timeline.after(when, partial(self._stopped_outside, submission.name))
        if self.dice.draws(Fault.QUOTA_FULL):
            self._fill(rng)
        self._plan_changes(Random(self.seed * 5 + 3))
        self.data.plan()

    def _plan_changes(self, rng: Random) -> None:
        """Plan what users change about open runs."""
        for submission, delay in zip(self.world.submissions, self.world.delays, strict=True):
            for kind, draw in ((Fault.USER_MOVES, draw_move), (Fault.USER_CHANGES_DEADLINE, draw_deadline)):
                if self.dice.draws(kind):
                    for _ in range(rng.choice((1, 2, 4))):
                        self._plan_request(rng, delay, kind, partial(self._change, submission.name, draw(rng)))

    def _plan_request(self, rng: Random, delay: float, kind: Fault, act: Callable[[], None]) -> None:
        """Plan what a user asks for: at some moment, or right beside something that is observed."""

        def asks() -> None:
            if not self.dice.over:
                self._struck(kind)
                act()

        if rng.random() < 0.5:
            moments = (rng.uniform(0, 60), rng.uniform(0, 3000), rng.uniform(0, 20_000))
            self.timeline.after(delay + rng.choice(moments), asks)
        else:
            self.beside.setdefault(rng.randint(1, 30), []).append((rng.choice((0.0, 0.1, 3.0)), asks))

    def _observe(self) -> None:
        """Count an observation; some users act right beside it."""
        self.observed += 1
        for seconds, act in self.beside.pop(self.observed, ()):
            self.timeline.after(seconds, act)

    def _fill(self, rng: Random) -> None:
        """Let others use the account's quotas for a while; nobody tells when they leave."""
        for pool in (Pool(kind, market) for kind in (M5, G5) for market in Market):
            if rng.random() < 0.5:
                self.sagemaker.quotas[pool] = rng.choice((0, 1, 1, 1, 2)) if rng.random() < 0.3 else rng.choice((1, 2))
                self.sagemaker.taken[pool] = rng.choice((0, 1, 2))
                until = rng.uniform(0, QUIET_AT)
                self.timeline.after(until, partial(self._leave, pool))

    def _leave(self, pool: Pool) -> None:
        self.sagemaker.taken.pop(pool, None)

    # What users and others do.

    def _submit(self, submission: Submission, tries: int = _TRIES) -> None:
        def work() -> Run:
            return self.elsewhere.submit(submission)

        self._request(f"submit {submission.name}", work, lambda: self._submit(submission, tries - 1), tries)

    def _stop(self, run_id: str, tries: int = _TRIES) -> None:
        self._request(
            f"stop {run_id}", lambda: self.elsewhere.stop(run_id), lambda: self._stop(run_id, tries - 1), tries
        )

    def _give_up_waiting(self) -> None:
        """Plan that users stop the runs that wait for one that has failed, and that nobody resumes."""
        for submission in self.world.submissions:
            if submission.start.on_failure is OnFailure.WAIT:
                self.timeline.after(_PATIENCE, partial(self._stop, submission.name))

    def _resume(self, run_id: str, tries: int = _TRIES) -> None:
        budgets = {"expired_waits": 10} if self.seed % 3 == 0 else {}
        later = DeadlineChange(within_seconds=20_000) if self.seed % 3 == 1 else None

        def work() -> Run:
            # In the function itself, which may be slow; one that is killed asks for nothing any more.
            self.watch.resuming[run_id] += 1
            try:
                with self.watch.changes.asks(run_id):
                    return self.elsewhere.resume(run_id, ResumeRequested(budgets, later))
            finally:
                self.watch.resuming[run_id] -= 1

        self._request(f"resume {run_id}", work, lambda: self._resume(run_id, tries - 1), tries)

    def _change(self, run_id: str, wanted: MoveRequested | DeadlineRequested, tries: int = _TRIES) -> None:
        def work() -> Run:
            with self.watch.changes.asks(run_id):
                return self.elsewhere.change(run_id, wanted)

        self._request(f"{wanted} {run_id}", work, lambda: self._change(run_id, wanted, tries - 1), tries)

    def _request(self, name: str, work: Callable[[], Any], again: Callable[[], None], tries: int) -> None:
        """Call the API; a client tries again what failed."""

        def then(ended: bool, answer: Any) -> None:
            self._judge(name, answer)
            if (not ended and not isinstance(answer, _REFUSALS)) and tries > 1:
                self.timeline.after(TICK_SECONDS, again)

        self._observe()
        if self.tell:
            self._told(f"{name}")
        self.functions.invoke(name, API_SECONDS, work, then)

    def _stopped_outside(self, run_id: str) -> None:
        for job in self.sagemaker.jobs.values():
            if job.run_id == run_id and not job.is_canary and not job.ended:
                self.dice.struck[Fault.STOPPED_OUTSIDE] += 1
                self.sagemaker.happens(job, StopRequested())

    # What SageMaker tells, and how it comes to the functions.

    def _script(self, run_id: str, number: int, spot: bool, is_canary: bool) -> Script:
        if is_canary:
            return canary_script(self.seed, run_id, number)
        run = self.store.runs.get(run_id)
        return draw_script(self.seed, run_id, number, Policy() if run is None else run.policy, spot=spot)

    def _refused(self, name: str) -> NotCreated | None:
        if self.timeline.now < self.world.invalid.get(name, 0.0):
            return NotCreated("Could not assume role", Refusal.INVALID)
        refusal, until = self.world.refused.get(name, (Refusal.UNRECOGNIZED, 0.0))
        if self.timeline.now >= until:
            return None
        # What closes a placement is the account's quota or the placement itself, so the same request always gets the
        # same answer.
        refused = self.closed[name] if name in self.closed else self.dice.strikes(Fault.REFUSED)
        if not refusal.passes:
            self.closed[name] = refused
        return NotCreated(f"SageMaker refuses {name}", refusal) if refused else None

    def _work(self, uri: str | None) -> float:
        return self.checkpoints.work(uri)

    def _lag(self) -> float:
        if not self.dice.draws(Fault.NOT_FOUND_YET):
            return 0.0
        return self.dice.stream(Fault.NOT_FOUND_YET).choice((0.5, 10.0, 120.0))

    def _is_stale(self) -> bool:
        return self.dice.strikes(Fault.STALE_DESCRIPTION)

    def _happened(self, job: TrainingJob, happening: Happening) -> None:
        match happening:
            case Transitioned(job=then):
                if self.tell:
                    self._told(f"SageMaker: {job.name} is {then.status} / {then.secondary}")
                self._emit(job.name, then.status, then.secondary)
            case CheckpointWritten(number=number) if job.checkpoint_uri is not None:
                every = job.life.script.checkpoint_every or 0.0
                self.checkpoints.write(job.checkpoint_uri, number, number * every)

    def _emit(self, name: str, status: str, secondary: str) -> None:
        """Send a state change as EventBridge delivers it: at least once as a rule, and in no order."""
        body = (
            '{"source":"aws.sagemaker","detail-type":"SageMaker Training Job State Change","time":"","detail":'
            f'{{"TrainingJobName":"{name}","TrainingJobStatus":"{status}","SecondaryStatus":"{secondary}",'
            f'"LastModifiedTime":{int((BEGINNING.timestamp() + self.timeline.now) * 1000)}}}}}'
        )
        for delay in self.draw_delays():
            self.timeline.after(delay, lambda: self.deliver(body))

    def _emit_endpoint(self, endpoint: Endpoint) -> None:
        """Send the state change of an endpoint."""
        if self.tell:
            self._told(f"SageMaker: {endpoint.arn} is {endpoint.status}, {endpoint.config_name}")
        body = (
            '{"source":"aws.sagemaker","detail-type":"SageMaker Endpoint State Change","time":"","detail":'
            f'{{"EndpointConfigName":"{endpoint.config_name}"}}}}'
        )
        for delay in self.draw_delays():
            self.timeline.after(delay, lambda: self.deliver(body))

    def draw_delays(self) -> list[float]:
        """Draw after how many seconds a message comes: never, once or twice, and perhaps late."""
        if self.dice.strikes(Fault.LOST):
            return []
        delays = [0.5]
        if self.dice.strikes(Fault.LATE):
            delays[0] = self.dice.stream(Fault.LATE).choice((3.0, 40.0, 400.0, 4000.0, 11_000.0))
        if self.dice.strikes(Fault.DOUBLED):
            delays.append(self.dice.stream(Fault.DOUBLED).choice((0.5, 0.6, 20.0, 400.0, 9000.0)))
        return delays

    def deliver(self, body: str, receives: int = 1) -> None:
        """Hand a message to a function; what fails comes again, until it is dead."""

        def work() -> None:
            observed = read_observation(body)
            try:
                if observed is not None:
                    self.service.advance(*observed)
            except UnansweredError:
                if observed is not None and not isinstance(observed[1], Due | RoomFreed):
                    self.timeline.after(PUT_OFF, lambda: self.deliver(body))

        def then(ended: bool, answer: Any) -> None:
            self._judge("observe", answer)
            if ended:
                return
            if receives < RECEIVES:
                self.timeline.after(VISIBILITY, lambda: self.deliver(body, receives + 1))
            else:
                self.dead.append(body)

        self._observe()
        if self.tell:
            self._told(f"observe {read_observation(body)}")
        self.functions.invoke("observe", FUNCTION_SECONDS, work, then)

    def invoke_submit(self, name: str, work: Callable[[], Any], then: Callable[[bool, Any], None]) -> None:
        """Invoke the function submit, which handles the messages of its queue as observe does."""

        def judged(ended: bool, answer: Any) -> None:
            self._judge(name, answer)
            then(ended, answer)

        self._observe()
        if self.tell:
            self._told(name)
        self.functions.invoke(name, FUNCTION_SECONDS, work, judged)

    def _judge(self, name: str, answer: Any) -> None:
        """Let no error pass that is neither an injected one nor an answer to a user."""
        if isinstance(answer, Exception) and not isinstance(answer, (*_REFUSALS, *_PASSING)):
            raise ViolationError(2, f"{name} raised {type(answer).__name__}: {answer}") from answer
        if self.tell and isinstance(answer, Exception):
            self._told(f"    {name}: {type(answer).__name__}: {answer}")

    # The tick.

    def _outages(self) -> list[tuple[float, float]]:
        stream = self.dice.stream(Fault.TICK_LATE)
        found: list[tuple[float, float]] = []
        while self.dice.draws(Fault.TICK_LATE) and len(found) < 4:
            begins = stream.uniform(0, 15_000)
            found.append((begins, begins + stream.choice((120.0, 900.0, 3600.0))))
        return sorted(found)

    def _next_tick(self) -> float:
        """Return when the next tick comes that may find a run; those that find none are left out."""
        due = self.store.next_due()
        if due is None:
            return inf
        at = max(floor((due - BEGINNING).total_seconds() / TICK_SECONDS) * TICK_SECONDS, self.ticked_at + TICK_SECONDS)
        at = max(at, ceil(self.timeline.now / TICK_SECONDS) * TICK_SECONDS)
        for begins, ends in self.outages:
            if begins <= at < ends:
                at = ceil(ends / TICK_SECONDS) * TICK_SECONDS
                self.delayed.add((begins, at))
        return at

    def _tick(self, at: float) -> None:
        self.timeline.now = self.ticked_at = at
        if any(until == at for _, until in self.delayed):
            self._struck(Fault.TICK_LATE)
            self.delayed.clear()

        def work() -> None:
            now = self.service.clock()
            for run_id, seconds in spread_looks(self.service.store.list_due(now + TICK), now):
                self.service.wakeups.look(run_id, timedelta(seconds=seconds))

        self.functions.invoke("tick", FUNCTION_SECONDS, work, lambda _, answer: self._judge("tick", answer))

    def _struck(self, kind: Fault) -> None:
        self.dice.struck[kind] += 1

    def _told(self, text: str) -> None:
        assert self.tell is not None
        self.tell(f"{self.timeline.now:10.1f}  {text}")
