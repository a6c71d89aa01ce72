"""Print a line for each step, and go on after the newest checkpoint: no line is ever printed twice.

A run's first attempt goes only half the way, and then waits until it is ended, so that it never completes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from threading import Event

base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
checkpoints = Path(os.environ.get("SM_CHECKPOINT_DIR", base / "checkpoints"))
model = Path(os.environ.get("SM_MODEL_DIR", base / "model"))
given = json.loads((base / "input" / "config" / "hyperparameters.json").read_text())
# The SageMaker Python SDK writes each value as JSON.
steps = int(json.loads(str(given["lines"])) if str(given["lines"]).startswith('"') else given["lines"])

ended = Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
is_first_attempt = os.environ.get("TRAINING_JOB_NAME", "").endswith("-relay-01")
done = max((int(path.name.partition("-")[2]) for path in checkpoints.glob("checkpoint-*")), default=0)
for step in range(done + 1, steps + 1):
    sys.stdout.write(f"line {step}\n")
    sys.stdout.flush()
    written = checkpoints / "checkpoint.sagemaker-ignore"
    written.write_text(str(step))
    written.replace(checkpoints / f"checkpoint-{step}")
    if ended.wait(None if is_first_attempt and step >= steps // 2 else 0.02):
        sys.exit(128 + signal.SIGTERM)
(model / "model.txt").write_text(str(steps))
