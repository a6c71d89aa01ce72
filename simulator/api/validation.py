"""Validates requests by botocore's model of SageMaker, as the real service does."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StructureShape
from botocore.validate import ParamValidator

from simulator.api.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

# The model's patterns are written for Java, whose classes are limited to ASCII, and whose . matches no line terminator.
_POSIX_CLASSES: Final = {"Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "Digit": "0-9"}
_NO_TERMINATOR: Final = "[^\\n\\r\\x85\\u2028\\u2029]"
_ELSE_OR_DOT: Final = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.)|\.")


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
        length = len(value.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(value, str) else len(value)
        if length < limits.get("min", 0):
            yield f"{said} have length greater than or equal to {limits['min']}"
        if length > limits.get("max", length):
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
    classes = re.sub(r"\\p\{(\w+)\}", lambda found: _members(found[1]), pattern)
    return re.compile(_ELSE_OR_DOT.sub(lambda found: found[1] or _NO_TERMINATOR, classes), re.ASCII)


@cache
def _members(name: str) -> str:
    """Return the characters of a class, as ranges within brackets."""
    if name in _POSIX_CLASSES:
        return _POSIX_CLASSES[name]
    found = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(name)]
    first = [code for code, before in zip(found, [-2, *found], strict=False) if code != before + 1]
    last = [code for code, after in zip(found, [*found[1:], -1], strict=False) if code != after - 1]
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(first, last, strict=True))


def _join(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member
