"""A SageMaker on one machine: training jobs, a spot market, endpoints, state-change events and real processes.

In import order, each package imports only those before it:

- `life`: the lives of a training job and of an endpoint as pure functions, and virtual time;
- `world`: capacity, scenarios, errors, and how events travel;
- `api`: SageMaker's API over HTTP;
- `real`: processes, checkpoints, logs and events outside the simulator;
- `sagemaker`: all of these in one object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.life.clock import VirtualClock
    from simulator.sagemaker import SageMaker
    from simulator.world.scenario import Scenario, ScenarioError

__all__ = ["SageMaker", "Scenario", "ScenarioError", "VirtualClock"]


def __getattr__(name: str) -> Any:
    # Imported on first use, because `simulator.life` alone needs neither boto3 nor a web server.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator.life.clock import VirtualClock
    from simulator.sagemaker import SageMaker
    from simulator.world.scenario import Scenario, ScenarioError

    return {
        "SageMaker": SageMaker,
        "Scenario": Scenario,
        "ScenarioError": ScenarioError,
        "VirtualClock": VirtualClock,
    }[name]
