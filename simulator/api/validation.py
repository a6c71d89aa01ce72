"""Validates requests by botocore's model of SageMaker, as the real service does."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StructureShape
from botocore.validate import ParamValidator

from simulator.api.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

# The model's patterns are written for Java; these are its Unicode classes and their nearest Python equivalents.
_UNICODE_CLASSES: Final = {r"\p{L}": r"\w", r"\p{Z}": r"\s", r"\p{N}": r"\d"}


@cache
def service_model() -> ServiceModel:
    """Load botocore's description of SageMaker, once."""
    return ServiceModel(Loader(include_default_search_paths=True).load_service_model("sagemaker", "service-2"))


def validate(operation: str, request: Mapping[str, Any]) -> None:
    """Raise a ValidationException that lists everything in ``request`` that the model forbids."""
    shape = service_model().operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    faults = list(_faults(request, shape, ""))
    if faults:
        many = "s" if len(faults) > 1 else ""
        raise invalid(f"{len(faults)} validation error{many} detected: {'; '.join(faults)}")


def _faults(value: Any, shape: Shape, path: str) -> Iterator[str]:
    yield from _own_faults(value, shape, path)
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _faults(member, shape.members[name], _join(path, name))
    elif isinstance(shape, ListShape):
        for place, member in enumerate(value, start=1):
            yield from _faults(member, shape.member, f"{path}.{place}.member")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from _faults(key, shape.key, f"{path}.{key}.key")
            yield from _faults(member, shape.value, f"{path}.{key}.value")


def _own_faults(value: Any, shape: Shape, path: str) -> Iterator[str]:
    said = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must"
    limits = shape.metadata
    if shape.type_name in ("string", "list", "map"):
        if len(value) < limits.get("min", 0):
            yield f"{said} have length greater than or equal to {limits['min']}"
        if len(value) > limits.get("max", len(value)):
            yield f"{said} have length less than or equal to {limits['max']}"
    elif shape.type_name in ("integer", "long") and value > limits.get("max", value):
        yield f"{said} have value less than or equal to {limits['max']}"
    if shape.type_name != "string":
        return
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{said} satisfy enum value set: [{', '.join(limits['enum'])}]"
    pattern = limits.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield f"{said} satisfy regular expression pattern: {pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern, re.DOTALL)


def _join(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member
