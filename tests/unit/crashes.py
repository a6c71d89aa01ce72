"""Functions that die at one of their calls."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.worlds import World


PORTS = ("store", "jobs", "checkpoints", "documents", "announcements", "telemetry", "slots", "wakeups")


class KilledError(BaseException):
    """The function's process is gone."""


class Grim:
    """Counts the calls through all ports, and kills at one of them, before or after it has taken effect."""

    def __init__(self, kill_at: int | None = None, *, after: bool = False) -> None:
        self.calls: list[str] = []
        self.kill_at = kill_at
        self.after = after

    def guard(self, port: Any) -> Any:
        reaper = self

        class Guarded:
            def __getattr__(self, name: str) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    reaper.calls.append(name)
                    dies = len(reaper.calls) == reaper.kill_at
                    if dies and not reaper.after:
                        raise KilledError
                    answer = getattr(port, name)(*args)
                    if dies:
                        raise KilledError
                    return answer

                return call

        return Guarded()


def guarded(world: World, grim: Grim) -> Any:
    assert {*PORTS} <= {f.name for f in fields(world.service)}
    return replace(world.service, **{name: grim.guard(getattr(world.service, name)) for name in PORTS})
