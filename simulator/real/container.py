"""What a training container finds: the folders below ``/opt/ml``, configuration files and environment variables."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from simulator.real.namespace import CONTAINER_BASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.api.wire import Record
    from simulator.real.cluster import Cluster, Instance
    from simulator.world.images import Image

_CHECKPOINTS: Final = "/opt/ml/checkpoints/"
# Folders with another purpose, which cannot hold checkpoints as well.
_TAKEN: Final = ("input", "model", "output")
_TRAINING_SCRIPT: Final = "train.py"
# Of the simulator's environment a process gets these variables, and those that begin with AWS_.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
_LONGEST_REASON: Final = 1024


@dataclass(frozen=True)
class Tree:
    """The folders of one container below ``base``, which is ``/opt/ml`` or takes its place."""

    base: Path
    checkpoints: Path

    @property
    def config(self) -> Path:
        """The folder of the configuration files."""
        return self.base / "input" / "config"

    @property
    def model(self) -> Path:
        """The folder that is packed into ``model.tar.gz``."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """The folder that is packed into ``output.tar.gz``."""
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        """The file in which a failing training writes its reason."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        """Return the folder of a channel's files."""
        return self.base / "input" / "data" / name


def tree_for(request: Mapping[str, Any], base: Path) -> Tree:
    """Return the tree of a job below ``base``.

    The checkpoint folder is where LocalPath says, below ``/opt/ml``. For any other LocalPath it is there, too, and
    named after the last part.
    """
    local = PurePosixPath(request.get("CheckpointConfig", {}).get("LocalPath", _CHECKPOINTS))
    inside = local.relative_to(CONTAINER_BASE) if local.is_relative_to(CONTAINER_BASE) else PurePosixPath(local.name)
    usable = inside.parts and ".." not in inside.parts and inside.parts[0] not in _TAKEN
    return Tree(base, base / (inside if usable else "checkpoints"))


def command_of(request: Mapping[str, Any], image: Image) -> list[str]:
    """Return the command of a container: its entry point if the request has one, else the image's script.

    Raises
    ------
    ValueError
        If the image has no script although it needs one.
    """
    algorithm = request["AlgorithmSpecification"]
    script = image.folder / _TRAINING_SCRIPT
    entry: list[str] | None = algorithm.get("ContainerEntrypoint")
    if not entry and not script.is_file():
        uri = algorithm["TrainingImage"]
        raise ValueError(f"The training image {uri} has no {_TRAINING_SCRIPT}, and the job no ContainerEntrypoint.")
    return [*(entry or [str(image.python), str(script)]), *algorithm.get("ContainerArguments", [])]


def prepare(tree: Tree, request: Mapping[str, Any], cluster: Cluster, instance: Instance) -> None:
    """Create the folders of an instance's container and write the configuration files."""
    for folder in (tree.config, tree.model, tree.output, tree.checkpoints):
        folder.mkdir(parents=True, exist_ok=True)
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", "File"),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in request.get("InputDataConfig", [])
        if cluster.share(instance, channel)
    }
    documents = {
        "hyperparameters": request.get("HyperParameters", {}),
        "inputdataconfig": channels,
        "resourceconfig": cluster.resource_config(instance),
    }
    for name, document in documents.items():
        (tree.config / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def environment(tree: Tree, record: Record, cluster: Cluster, instance: Instance, region: str) -> dict[str, str]:
    """Return the variables of the training process; the request's Environment overrides the others.

    ``tree`` has the folders where the process finds them.
    """
    request = record.request
    hyperparameters = {key: _value(text) for key, text in request.get("HyperParameters", {}).items()}
    channels = [
        channel["ChannelName"] for channel in request.get("InputDataConfig", []) if cluster.share(instance, channel)
    ]
    resources = cluster.resource_config(instance)
    given = {
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": region,
        "SAGEMAKER_BASE_DIR": str(tree.base),
        "SM_INPUT_DIR": str(tree.base / "input"),
        "SM_INPUT_CONFIG_DIR": str(tree.config),
        "SM_OUTPUT_DIR": str(tree.base / "output"),
        "SM_OUTPUT_DATA_DIR": str(tree.output),
        "SM_MODEL_DIR": str(tree.model),
        "SM_CHECKPOINT_DIR": str(tree.checkpoints),
        "SM_CHANNELS": json.dumps(channels),
        "SM_HPS": json.dumps(hyperparameters),
        "SM_HOSTS": json.dumps(cluster.hosts),
        "SM_CURRENT_HOST": instance.host,
        "SM_CURRENT_INSTANCE_TYPE": instance.instance_type,
        "SM_CURRENT_INSTANCE_GROUP": instance.group,
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "TRAINING_JOB_NAME": record.name,
        "TRAINING_JOB_ARN": record.arn,
    }
    of_channels = {f"SM_CHANNEL_{_variable(name)}": str(tree.channel(name)) for name in channels}
    of_hyperparameters = {
        f"SM_HP_{_variable(key)}": value if isinstance(value, str) else json.dumps(value)
        for key, value in hyperparameters.items()
    }
    return {**inherited_variables(), **given, **of_channels, **of_hyperparameters, **request.get("Environment", {})}


def inherited_variables() -> dict[str, str]:
    """Return what a process gets of the simulator's own environment."""
    return {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("AWS_")}


def failure_reason(tree: Tree, code: int) -> str:
    """Return the FailureReason for a process that ended with ``code`` (negative: by that signal)."""
    reason = ""
    if tree.failure.is_file():
        reason = tree.failure.read_text(encoding="utf-8", errors="replace").strip()
    ending = f"exit code: {code if code >= 0 else 128 - code}"
    opening = "AlgorithmError: "
    room = _LONGEST_REASON - len(opening) - len(ending) - 2
    return f"{opening}{reason[:room]}, {ending}" if reason else f"{opening}{ending}"


def _variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper()


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
