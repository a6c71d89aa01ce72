"""A spec that may still be invalid, read without surprises: a value of another type than expected counts as absent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.sagemaker.built_in import BUILT_IN_WITHOUT_CHECKPOINTS, find_built_in_without_checkpoints
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.request import DEFAULT_MAX_RUNTIME_SECONDS
from spot_relay.domain.values import dataclass

# Where SageMaker puts checkpoints in the container unless the request says otherwise.
DEFAULT_CHECKPOINT_FOLDER = "/opt/ml/checkpoints"
_IMAGE_REGION = compile_later(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.", re.ASCII)


@dataclass(frozen=True)
class Place:
    """A placement as the spec states it, and where."""

    path: str
    market: Market
    instance_count: int


@dataclass(frozen=True)
class Draft:
    """The parts of a spec that rules read."""

    name: str | None
    job: Mapping[str, Any]
    policy: Mapping[str, Any]
    root: str = ""
    """The path of the training job in the document."""
    name_path: str = "name"
    algorithm: str | None = None
    """The built-in algorithm, if the document names it instead of its image."""
    locate: Callable[[str], str] = str
    """Returns where in the document a path of the training job comes from: an option of the SDK, or itself."""

    def path(self, *keys: str) -> str:
        """Return the path of a member of the training job."""
        return ".".join(filter(None, (self.root, *keys)))

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return a mapping in the training job, or an empty one."""
        return as_mapping(self.job.get(key))

    @property
    def channels(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The input channels, with their paths."""
        path = self.path("InputDataConfig")
        return [(f"{path}[{index}]", channel) for index, channel in _mappings_in(self.job.get("InputDataConfig"))]

    @property
    def channel_uris(self) -> list[tuple[str, str]]:
        """The S3 URIs of the input channels, with their paths."""
        sources = ((path, as_mapping(channel.get("DataSource"))) for path, channel in self.channels)
        uris = ((path, as_text(as_mapping(source.get("S3DataSource")).get("S3Uri"))) for path, source in sources)
        return [(f"{path}.DataSource.S3DataSource.S3Uri", uri) for path, uri in uris if uri is not None]

    @property
    def built_in_without_checkpoints(self) -> str | None:
        """The name of the built-in algorithm, if it is known to write no checkpoints."""
        named = self.algorithm if self.algorithm in BUILT_IN_WITHOUT_CHECKPOINTS else None
        return named or find_built_in_without_checkpoints(self.job)

    def seconds(self, key: str) -> int | None:
        """Return a member of StoppingCondition, or None."""
        return as_integer(self.mapping("StoppingCondition").get(key))

    @property
    def max_runtime(self) -> int:
        """MaxRuntimeInSeconds, or SageMaker's default."""
        given = self.seconds("MaxRuntimeInSeconds")
        return DEFAULT_MAX_RUNTIME_SECONDS if given is None else given

    @property
    def checkpoint_uri(self) -> str | None:
        """The S3 prefix of the checkpoints, with its trailing slash."""
        uri = as_text(self.mapping("CheckpointConfig").get("S3Uri"))
        return None if uri is None else as_folder(uri)

    @property
    def checkpoint_folder(self) -> str:
        """The folder of the checkpoints in the container, with its trailing slash."""
        given = as_text(self.mapping("CheckpointConfig").get("LocalPath"))
        return as_folder(given or DEFAULT_CHECKPOINT_FOLDER)

    @property
    def places(self) -> tuple[Place, ...]:
        """The placements of the ladder, or else the job's own."""
        resources = self.mapping("ResourceConfig")
        own = as_integer(resources.get("InstanceCount")) or _count_groups(resources) or 1
        rungs = _mappings_in(self.policy.get("ladder"))
        if not rungs:
            market = Market.SPOT if self.asks_for_spot else Market.ON_DEMAND
            return (Place(self.path("ResourceConfig", "InstanceCount"), market, own),)
        return tuple(
            Place(
                f"policy.ladder[{index}]",
                Market.ON_DEMAND if rung.get("market") == Market.ON_DEMAND else Market.SPOT,
                as_integer(rung.get("instance_count")) or own,
            )
            for index, rung in rungs
        )

    @property
    def asks_for_spot(self) -> bool:
        """Whether the job itself is one on spot."""
        return self.job.get("EnableManagedSpotTraining") is True

    @property
    def uses_spot(self) -> bool:
        """Whether an attempt may run on spot."""
        return self.asks_for_spot or any(place.market is Market.SPOT for place in self.places)

    @property
    def may_use_on_demand(self) -> bool:
        """Whether an attempt may run on-demand: by the ladder, by the job itself, or because a deadline requires it."""
        return "deadline" in self.policy or any(place.market is Market.ON_DEMAND for place in self.places)

    @property
    def most_instances(self) -> Place:
        """The first placement with the most instances."""
        return max(self.places, key=lambda place: place.instance_count)

    @property
    def image_region(self) -> str | None:
        """The region of the training image, which has to be the job's own."""
        image = as_text(self.mapping("AlgorithmSpecification").get("TrainingImage"))
        found = _IMAGE_REGION.match(image) if image is not None else None
        return found and found[1]


@dataclass(frozen=True)
class Surroundings:
    """What is known beyond the document. Rules keep silent about what is not known."""

    region: str | None = None
    """Where the job would run; None for the region of its image."""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """The checkpoint prefixes of other specs and runs, by their names."""
    bucket_regions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    """How many objects each sharded channel has."""
    checkpoint_objects: int | None = None
    """How many objects are under the checkpoint prefix."""
    existing_run: str | None = None
    """The status of the run that this very spec has already."""


NOTHING_KNOWN = Surroundings()


def read_draft(document: Mapping[str, Any]) -> Draft:
    """Return the parts of a document: a CreateTrainingJob request, or one wrapped with a name and a policy.

    `spot_relay.request.drafts` also reads options of the SageMaker Python SDK.
    """
    wrapped = "training_job" in document
    job = document.get("training_job") if wrapped else document
    policy = document.get("policy") if wrapped else None
    return Draft(
        name=as_text(document.get("name") if wrapped else document.get("TrainingJobName")),
        job=as_mapping(job),
        policy=as_mapping(policy),
        root="training_job" if wrapped else "",
        name_path="name" if wrapped else "TrainingJobName",
    )


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_text(value: Any) -> str | None:
    """Return a text, or None for anything else."""
    return value if isinstance(value, str) else None


def as_integer(value: Any) -> int | None:
    """Return an integer, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_folder(path: str) -> str:
    """Return a path or URI with one slash at its end."""
    return path.rstrip("/") + "/"


def _count_groups(resources: Mapping[str, Any]) -> int:
    groups = _mappings_in(resources.get("InstanceGroups"))
    return sum(as_integer(group.get("InstanceCount")) or 0 for _, group in groups)


def _mappings_in(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the mappings in a list with their indexes, and none if it is no list."""
    entries = value if isinstance(value, list) else []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, Mapping)]
