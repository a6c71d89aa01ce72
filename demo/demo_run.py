"""Run the demo: submit a spec, follow its run to the end, and check the model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from demo import comparison
from demo.data import build_training_set
from demo.function_metrics import Metric, read_metrics
from demo.outcome import Outcome, Places
from demo.watcher import LOG_GROUP, Clients, View, Watcher
from embedded.patience import give_time
from spot_relay_client.errors import SpotRelayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_lambda import LambdaClient

    from demo.audience import Audience
    from spot_relay_client.api import Api

FOLDER = Path(__file__).parent
SPEC_FILE = FOLDER / "spec.yaml"
LIMIT_SECONDS = 150.0
POLL_SECONDS = 1.0
SETTLING_SECONDS = 5.0


class DemoError(Exception):
    """The demo did not end as it should; the message says why, and where to look."""


@dataclass(frozen=True)
class DeployedStack:
    """What the demo needs from a deployed stack: clients, and the names of its resources."""

    clients: Clients
    lambdas: LambdaClient
    specs_bucket: str
    functions: tuple[str, ...]

    def find_log_groups(self) -> tuple[str, ...]:
        """Return the log groups of the functions."""
        described = (self.lambdas.get_function_configuration(FunctionName=name) for name in self.functions)
        return tuple(answer["LoggingConfig"]["LogGroup"] for answer in described)


@dataclass(frozen=True)
class Spec:
    """The spec, with the parts of it that the demo itself uses."""

    document: dict[str, Any]

    @staticmethod
    def read(path: Path = SPEC_FILE) -> Spec:
        """Read the spec to submit."""
        return Spec(yaml.safe_load(path.read_bytes()))

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.document["name"])

    @property
    def job(self) -> Mapping[str, Any]:
        """The training job."""
        job: Mapping[str, Any] = self.document["training_job"]
        return job

    @property
    def rounds(self) -> int:
        """The number of rounds in the whole training."""
        return int(self.job["HyperParameters"]["num_round"])

    @property
    def checkpoints(self) -> str:
        """The S3 prefix of the checkpoints."""
        return str(self.job["CheckpointConfig"]["S3Uri"])

    def locate_channel(self, name: str) -> tuple[str, str]:
        """Return the bucket and the prefix of an input channel."""
        given = next(channel for channel in self.job["InputDataConfig"] if channel["ChannelName"] == name)
        bucket, _, prefix = given["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://").partition("/")
        return bucket, prefix


def run_demo(stack: DeployedStack, audience: Audience, started_second: float, limit: float = LIMIT_SECONDS) -> Outcome:
    """Run the demo on a deployed stack; ``started_second`` is the monotonic time at which the demo was started."""
    spec, files = Spec.read(), build_training_set()
    audience.note(f"Uploading a training set of {sum(map(len, files.values())) // 1000} kB to S3")
    upload_data(stack, spec, files)
    audience.note(f"Submitting {SPEC_FILE.relative_to(FOLDER.parent)}. Spot Relay does the rest.")
    submit(stack.clients.api, spec)
    watcher = Watcher(stack.clients, spec.name, spec.checkpoints)
    view = wait_for_last_round(watcher.look, follow(watcher.look, audience, limit), spec.rounds)
    audience.show(view)
    result, model = compare_model(stack, spec, view, files)
    groups = stack.find_log_groups()
    places = Places(
        status_document=f"s3://{stack.specs_bucket}/status/{spec.name}.json",
        training_logs=LOG_GROUP,
        function_logs=groups,
        checkpoints=spec.checkpoints,
        model=model,
    )
    return Outcome(view, result, wait_for_metrics(stack, groups, view), places, time.monotonic() - started_second)


def upload_data(stack: DeployedStack, spec: Spec, files: Mapping[str, bytes]) -> None:
    """Upload the training set to the locations of the spec's channels."""
    for key, content in files.items():
        channel, _, name = key.partition("/")
        bucket, prefix = spec.locate_channel(channel)
        if bucket not in {found.get("Name") for found in stack.clients.s3.list_buckets()["Buckets"]}:
            stack.clients.s3.create_bucket(Bucket=bucket)
        stack.clients.s3.put_object(Bucket=bucket, Key=f"{prefix}{name}", Body=content)


def submit(api: Api, spec: Spec) -> None:
    """Submit the spec; raise DemoError if it is refused."""
    try:
        api.submit(spec.document)
    except SpotRelayError as error:
        raise DemoError(f"The spec was not accepted: {error}") from error


def follow(look: Callable[[], View], audience: Audience, limit: float) -> View:
    """Show the run until it has ended; raise DemoError if that takes more than ``limit`` seconds."""

    def show() -> View:
        view = look()
        audience.show(view)
        return view

    watching = retry(
        retry=retry_if_result(lambda view: not view.ended),
        stop=stop_after_delay(limit),
        wait=wait_fixed(POLL_SECONDS),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    view: View = watching(show)()
    if not view.ended:
        raise DemoError(f"The run did not end within {limit:g} seconds. It is {view.status}: {view.run['reason']}")
    return view


def wait_for_last_round(look: Callable[[], View], view: View, rounds: int) -> View:
    """Look again until the log of a completed run includes its last round: log lines arrive independently."""
    if view.status != "Completed":
        return view
    looking = retry(
        retry=retry_if_result(lambda latest: latest.reached < rounds),
        stop=stop_after_delay(give_time(SETTLING_SECONDS)),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else view,
    )
    latest: View = looking(look)()
    return latest


def compare_model(
    stack: DeployedStack, spec: Spec, view: View, files: Mapping[str, bytes]
) -> tuple[comparison.Comparison | None, str | None]:
    """Compare the run's model with one trained here without interruption; return the result and where the model is."""
    if view.status != "Completed":
        return None, None
    job = stack.clients.sagemaker.describe_training_job(TrainingJobName=view.attempts[-1].job_name)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = stack.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    data = comparison.load_matrices(files)
    reference = comparison.train_uninterrupted(spec.job["HyperParameters"], data)
    return comparison.compare(comparison.extract_model(archive), reference, data), uri


def wait_for_metrics(stack: DeployedStack, groups: Iterable[str], view: View) -> dict[str, Metric]:
    """Return the metrics, after waiting for those of the run's end, which a function logs just before it returns."""
    reading = retry(
        retry=retry_if_result(lambda metrics: f"Runs{view.status}" not in metrics),
        stop=stop_after_delay(give_time(SETTLING_SECONDS)),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    metrics: dict[str, Metric] = reading(read_metrics)(stack.clients.logs, tuple(groups))
    return metrics
