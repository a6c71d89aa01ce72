"""Functions over in-memory ports, loaded once: a test hands them thousands of events."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import ModuleType

    from spot_relay.adapters.inbound import Upload
    from tests.unit.worlds import World

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::000000000000:role/spot-relay-training"
ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "spot-relay",
    "POWERTOOLS_METRICS_NAMESPACE": "SpotRelay",
    "TABLE_NAME": "runs",
    "SPECS_BUCKET": "specs",
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "ALLOWED_ROLE_ARNS": ROLE,
    "ALLOWED_IMAGES": "*.dkr.ecr.*.amazonaws.com/*",
    "ALLOWED_CHECKPOINT_BUCKETS": "churn-*",
    "OBSERVE_QUEUE_URL": "http://127.0.0.1/queue",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
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


def load(function: str, world: World, log: Log | None = None) -> ModuleType:
    """Load a function as a new process of Lambda does, over a world instead of AWS; it prints to ``log``, if given."""
    logging.Logger.manager.loggerDict.pop(ENVIRONMENT["POWERTOOLS_SERVICE_NAME"], None)
    with patch.dict(os.environ, ENVIRONMENT), redirect_stdout(log or sys.stdout):
        module: Any = load_script(ROOT / "functions" / function / "app.py", f"hostile_{function}_app")
    module.service = world.service
    if function == "submit":
        module.files = MemorySpecFiles()
    loaded: ModuleType = module
    return loaded
