"""Compute the figures of a load from notes and measurements."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.load.notes import find_delays
from bench.load.processes import BENCH, MINISTACK, SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.load.notes import Notes
    from bench.load.plan import Load

FIRST_ATTEMPT: Final = "-relay-01"
CREATE: Final = "CreateTrainingJob"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of a number of seconds; ``of`` is that number."""

    p50: float
    p95: float
    p99: float
    of: int


@dataclass(frozen=True, slots=True)
class FloorFigures:
    """The floor: events per second in a burst, seconds per event when calm, and CPU milliseconds per event."""

    events_per_second: float
    calm_seconds: Quantiles
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """The figures of one function. All but the counts and ``invocation_ms`` are per message."""

    invocations: int
    messages: int
    failed: int
    calls: dict[str, float]
    read_units: float
    write_units: float
    cpu_ms: float
    invocation_ms: float
    log_bytes: float

    @property
    def total_calls(self) -> float:
        """The number of AWS calls per message."""
        return sum(self.calls.values())


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """The figures of the load. Seconds are from the first upload until all uploads, or all events, were handled.

    ``cpu_share`` says whose CPU time it was. ``most_waiting`` is the longest that the observe queue was seen.
    """

    runs: int
    state_changes: int
    submitted_seconds: float
    drained_seconds: float
    events_per_second: float
    decided_seconds: Quantiles
    decisions_not_found: int
    decisions_taken_anew: int
    due_messages: int
    most_waiting: int
    dead_letters: int
    submit: FunctionFigures
    observe: FunctionFigures
    cpu_share: dict[str, float]


@dataclass(frozen=True, slots=True)
class Window:
    """What was recorded in a period: notes, the simulator's log of calls, and CPU seconds by process."""

    began: float
    notes: Notes
    simulator_calls: Sequence[Mapping[str, Any]]
    cpu: Mapping[str, float]


def compute_quantiles(seconds: Sequence[float]) -> Quantiles:
    """Return the quantiles of some delays."""
    p50, p95, p99 = (float(value) for value in np.quantile(np.array(seconds), (0.5, 0.95, 0.99)))
    return Quantiles(p50, p95, p99, len(seconds))


