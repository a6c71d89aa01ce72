"""Runs jobs with an image ``local/*`` as real processes."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from simulator.life.job import Happening, PhaseDone, Secondary, Transitioned
from simulator.real.job_run import JobRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.api.wire import Record
    from simulator.real.machine import Machine
    from simulator.world.scenario import Rule

_HELD = frozenset({Secondary.DOWNLOADING, Secondary.TRAINING, Secondary.UPLOADING, Secondary.STOPPING})


class Runner:
    """Starts and ends the runs of real training jobs as their statuses change."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._lock = Lock()
        self._newest: dict[str, JobRun] = {}
        self._numbers: dict[str, int] = {}

    def held_phases(self, request: Mapping[str, Any], rule: Rule, *, real: bool) -> frozenset[Secondary]:  # noqa: ARG002
        """Hold the phases that last as long as the real process needs."""
        return _HELD if real else frozenset()

    def observe(self, record: Record, happening: Happening) -> None:
        """Start or end a run as the new status requires."""
        if not isinstance(happening, Transitioned) or not record.real:
            return
        name, secondary = record.name, record.life.secondary
        with self._lock:
            newest = self._newest.get(name)
            if secondary is Secondary.DOWNLOADING:
                self._numbers[name] = self._numbers.get(name, 0) + 1
                self._newest[name] = JobRun(record, self._numbers[name], self._machine, newest)
            elif secondary is Secondary.STOPPING and (newest is None or newest.interrupted):
                Thread(target=self._report_stopped, args=(name, newest), daemon=True).start()
            elif newest is not None:
                _steer(newest, secondary)

    def close(self) -> None:
        """End all processes, and wait for them."""
        with self._lock:
            runs = list(self._newest.values())
        for run in runs:
            run.close()
        for run in runs:
            run.join(timeout=10)

    def _report_stopped(self, name: str, newest: JobRun | None) -> None:
        # An interrupted process may still be in its grace period; the job has stopped once nothing writes any more.
        if newest is not None:
            newest.join()
        self._machine.apply(name, PhaseDone())


def _steer(run: JobRun, secondary: Secondary) -> None:
    if secondary is Secondary.TRAINING:
        run.train()
    elif secondary is Secondary.INTERRUPTED:
        run.interrupt()
    elif secondary is Secondary.STOPPING:
        run.stop()
    elif secondary is Secondary.FAILED:
        run.fail()
