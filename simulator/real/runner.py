"""Jobs with an image ``local/*``, run as real processes in step with their lives."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from simulator.api.rules import is_local
from simulator.life.job import Happening, PhaseDone, Secondary, Transitioned
from simulator.real.stretch import Stretch, Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.api.wire import Record
    from simulator.world.scenario import Rule

_BOUND = frozenset({Secondary.DOWNLOADING, Secondary.TRAINING, Secondary.UPLOADING, Secondary.STOPPING})


class Runner:
    """Starts and ends the stretches of real training jobs as their statuses change."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._lock = Lock()
        self._newest: dict[str, Stretch] = {}
        self._numbers: dict[str, int] = {}

    def bound(self, request: Mapping[str, Any], rule: Rule) -> frozenset[Secondary]:  # noqa: ARG002
        """Hold the phases that a real process goes through."""
        return _BOUND if is_local(request) else frozenset()

    def watch(self, record: Record, happening: Happening) -> None:
        """Do what the new status asks for."""
        if not isinstance(happening, Transitioned) or not is_local(record.request):
            return
        name, secondary = record.name, record.life.secondary
        with self._lock:
            newest = self._newest.get(name)
            if secondary is Secondary.DOWNLOADING:
                self._numbers[name] = self._numbers.get(name, 0) + 1
                self._newest[name] = Stretch(record, self._numbers[name], self._around, newest)
            elif secondary is Secondary.STOPPING and (newest is None or newest.interrupted):
                Thread(target=self._stopped, args=(name, newest), daemon=True).start()
            elif newest is not None:
                _steer(newest, secondary)

    def close(self) -> None:
        """End every process and wait for it."""
        with self._lock:
            stretches = list(self._newest.values())
        for stretch in stretches:
            stretch.close()
        for stretch in stretches:
            stretch.join(timeout=10)

    def _stopped(self, name: str, newest: Stretch | None) -> None:
        # An interrupted process may still be in its grace. The job has stopped only when nothing writes any more.
        if newest is not None:
            newest.join()
        self._around.tell(name, PhaseDone())


def _steer(stretch: Stretch, secondary: Secondary) -> None:
    if secondary is Secondary.TRAINING:
        stretch.train()
    elif secondary is Secondary.INTERRUPTED:
        stretch.interrupt()
    elif secondary is Secondary.STOPPING:
        stretch.stop()
    elif secondary is Secondary.FAILED:
        stretch.fail()
