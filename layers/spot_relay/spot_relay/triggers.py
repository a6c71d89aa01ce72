"""The use cases around templates: check one that was uploaded, and start runs when data arrives or by schedule.

Each may be repeated at any point, because a message is delivered again after a crash, and may be delivered twice
without one. What a run is named depends on its template and on what started it, so a repetition finds the run.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from spot_relay.domain.errors import SpecError
from spot_relay.domain.rules.arrivals import (
    Step,
    folder_of,
    join_burst,
    name_run_of,
    name_scheduled_run,
    values_of,
    values_of_burst,
    values_of_schedule,
)
from spot_relay.domain.run.observation import DataArrived
from spot_relay.domain.run.template import Arrival, Burst
from spot_relay.domain.values import dataclass, replace
from spot_relay.payments import MAX_CONFLICTS
from spot_relay.ports import ConflictError
from spot_relay.service import NameConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.submission import Submission
    from spot_relay.domain.run.template import Appointment, Template
    from spot_relay.ports import Bursts, Schedules, TemplateFiles
    from spot_relay.service import Service


@dataclass(frozen=True)
class Triggers:
    """The use cases of one stack's templates."""

    service: Service
    files: TemplateFiles
    bursts: Bursts
    schedules: Schedules
    read: Callable[[bytes, str], Template]
    """Reads a template of a key; raises a SpecError with every problem."""
    fill: Callable[[Template, Mapping[str, str]], Submission]
    """Makes the submission of a run from a template and the values of placeholders; raises a SpecError as well."""
    retention: timedelta
    """How long runs that have ended are kept, at least."""
    _known: dict[str, tuple[str, Template | None]] = field(default_factory=dict, init=False)
    """What was read of each template, and of which content; None for one that is not valid."""

    def check(self, key: str) -> Template | None:
        """Report what is wrong with a template as it is now, and keep its schedule; return it if it is there and valid.

        If it changes meanwhile, that is done again: two functions may be at it at once, and the slower one must not
        have the last word about what is no longer so.
        """
        for _ in range(MAX_CONFLICTS):
            data = self.files.read(key)
            template = self._check(key, data)
            if self.files.read(key) == data:
                return template
        raise ConflictError(key)

    def _check(self, key: str, data: bytes | None) -> Template | None:
        try:
            template = None if data is None else self.read(data, key)
            self._keep_schedule(key, template)
        except SpecError as error:
            self.schedules.remove(key)
            self.files.report(key, error.details, self.service.clock())
            return None
        self.files.clear(key)
        return template

    def _keep_schedule(self, key: str, template: Template | None) -> None:
        """Have the schedule of a template be as the template says; raise a SpecError if that can't be."""
        if template is None or template.schedule is None:
            self.schedules.remove(key)
        elif (no := self.schedules.put(key, template.schedule)) is not None:
            raise SpecError(no.because, [("schedule", no.because)])

    def start(self, occasion: Arrival | Appointment) -> tuple[Run, ...]:
        """Start what an occasion starts, and return the runs that it is part of."""
        if isinstance(occasion, Arrival):
            return self.start_runs(occasion)
        run = self.start_scheduled(occasion)
        return () if run is None else (run,)

    def start_runs(self, arrival: Arrival) -> tuple[Run, ...]:
        """Start what the arrival of an object starts, and return the runs that it is part of.

        A run that can't be accepted gets an error report. Any other error is raised once all templates were tried.
        """
        runs, errors = [], []
        for template in self._list_templates():
            if template.trigger is None or not template.trigger.matches(arrival.bucket, arrival.key):
                continue
            try:
                start = self._start if template.settle is None else self._join
                runs.append(start(template, arrival))
            except Exception as error:  # noqa: BLE001 - whatever it was, it must not keep other templates from starting
                errors.append(error)
        if errors:
            raise errors[0]
        return tuple(run for run in runs if run is not None)

    def start_scheduled(self, appointment: Appointment) -> Run | None:
        """Start the run of a template at a time of its schedule; None if there is nothing to start any more."""
        template = self._read(appointment.key)
        if template is None or template.schedule is None:
            return None
        run_id = name_scheduled_run(template, appointment.at)
        known = self.service.store.load(run_id)
        return known or self._submit(template, run_id, values_of_schedule(appointment.at, run_id))

    def _list_templates(self) -> list[Template]:
        """Return the valid templates. One that has not changed since it was read is not read again."""
        found = []
        for key, content in self.files.list():
            if self._known.get(key, ("",))[0] != content:
                self._known[key] = (content, self._read(key))
            template = self._known[key][1]
            if template is not None:
                found.append(template)
        return found

    def _read(self, key: str) -> Template | None:
        data = self.files.read(key)
        try:
            return None if data is None else self.read(data, key)
        except SpecError:
            # It has its error report since it was uploaded.
            return None

    def _start(self, template: Template, arrival: Arrival) -> Run | None:
        """Start the one run of a version of an object."""
        run_id = name_run_of(template, arrival)
        known = self.service.store.load(run_id)
        return known or self._submit(template, run_id, values_of(arrival, run_id))

    def _join(self, template: Template, arrival: Arrival) -> Run | None:
        """Start the run of a burst, or have it wait longer for more of the burst."""
        place = (template.key, arrival.bucket, folder_of(arrival.key))
        for _ in range(MAX_CONFLICTS):
            burst = self.bursts.load(*place)
            run = None if burst is None else self.service.store.load(burst.run_id)
            match join_burst(burst, run, arrival, self.service.clock(), self.retention):
                case Step.NOTHING:
                    return run
                case Step.EXTEND if run is not None:
                    run = self.service.advance(run.id, DataArrived(_settled_at(template, arrival)))
                    if run is not None and run.waits_to_begin and not run.has_ended:
                        return run
                case Step.CREATE if burst is not None:
                    return self._submit_burst(template, arrival, burst)
                case _:
                    opened = Burst(name_run_of(template, arrival), arrival.at)
                    if self.bursts.open(*place, opened, burst):
                        return self._submit_burst(template, arrival, opened)
        raise ConflictError(arrival.key)

    def _submit_burst(self, template: Template, arrival: Arrival, burst: Burst) -> Run | None:
        values, at = values_of_burst(arrival, burst), _settled_at(template, arrival)
        return self._submit(template, burst.run_id, values, at)

    def _submit(
        self, template: Template, run_id: str, values: Mapping[str, str], at: datetime | None = None
    ) -> Run | None:
        """Submit a run; if it can't be accepted, report that and return None."""
        try:
            submission = self.fill(template, values)
            return self.service.submit(replace(submission, start=replace(submission.start, at=at)))
        except NameConflictError:
            # It exists since a moment ago, or from an earlier content of the template: the same data trains once.
            return self.service.store.load(run_id)
        except SpecError as error:
            self.files.report(f"{template.key}/{run_id}", error.details, self.service.clock())
            return None


def _settled_at(template: Template, arrival: Arrival) -> datetime:
    """Return when a burst has ended if the object is its last. It is no later if the event comes late."""
    return arrival.at if template.settle is None else arrival.at + template.settle
