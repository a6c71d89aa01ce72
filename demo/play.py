"""The demo itself: submit a run by an upload, watch it to its end, and judge what came out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from demo import comparison
from demo.data import training_set
from demo.figures import Metric, read_metrics
from demo.outcome import Outcome, Places
from demo.watching import LOG_GROUP, Clients, View, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_lambda import LambdaClient

    from demo.audience import Audience

FOLDER = Path(__file__).parent
SPEC_FILE = FOLDER / "spec.yaml"
SPEC_KEY = "runs/churn.yaml"
LIMIT_SECONDS = 150.0
LOOK_EVERY_SECONDS = 0.5
SETTLING_SECONDS = 5.0


class DemoError(Exception):
    """The demo did not end as it should; the text tells why, and what to look at."""


@dataclass(frozen=True)
class Deployed:
    """What the demo needs to know of a deployed stack: how to reach it, and what it is called."""

    clients: Clients
    lambdas: LambdaClient
    specs_bucket: str
    functions: tuple[str, ...]

    def log_groups(self) -> tuple[str, ...]:
        """Name the functions' log groups."""
        described = (self.lambdas.get_function_configuration(FunctionName=name) for name in self.functions)
        return tuple(answer["LoggingConfig"]["LogGroup"] for answer in described)


@dataclass(frozen=True)
class Spec:
    """The parts of the uploaded spec that the demo itself has to know."""

    text: bytes
    name: str
    job: Mapping[str, Any]

    @staticmethod
    def read(path: Path = SPEC_FILE) -> Spec:
        """Read the spec that is to be uploaded."""
        text = path.read_bytes()
        document = yaml.safe_load(text)
        return Spec(text, document["name"], document["training_job"])

    @property
    def rounds(self) -> int:
        """How many rounds the whole training has."""
        return int(self.job["HyperParameters"]["num_round"])

    @property
    def checkpoints(self) -> str:
        """The S3 prefix of the checkpoints."""
        return str(self.job["CheckpointConfig"]["S3Uri"])

    def channel(self, name: str) -> tuple[str, str]:
        """Give the bucket and the prefix of an input channel."""
        given = next(channel for channel in self.job["InputDataConfig"] if channel["ChannelName"] == name)
        bucket, _, prefix = given["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://").partition("/")
        return bucket, prefix


def play(stack: Deployed, audience: Audience, began: float, limit: float = LIMIT_SECONDS) -> Outcome:
    """Play the demo on a deployed stack; ``began`` is the monotonic second at which it all began."""
    spec, files = Spec.read(), training_set()
    audience.note(f"Uploading a training set of {sum(map(len, files.values())) // 1000} kB to S3")
    upload_data(stack, spec, files)
    audience.note(f"Uploading the spec to s3://{stack.specs_bucket}/{SPEC_KEY}; the rest is up to Spot Relay")
    stack.clients.s3.put_object(Bucket=stack.specs_bucket, Key=SPEC_KEY, Body=spec.text)
    watcher = Watcher(stack.clients, spec.name, stack.specs_bucket, SPEC_KEY, spec.checkpoints)
    view = settled_view(watcher.look, follow(watcher.look, audience, limit), spec.rounds)
    audience.show(view)
    found, model = judge(stack, spec, view, files)
    groups = stack.log_groups()
    places = Places(
        status_document=f"s3://{stack.specs_bucket}/{watcher.status_key}",
        training_logs=LOG_GROUP,
        function_logs=groups,
        checkpoints=spec.checkpoints,
        model=model,
    )
    return Outcome(view, found, settled_metrics(stack, groups, view), places, time.monotonic() - began)


def upload_data(stack: Deployed, spec: Spec, files: Mapping[str, bytes]) -> None:
    """Put the training set where the spec's channels look for it."""
    for key, content in files.items():
        channel, _, name = key.partition("/")
        bucket, prefix = spec.channel(channel)
        if bucket not in {found.get("Name") for found in stack.clients.s3.list_buckets()["Buckets"]}:
            stack.clients.s3.create_bucket(Bucket=bucket)
        stack.clients.s3.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=content)


def follow(look: Callable[[], View], audience: Audience, limit: float) -> View:
    """Show the run until it has ended; raise a DemoError if it does not within ``limit`` seconds."""

    def show() -> View:
        view = look()
        audience.show(view)
        return view

    watching = retry(
        retry=retry_if_result(lambda view: not view.ended),
        stop=stop_after_delay(limit),
        wait=wait_fixed(LOOK_EVERY_SECONDS),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else View(),
    )
    view: View = watching(show)()
    if view.refusal is not None:
        raise DemoError(f"the spec was refused:\n{view.refusal}")
    if not view.ended:
        told = f"it is {view.status}: {view.run['reason']}" if view.run else "its spec was never taken in"
        raise DemoError(f"the run did not end within {limit:g} seconds; {told}")
    return view


def settled_view(look: Callable[[], View], view: View, rounds: int) -> View:
    """Look again until the log of a completed run tells its last round, too: log lines travel by themselves."""
    if view.status != "Completed":
        return view
    looking = retry(
        retry=retry_if_result(lambda seen: seen.reached < rounds),
        stop=stop_after_delay(SETTLING_SECONDS),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else view,
    )
    settled: View = looking(look)()
    return settled


def judge(
    stack: Deployed, spec: Spec, view: View, files: Mapping[str, bytes]
) -> tuple[comparison.Comparison | None, str | None]:
    """Compare the run's model with one trained here without interruption; give also where the model lies."""
    if view.status != "Completed":
        return None, None
    job = stack.clients.sagemaker.describe_training_job(TrainingJobName=view.attempts[-1].job_name)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = stack.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    data = comparison.matrices(files)
    reference = comparison.train_uninterrupted(spec.job["HyperParameters"], data)
    return comparison.compare(comparison.model_in(archive), reference, data), uri


def settled_metrics(stack: Deployed, groups: Iterable[str], view: View) -> dict[str, Metric]:
    """Read the metrics, waiting a moment for those of the run's end, which a function logs as it returns."""
    reading = retry(
        retry=retry_if_result(lambda metrics: f"Runs{view.status}" not in metrics),
        stop=stop_after_delay(SETTLING_SECONDS),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    found: dict[str, Metric] = reading(read_metrics)(stack.clients.logs, tuple(groups))
    return found
