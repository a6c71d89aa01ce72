"""What was counted, in units that AWS charges for.

`tests/integration/test_units_of_a_run.py` counts the units of a run again, on the real adapters and on virtual time. If
it fails, put its figures here and run ``make cost``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final

MINUTES_A_MONTH: Final = 43_800


@dataclass(frozen=True)
class Counts:
    """The units of something: a run, or a month of a stack."""

    invocations: float = 0
    calls: float = 0  # all that functions make to AWS, which they wait for
    read_units: float = 0
    write_units: float = 0
    sqs_requests: float = 0
    events: float = 0  # of EventBridge, as far as they cost
    s3_writes: float = 0
    s3_reads: float = 0
    log_bytes: float = 0
    table_bytes: float = 0  # that stay
    bucket_bytes: float = 0  # that stay
    scheduled: float = 0  # calls of a schedule
    alarms: float = 0  # of a metric each
    composite_alarms: float = 0
    dashboards: float = 0
    metrics: float = 0

    def times(self, number: float) -> Counts:
        """Return the units of so many of them."""
        return Counts(**{name: value * number for name, value in asdict(self).items()})


# An uploaded spec; an hour of training without an interruption.
HOUR: Final = Counts(
    invocations=19,
    calls=95,
    read_units=38,
    write_units=326,  # its item has about 6 KB, where one more byte is one more unit
    sqs_requests=57,
    events=24,
    s3_writes=15,
    s3_reads=1,
    log_bytes=16_626,
    table_bytes=5_868,
    bucket_bytes=5_922,
)
# An uploaded spec; four hours of training, an interruption, a wait for spot capacity that expires after two more hours,
# and a second attempt that trains the other four hours.
EIGHT_HOURS: Final = Counts(
    invocations=134,
    calls=668,
    read_units=318.5,
    write_units=2_594,
    sqs_requests=402,
    events=141,
    s3_writes=128,
    s3_reads=1,
    log_bytes=108_150,
    table_bytes=9_592,
    bucket_bytes=10_633,
)

# One tick: its query of the index, and its lines in the log.
TICK: Final = Counts(invocations=1, calls=1, read_units=0.5, log_bytes=666, scheduled=1)

# Lambda asks each of the two queues for messages with five pollers, each of which waits for up to 20 seconds.
POLLS_A_MINUTE: Final = 2 * 5 * 3
# With the parameters' defaults.
ALARMS: Final = 19
COMPOSITE_ALARMS: Final = 1
DASHBOARDS: Final = 1
# The names of the metrics; by default, each has one set of dimensions.
METRICS: Final = 28

# Lambda itself was not measured. CPU time of an invocation at one full vCPU, from docs/performance.md (119 ms in 4.4
# invocations), and what a call to AWS is assumed to take.
CPU_SECONDS: Final = 0.03
CALL_SECONDS: Final = 0.02
MEMORY_MB: Final = 512
ONE_VCPU_MB: Final = 1769


def count_idle_month() -> Counts:
    """Return what a stack without runs uses in a month, but for the weekly call of ``prices``."""
    ticks = TICK.times(MINUTES_A_MONTH)
    return replace(
        ticks,
        sqs_requests=POLLS_A_MINUTE * MINUTES_A_MONTH,
        alarms=ALARMS,
        composite_alarms=COMPOSITE_ALARMS,
        dashboards=DASHBOARDS,
    )


def count_runs(run: Counts, number: int) -> Counts:
    """Return what runs use beyond an idle stack, with the metrics of a month in which there are any."""
    return replace(run.times(number), metrics=METRICS)
