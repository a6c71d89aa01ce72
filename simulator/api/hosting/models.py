"""CreateModel, DescribeModel and DeleteModel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.api.errors import invalid
from simulator.api.hosting.resources import Resource, Resources
from simulator.api.tags import add_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.account import Account
    from simulator.api.hosting.materials import Materials
    from simulator.api.hosting.packages import Packages


@dataclass(frozen=True)
class ModelData:
    """Where the artifacts of a model are: an archive ``.tar.gz``, or a folder if it is not ``packed``."""

    uri: str
    packed: bool = True


@dataclass(frozen=True)
class Container:
    """A container of a model: its image, where its artifacts are, and its environment variables."""

    image: str
    data: ModelData | None
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Model(Resource):
    """A model, with the request that created it."""

    request: Mapping[str, Any]
    containers: tuple[Container, ...]


class Models:
    """All models of an account."""

    def __init__(self, account: Account, packages: Packages, materials: Materials, now: Callable[[], float]) -> None:
        self._packages = packages
        self._materials = materials
        self._now = now
        self.kept: Resources[Model] = Resources(account, "model", "model")

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer CreateModel, after checking that the images and the artifacts exist, as the service does."""
        name = request["ModelName"]
        if "ExecutionRoleArn" not in request:
            raise invalid("ExecutionRoleArn is required for models that are deployed with their ModelName")
        self.kept.check_free(name)
        containers = tuple(self._container(definition) for definition in _definitions(request))
        for container in containers:
            self._check(container)
        tags = add_tags({}, request.get("Tags", []))
        arn = self.kept.arn(name)
        self.kept.keep(
            Model(name=name, arn=arn, created_at=self._now(), tags=tags, request=request, containers=containers)
        )
        return {"ModelArn": arn}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeModel."""
        model = self.kept.existing(request["ModelName"])
        answer = {key: value for key, value in model.request.items() if key != "Tags"}
        if "PrimaryContainer" in answer:
            answer["PrimaryContainer"] = _shown(answer["PrimaryContainer"])
        if "Containers" in answer:
            answer["Containers"] = [_shown(definition) for definition in answer["Containers"]]
        answer.setdefault("EnableNetworkIsolation", False)
        return {**answer, "ModelArn": model.arn, "CreationTime": model.created_at}

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DeleteModel; endpoints that use the model go on."""
        self.kept.remove(self.kept.existing(request["ModelName"]))
        return {}

    def _container(self, definition: Mapping[str, Any]) -> Container:
        environment = definition.get("Environment", {})
        if "ModelPackageName" in definition:
            definition = self._packages.container_of(definition["ModelPackageName"])
            environment = {**definition.get("Environment", {}), **environment}
        if "Image" not in definition:
            raise invalid("Image is required for containers without a ModelPackageName")
        return Container(definition["Image"], _data_of(definition), environment)

    def _check(self, container: Container) -> None:
        if not self._materials.has_image(container.image):
            raise invalid(f"Requested image {container.image} not found.")
        data = container.data
        if data is not None and not self._materials.has_data(data.uri, folder=not data.packed):
            raise invalid(f"Could not find model data at {data.uri}.")


def _definitions(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if ("PrimaryContainer" in request) == bool(request.get("Containers")):
        raise invalid("Exactly one of PrimaryContainer and Containers must be given")
    return [request["PrimaryContainer"]] if "PrimaryContainer" in request else request["Containers"]


def _data_of(definition: Mapping[str, Any]) -> ModelData | None:
    if "ModelDataUrl" in definition:
        return ModelData(definition["ModelDataUrl"])
    source = definition.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return None
    packed = source["CompressionType"] == "Gzip"
    if packed != (source["S3DataType"] == "S3Object"):
        raise invalid("The simulator reads an S3Object that is compressed with Gzip, or an S3Prefix that is not")
    return ModelData(source["S3Uri"], packed)


def _shown(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container as DescribeModel shows it in practice: with its mode, and its data in both forms."""
    shown = {"Mode": "SingleModel", **definition}
    if "ModelDataUrl" in definition:
        archive = {"S3Uri": definition["ModelDataUrl"], "S3DataType": "S3Object", "CompressionType": "Gzip"}
        shown.setdefault("ModelDataSource", {"S3DataSource": archive})
    return shown
