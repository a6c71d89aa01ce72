"""Measure how fast a stack launches many runs at once while SageMaker throttles, and how many calls are throttled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from bench.load.figures import CREATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.load.driver import Driver
    from bench.load.figures import Window

PREFIX: Final = "paced"
# The stack's LaunchRate while nothing is to be throttled.
UNPACED: Final = 1000
_FUNCTIONS: Final = ("SubmitFunction", "ApiFunction", "ObserveFunction")
_THROTTLED: Final = "ThrottlingException"
# What AWS allows of other calls, for each CreateTrainingJob: see the simulator's README.
_OTHERS: Final = {"DescribeTrainingJob": 5, "StopTrainingJob": 5, "ListTags": 5}


@dataclass(frozen=True, slots=True)
class PacingFigures:
    """How the runs were launched. Seconds are from the first upload; ``calls`` and ``throttled`` are by operation."""

    rate: float
    launches: int
    seconds: float
    calls: dict[str, int]
    throttled: dict[str, int]
    failed: int
    dead_letters: int

    @property
    def over_the_rate(self) -> float:
        """How many times as long it took as the rate allows."""
        return self.seconds * self.rate / self.launches

    @property
    def throttled_share(self) -> float:
        """The share of the calls of CreateTrainingJob that were throttled."""
        return self.throttled.get(CREATE, 0) / self.calls[CREATE]


def build_scenario(rate: float) -> dict[str, Any]:
    """Return the scenario: AWS's default rates, multiplied so that CreateTrainingJob has ``rate``, and short jobs."""
    rates = {CREATE: rate} | {operation: times * rate for operation, times in _OTHERS.items()}
    phases = {"starting": 1.0, "downloading": 1.0, "uploading": 1.0}
    default = {"train_seconds": 10.0, "phases": phases}
    return {"default": default, "rates": {operation: {"per_second": each} for operation, each in rates.items()}}


def measure(driver: Driver, launches: int, rate: float) -> PacingFigures:
    """Let the stack launch at ``rate``, which is also what SageMaker allows, and submit runs at once."""
    httpx.put(
        f"{driver.stack.simulator_url}/_simulator/scenario", json=build_scenario(rate), trust_env=False, timeout=60
    ).raise_for_status()
    _set_launch_rate(driver, rate)
    window = driver.submit_runs(PREFIX, launches)
    functions = [driver.stack.outputs[name] for name in _FUNCTIONS]
    failed = sum(one.failed for one in window.notes.invocations if one.function in functions)
    return compute_figures(window, launches, rate, failed=failed, dead_letters=driver.count_dead_letters())


def compute_figures(window: Window, launches: int, rate: float, *, failed: int, dead_letters: int) -> PacingFigures:
    """Return the figures of the launches in a window."""
    return PacingFigures(
        rate=rate,
        launches=launches,
        seconds=max(call["time"] for call in _find_created(window.simulator_calls)) - window.began,
        calls=dict(Counter(call["operation"] for call in window.simulator_calls)),
        throttled=dict(Counter(one["operation"] for one in window.simulator_calls if one["outcome"] == _THROTTLED)),
        failed=failed,
        dead_letters=dead_letters,
    )


def _find_created(calls: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [call for call in calls if call["operation"] == CREATE and call["outcome"] == "ok"]


def _set_launch_rate(driver: Driver, rate: float) -> None:
    """Change the environment of the functions, as a deployment with another LaunchRate does."""
    client = driver.client("lambda")
    for name in _FUNCTIONS:
        function = driver.stack.outputs[name]
        known = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=function, Environment={"Variables": known | {"LAUNCH_RATE": f"{rate:g}"}}
        )
