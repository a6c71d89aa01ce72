"""The rows: what each workload trains on, which clients can submit it, and by which metric it improves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workshop.digits import build_mnist
from workshop.electricity import build_electricity
from workshop.shapes import build_caltech, build_cifar, build_more_voc, build_voc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
EXAMPLES: Final = ROOT / "examples"


class Client(StrEnum):
    """What submits a row."""

    BOTO3 = "boto3"
    SDK_V2 = "sdk-v2"
    SDK_V3 = "sdk-v3"
    SPEC = "spec"


class Better(StrEnum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True)
class Metric:
    """A metric in the lines of a training's log: ``pattern`` has one group, the value."""

    name: str
    pattern: re.Pattern[str]
    better: Better

    def read(self, lines: list[str]) -> list[float]:
        """Return the values in a log, in order."""
        return [float(found[1]) for line in lines if (found := self.pattern.search(line))]

    def improved(self, first: float, last: float) -> bool:
        """Whether the last value is better than the first."""
        return last < first if self.better is Better.LOWER else last > first


@dataclass(frozen=True)
class Row:
    """A workload. ``data`` returns the objects that it trains on, by their keys in the stack's bucket."""

    workload: str
    run: str
    """The name of the run, which the spec and the scripts give it by default."""
    notebook: Client
    """What the workshop's notebook used."""
    spec: str
    scripts: Mapping[Client, str]
    metric: Metric
    data: Callable[[], dict[str, bytes]]
    begins_with: str | None = None
    """The run whose model it begins with."""

    def client(self, wanted: Client | None) -> Client:
        """Return the client to use: the wanted one if the row has it, or else what the notebook used."""
        has_it = wanted is Client.SPEC or wanted in self.scripts
        return wanted if wanted is not None and has_it else self.notebook


def _of_sdks(name: str) -> dict[Client, str]:
    return {Client.SDK_V2: f"{name}_sdk_v2.py", Client.SDK_V3: f"{name}_sdk_v3.py"}


_MLOGLOSS: Final = Metric("validation-mlogloss", re.compile(r"validation-mlogloss:([\d.]+)"), Better.LOWER)
_MAP: Final = Metric("validation:mAP", re.compile(r"validation mAP <score>=\(([\d.]+)\)"), Better.HIGHER)

# Those that take longest come first: two cores train several at a time.
ROWS: Final = (
    Row(
        workload="Object detection, initial",
        run="object-detection-voc",
        notebook=Client.SDK_V2,
        spec="object-detection.yaml",
        scripts=_of_sdks("object_detection"),
        metric=_MAP,
        data=partial(build_voc, "voc"),
    ),
    Row(
        workload="DeepAR",
        run="deepar-electricity",
        notebook=Client.SDK_V2,
        spec="deepar.yaml",
        scripts=_of_sdks("deepar"),
        metric=Metric("train:loss", re.compile(r"train loss <loss>=(-?[\d.]+)"), Better.LOWER),
        data=partial(build_electricity, "deepar-electricity"),
    ),
    Row(
        workload="Image classification",
        run="image-classification-caltech256",
        notebook=Client.BOTO3,
        spec="image-classification.yaml",
        scripts={Client.BOTO3: "image_classification_boto3.py"},
        metric=Metric("validation:accuracy", re.compile(r"Validation-accuracy=([\d.]+)"), Better.HIGHER),
        data=partial(build_caltech, "caltech256"),
    ),
    Row(
        workload="TensorFlow, custom container",
        run="tf-cifar10",
        notebook=Client.SDK_V2,
        spec="tensorflow-cifar10.yaml",
        scripts=_of_sdks("tensorflow_cifar10"),
        metric=Metric("loss", re.compile(r"step = \d+, loss = ([\d.]+)"), Better.LOWER),
        data=partial(build_cifar, "tf-cifar10"),
    ),
    Row(
        workload="XGBoost, one instance",
        run="xgboost-mnist",
        notebook=Client.BOTO3,
        spec="xgboost.json",
        scripts={Client.BOTO3: "xgboost_boto3.py"},
        metric=_MLOGLOSS,
        data=partial(build_mnist, "xgboost-mnist", parts=1),
    ),
    Row(
        workload="XGBoost, two instances",
        run="xgboost-mnist-distributed",
        notebook=Client.BOTO3,
        spec="xgboost-distributed.yaml",
        scripts={Client.BOTO3: "xgboost_distributed_boto3.py"},
        metric=_MLOGLOSS,
        data=partial(build_mnist, "xgboost-mnist-distributed", parts=5),
    ),
    Row(
        workload="Object detection, incremental",
        run="object-detection-voc-incremental",
        notebook=Client.SDK_V2,
        spec="object-detection-incremental.yaml",
        scripts=_of_sdks("object_detection_incremental"),
        metric=_MAP,
        data=partial(build_more_voc, "voc"),
        begins_with="object-detection-voc",
    ),
)
