"""How often to save, from what saves cost and how often training was interrupted. Pure: nothing here reads a clock."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace

PRIOR_SECONDS = 2 * 3600.0
"""How long training is expected to last until an interruption, before any was seen.

AWS publishes no figure. One that is too short costs little: saves of ten seconds then take 2.6 % of the time.
"""
SHORTEST_SECONDS = 60.0
"""The shortest interval that is recommended, so that SageMaker can copy each checkpoint. The first save comes then."""

_VERSION = 1
_KEPT_SAVES = 10


def choose_interval(save_seconds: float, seconds_between_interruptions: float) -> float:
    """Return how many seconds to train between two saves, so that saving and repeating together cost least.

    This is Daly's estimate of the optimum ("A higher order estimate of the optimum checkpoint interval for restart
    dumps", 2006). It refines Young's √(2 · save · between) for saves that are long compared with the time between
    interruptions.
    """
    ratio = save_seconds / (2 * seconds_between_interruptions)
    if ratio >= 1:
        return seconds_between_interruptions
    young = math.sqrt(2 * save_seconds * seconds_between_interruptions)
    return young * (1 + math.sqrt(ratio) / 3 + ratio / 9) - save_seconds


@dataclass(frozen=True)
class History:
    """What all starts of a training have shown so far. It is kept in the checkpoint folder."""

    interruptions: int = 0
    """How often training started again without having finished, for any reason."""
    trained_seconds: float = 0.0
    """The time from each start to what is known of its end, added up."""
    save_seconds: tuple[float, ...] = ()
    """What the newest saves took."""
    is_running: bool = False
    """Whether training has started and not finished."""

    def start(self) -> History:
        """Return the history with a start: after one without an end, there was an interruption."""
        return replace(self, interruptions=self.interruptions + self.is_running, is_running=True)

    def train(self, seconds: float) -> History:
        """Return the history with more time of training."""
        return replace(self, trained_seconds=self.trained_seconds + seconds)

    def save(self, seconds: float) -> History:
        """Return the history with a save that took so long."""
        return replace(self, save_seconds=(*self.save_seconds, seconds)[-_KEPT_SAVES:])

    def finish(self) -> History:
        """Return the history with the end of the training."""
        return replace(self, is_running=False)

    @property
    def seconds_between_interruptions(self) -> float:
        """The mean, with what is expected beforehand counted as one interruption after ``PRIOR_SECONDS``."""
        return (PRIOR_SECONDS + self.trained_seconds) / (1 + self.interruptions)

    @property
    def interval(self) -> float:
        """The recommended seconds between two saves. The first save comes early: it shows what a save costs."""
        if not self.save_seconds:
            return SHORTEST_SECONDS
        save_seconds = sum(self.save_seconds) / len(self.save_seconds)
        return max(SHORTEST_SECONDS, choose_interval(save_seconds, self.seconds_between_interruptions))

    def to_json(self) -> str:
        """Return the history as it is stored."""
        return json.dumps({"version": _VERSION, **asdict(self)})

    @staticmethod
    def from_json(text: str) -> History:
        """Read a stored history; ValueError if it is none."""
        try:
            stored = json.loads(text)
            if stored["version"] != _VERSION:
                raise ValueError(f"version {stored['version']} of the history is unknown")
            return History(
                interruptions=int(stored["interruptions"]),
                trained_seconds=float(stored["trained_seconds"]),
                save_seconds=tuple(float(seconds) for seconds in stored["save_seconds"]),
                is_running=bool(stored["is_running"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the history lacks a value: {error!r}") from error
