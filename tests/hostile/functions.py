"""Functions over in-memory ports, loaded once: a test hands them thousands of events."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from spot_relay.spec.template import fill_template, read_template
from spot_relay.triggers import Triggers
from tests.fakes import MemoryBursts, MemorySchedules, MemoryTemplateFiles
from tests.scripts import load_script
from tests.unit.worlds import TRAINING_JOB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import ModuleType

    from spot_relay.adapters.inbound import Upload
    from tests.unit.worlds import World

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::000000000000:role/spot-relay-training"
SPECS, DATA = "spot-relay-specs-000000000000-us-east-1", "arriving-data"
ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "spot-relay",
    "POWERTOOLS_METRICS_NAMESPACE": "SpotRelay",
    "TABLE_NAME": "runs",
    "SPECS_BUCKET": SPECS,
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "ALLOWED_ROLE_ARNS": ROLE,
    "ALLOWED_IMAGES": "*.dkr.ecr.*.amazonaws.com/*",
    "ALLOWED_CHECKPOINT_BUCKETS": "churn-*",
    "OBSERVE_QUEUE_URL": "http://127.0.0.1/queue",
    "TRIGGER_BUCKETS": DATA,
    "WIDGET_ACTIONS": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
# Each object starts a run, with all that it says of itself in the spec.
TEMPLATE = {
    "name": "arrived",
    "trigger": {"bucket": DATA},
    "training_job": {
        **TRAINING_JOB,
        "AlgorithmSpecification": {
            "TrainingImage": "000000000000.dkr.ecr.us-east-1.amazonaws.com/churn:1",
            "TrainingInputMode": "File",
        },
        "RoleArn": ROLE,
        "CheckpointConfig": {"S3Uri": "s3://churn-models/{name}/"},
        "HyperParameters": {"from": "{bucket} {key} {prefix} {date}"},
    },
}


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function of its invocation."""

    function_name: str = "spot-relay"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:spot-relay"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


@dataclass
class MemorySpecFiles:
    """Uploads and reports in dictionaries, by their keys."""

    uploads: dict[str, bytes] = field(default_factory=dict)
    reports: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def read(self, upload: Upload, limit: int) -> bytes | None:
        data = self.uploads.get(upload.key)
        return None if data is None else data[: limit + 1]

    def report(self, upload: Upload, errors: Sequence[dict[str, str]], _now: datetime) -> None:
        self.reports[upload.key] = list(errors)

    def clear(self, upload: Upload) -> None:
        self.reports.pop(upload.key, None)


class Log(io.TextIOBase):
    """What a function prints. Lambda writes UTF-8: a line that is none would be lost, and is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.lost: list[str] = []

    def write(self, text: str) -> int:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.lost.append(ascii(text))
            raise
        self.lines += [line for line in text.split("\n") if line]
        return len(text)


def enter(module: Any, world: World, template: dict[str, Any] = TEMPLATE) -> None:
    """Have a function work in this world from now on, where there is one template."""
    module.service = world.service
    if hasattr(module, "triggers"):
        module.files = MemorySpecFiles()
        triggers = Triggers(
            service=world.service,
            files=MemoryTemplateFiles({"templates/churn.json": json.dumps(template).encode()}),
            bursts=MemoryBursts(),
            schedules=MemorySchedules(),
            read=lambda data, key: read_template(data, key, module.allowlist),
            fill=lambda template, values: fill_template(template, values, module.allowlist),
            retention=timedelta(days=90),
        )
        module.triggers = lambda: triggers


def load(function: str, world: World, log: Log | None = None) -> ModuleType:
    """Load a function as a new process of Lambda does, over a world instead of AWS; it prints to ``log``, if given."""
    logging.Logger.manager.loggerDict.pop(ENVIRONMENT["POWERTOOLS_SERVICE_NAME"], None)
    with patch.dict(os.environ, ENVIRONMENT), redirect_stdout(log or sys.stdout):
        module: Any = load_script(ROOT / "functions" / function / "app.py", f"hostile_{function}_app")
    enter(module, world)
    loaded: ModuleType = module
    return loaded
