"""A crowd of runs of mixed fates on one stack, with their users: for tests of what many runs meet at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random

from embedded.patience import give_time
from tests.e2e.relay import CAPACITY, spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from tests.e2e.relay import Relay

QUICK: Mapping[str, Any] = {"train_seconds": 0.3}
FOREVER: Mapping[str, Any] = {"train_seconds": 36_000}
# Their users may be slow to come: there may be many runs before theirs.
HOURS: Mapping[str, Any] = {"max_wait": 36_000, "max_runtime": 36_000}
# A client waits, and asks again, where the API answers with a fault of its own, or that it is asked too much.
PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Fate:
    """What becomes of a run: what SageMaker and its user do to it, and how it has to end."""

    name: str
    share: int  # of a hundred runs
    status: str
    outcomes: tuple[str, ...]
    first: Mapping[str, Any] = field(default_factory=lambda: QUICK)
    later: Mapping[str, Any] = field(default_factory=lambda: QUICK)
    max_wait: int = 120
    max_runtime: int = 60
    stops: bool = False
    resumes: bool = False


FATES = (
    Fate("completes", 40, "Completed", ("Completed",)),
    Fate(
        "expires",
        20,
        "Completed",
        ("MaxWaitTimeExceeded", "Completed"),
        first={"capacity": {"after": None}},
        max_wait=4,
    ),
    Fate(
        "starves",
        10,
        "Completed",
        ("CapacityError", "Completed"),
        first={"fail": {"reason": CAPACITY, "phase": "Starting"}},
    ),
    Fate(
        "errs",
        10,
        "Failed",
        ("UserError",),
        first={"fail": {"reason": "AlgorithmError: exit code 1", "phase": "Training"}},
    ),
    Fate("stops", 10, "Stopped", ("Stopped",), first=FOREVER, **HOURS, stops=True),
    Fate("resumes", 10, "Completed", ("Stopped", "Completed"), first=FOREVER, **HOURS, stops=True, resumes=True),
)


@dataclass(frozen=True)
class Member:
    """A run of the crowd, and the door through which it is submitted."""

    name: str
    fate: Fate
    uploaded: bool

    @property
    def spec(self) -> dict[str, Any]:
        """Return its spec."""
        return spec(self.name, self.fate.max_wait, self.fate.max_runtime)


def gather(count: int, seed: int) -> list[Member]:
    """Make a crowd of so many runs, in a seeded order."""
    fates = [fate for fate in FATES for _ in range(max(1, round(count * fate.share / 100)))]
    Random(seed).shuffle(fates)  # noqa: S311
    return [Member(f"{fate.name}-{number:03}", fate, number % 2 == 0) for number, fate in enumerate(fates)]


class Users:
    """Those who submit the runs of a crowd, and stop and resume some; they ask again where the API fails them."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.answers: Counter[int] = Counter()

    def set_the_scene(self) -> None:
        """Send the fates to the simulator."""
        for fate in FATES:
            self._relay.rule(f"{fate.name}-*", **fate.later)
            self._relay.rule(f"{fate.name}-*", "01", **fate.first)

    def submit(self, crowd: Sequence[Member]) -> None:
        """Submit all runs."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._submit, crowd))

    def act(self, crowd: Sequence[Member]) -> None:
        """Stop and resume those runs whose fate it is."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._act, [member for member in crowd if member.fate.stops]))

    def _submit(self, member: Member) -> None:
        if member.uploaded:
            self._relay.upload(f"runs/{member.name}.json", member.spec)
        else:
            answer = self.insist("POST", "/runs", member.spec)
            assert answer.status_code == 202, answer.text

    def _act(self, member: Member) -> None:
        self._relay.comes_to(member.name, "InProgress", seconds=PATIENCE_SECONDS)
        assert self.insist("POST", f"/runs/{member.name}/stop").status_code == 202
        if not member.fate.resumes:
            return
        self._relay.comes_to(member.name, "Stopped", seconds=PATIENCE_SECONDS)
        answer = self.insist("POST", f"/runs/{member.name}/resume")
        # Where the answer to the first request was lost, the second is told that the run has not ended.
        assert answer.status_code in {202, 409}, answer.text

    def insist(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call the API until it answers with no fault of its own, and does not ask for patience."""

        def call() -> httpx.Response:
            answer = self._relay.send(method, path, body)
            self.answers[answer.status_code] += 1
            return answer

        asking = Retrying(
            stop=stop_after_delay(give_time(PATIENCE_SECONDS)),
            wait=wait_random(0.2, 1),
            retry=retry_if_result(lambda answer: answer.status_code == 429 or answer.status_code >= 500),
        )
        return asking(call)
