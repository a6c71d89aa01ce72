"""Executes the task of the example's DAG with another job, as a worker of Airflow does, and then its triggerer."""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

dag, name, request = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
task: Any = runpy.run_path(dag)["train"]
task.config = {"TrainingJobName": name, **request}
task.check_interval = 1
task.deferrable = "--deferrable" in sys.argv
task.print_log = not task.deferrable


async def first_event(trigger: Any) -> Any:
    """Return what a trigger tells the worker."""
    return await anext(trigger.run())


try:
    result = task.execute({})
except TaskDeferred as deferred:
    event = asyncio.run(first_event(deferred.trigger))
    result = getattr(task, deferred.method_name)({}, event.payload)
described = result["Training"]
shown = {
    "name": described["TrainingJobName"],
    "status": described["TrainingJobStatus"],
    "model": described["ModelArtifacts"]["S3ModelArtifacts"],
}
sys.stdout.write("\n" + json.dumps(shown) + "\n")