def count_sagemaker_calls(log: Iterable[Mapping[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """Count the calls to SageMaker by `submit` and by `observe`, according to the simulator's log.

    The simulator does not know its callers. First attempts are launched by `submit`; everything else is counted for
    `observe`, even the second launch of a first attempt whose event arrived before its launch was saved.
    """
    submit: Counter[str] = Counter()
    observe: Counter[str] = Counter()
    for call in log:
        launched = call["operation"] == CREATE and call["outcome"] == "ok"
        first = launched and str(call["job_name"]).endswith(FIRST_ATTEMPT)
        (submit if first else observe)[f"sagemaker.{call['operation']}"] += 1
    return submit, observe


def compute_function_figures(notes: Notes, sagemaker: Mapping[str, int], cpu_seconds: float) -> FunctionFigures:
    """Return the figures of one function."""
    messages = notes.messages
    calls = Counter(call.operation for call in notes.calls) + Counter(sagemaker)
    spent = sum(one.ended - one.began for one in notes.invocations)
    return FunctionFigures(
        invocations=len(notes.invocations),
        messages=messages,
        failed=sum(one.failed for one in notes.invocations),
        calls={operation: count / messages for operation, count in sorted(calls.items())},
        read_units=sum(call.read for call in notes.calls) / messages,
        write_units=sum(call.write for call in notes.calls) / messages,
        cpu_ms=1000 * cpu_seconds / messages,
        invocation_ms=1000 * spent / len(notes.invocations),
        log_bytes=sum(len(one.log.encode()) for one in notes.invocations) / messages,
    )


def compute_load_figures(
    load: Load, window: Window, functions: Mapping[str, str], most_waiting: int, dead_letters: int
) -> LoadFigures:
    """Return the figures of the load; ``functions`` maps ``submit`` and ``observe`` to their deployed names."""
    submit, observe = (window.notes.of(functions[one]) for one in ("submit", "observe"))
    by_submit, by_observe = count_sagemaker_calls(window.simulator_calls)
    decided = find_delays(observe.invocations)
    first = min(message.sent for one in observe.invocations for message in one.messages if message.job)
    last = max(one.ended for one in observe.invocations if any(message.job for message in one.messages))
    return LoadFigures(
        runs=load.runs,
        state_changes=observe.state_changes,
        submitted_seconds=find_last_end(submit) - window.began,
        drained_seconds=last - window.began,
        events_per_second=observe.state_changes / (last - first),
        decided_seconds=compute_quantiles(decided.seconds),
        decisions_not_found=decided.not_found,
        decisions_taken_anew=decided.taken_anew,
        due_messages=observe.messages - observe.state_changes,
        most_waiting=most_waiting,
        dead_letters=dead_letters,
        submit=compute_function_figures(submit, by_submit, window.cpu[functions["submit"]]),
        observe=compute_function_figures(observe, by_observe, window.cpu[functions["observe"]]),
        cpu_share=compute_cpu_share(window.cpu, functions),
    )


def find_last_end(notes: Notes) -> float:
    """Return when the last invocation ended, in epoch seconds."""
    return max(one.ended for one in notes.invocations)


def compute_cpu_share(cpu: Mapping[str, float], functions: Mapping[str, str]) -> dict[str, float]:
    """Return the shares of the CPU time, largest first; functions other than Spot Relay's are ignored."""
    names = {name: short for short, name in functions.items()} | {one: one for one in (MINISTACK, SIMULATOR, BENCH)}
    ours = {names[name]: seconds for name, seconds in cpu.items() if name in names}
    return {name: seconds / sum(ours.values()) for name, seconds in sorted(ours.items(), key=lambda pair: -pair[1])}


def compute_usage_per_run(figures: LoadFigures) -> dict[str, float]:
    """Return how much one run uses of everything AWS charges for, over its whole life, without the tick."""
    submit, observe, runs = figures.submit, figures.observe, figures.runs
    both = [(one, one.messages / runs) for one in (submit, observe)]
    asked: defaultdict[str, float] = defaultdict(float)
    for one, times in both:
        for operation, count in one.calls.items():
            asked[operation] += count * times
    batches = (submit.invocations + observe.invocations) / runs
    messages = (submit.messages + observe.messages) / runs
    listed = ("s3.PutObject", "s3.GetObject", "s3.ListObjectsV2", "s3.DeleteObject", "events.PutEvents")
    return {
        "state changes": figures.state_changes / runs,
        "Lambda invocations": batches,
        "Lambda CPU ms, here": sum(one.cpu_ms * times for one, times in both),
        "Lambda ms, here": sum(one.invocation_ms * one.invocations / runs for one in (submit, observe)),
        "DynamoDB read units": sum(one.read_units * times for one, times in both),
        "DynamoDB write units": sum(one.write_units * times for one, times in both),
        # Each message is sent individually, and received and deleted in a batch.
        "SQS requests": messages + 2 * batches + asked["sqs.SendMessage"],
        **{f"{name} requests": asked[name] for name in listed},
        "SageMaker requests": sum(count for name, count in asked.items() if name.startswith("sagemaker.")),
        "log bytes": sum(one.log_bytes * times for one, times in both),
    }


def compute_floor_figures(rate: float, calm: Sequence[float], cpu_seconds: float, events: int) -> FloorFigures:
    """Return the figures of the floor."""
    return FloorFigures(rate, compute_quantiles(calm), 1000 * cpu_seconds / events)


def compute_calm_quantiles(window: Window, observe: str) -> Quantiles:
    """Return how long events waited for their decisions while only a few arrived at a time."""
    return compute_quantiles(find_delays(window.notes.of(observe).invocations).seconds)
