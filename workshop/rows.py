"""The rows: what each workload trains on, which clients can submit it, and by which metric it improves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workshop.digits import build_mnist

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


_MLOGLOSS: Final = Metric("validation-mlogloss", re.compile(r"validation-mlogloss:([\d.]+)"), Better.LOWER)

ROWS: Final = (
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
)
