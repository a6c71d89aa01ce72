"""A training job against botocore's own SageMaker model: types, required keys, lengths, enums and patterns.

botocore's ``ParamValidator`` leaves enums, patterns and upper bounds to the service and takes a boolean for an
integer; a spec is told all of it at once, before anything is launched. What passes here passes there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from spot_relay.domain.sagemaker.redaction import SECRET_MEMBERS
from spot_relay.spec.problem import InvalidSpecError, Problems, child, shown, shown_key
from spot_relay.spec.suggestion import nearest, sdk_place, squeezed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import StructureShape

_FEW = 8
_INTEGER_LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1}


@lru_cache(maxsize=1)
def training_job_shape() -> StructureShape:
    """Read the shape of CreateTrainingJob's request from botocore's data, once.

    No client and no credentials are needed. The first call costs a cold start some tenths of a second, which
    is why importing this module does not.
    """
    from botocore.loaders import Loader
    from botocore.model import ShapeResolver

    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    wanted: dict[str, Any] = {}
    queue = ["CreateTrainingJobRequest"]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted[name] = shapes[name]
            queue += _references(shapes[name])
    # Only what is reached is kept: the whole model takes tens of megabytes.
    shape: Any = ShapeResolver(wanted).get_shape_by_name("CreateTrainingJobRequest")
    return cast("StructureShape", shape)


def _references(shape: Mapping[str, Any]) -> list[str]:
    single = [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return single + [member["shape"] for member in shape.get("members", {}).values()]


def request_members() -> tuple[str, ...]:
    """Name the keys of a CreateTrainingJob request."""
    return tuple(training_job_shape().members)


def place_of(key: str) -> str | None:
    """Give the path in the request that an unknown key was meant for, or None.

    A spelling of a top-level name, an option of the SageMaker Python SDK, a name that one nested structure
    alone has, and a near miss are known, in this order.
    """
    spellings, nested = _places()
    exact = squeezed(key)
    return spellings.get(exact) or sdk_place(key) or nested.get(exact) or nearest(key, spellings.values())


@lru_cache(maxsize=1)
def _places() -> tuple[dict[str, str], dict[str, str]]:
    spellings: dict[str, str] = {}
    nested: dict[str, list[str]] = {}
    for name, shape in training_job_shape().members.items():
        spellings[squeezed(name)] = name
        for member in getattr(shape, "members", {}):
            nested.setdefault(squeezed(member), []).append(f"{name}.{member}")
    return spellings, {name: places[0] for name, places in nested.items() if len(places) == 1}


def check_request(request: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Note every way in which ``request`` does not fit the model. The name is left to the rules on names."""
    shape = training_job_shape()
    walk = _Walk(path, problems)
    walk.structure(request, shape, path, skip=frozenset({"TrainingJobName"}))


def fault_of(value: Any, *place: str) -> str | None:
    """Say what is wrong with a value that is to stand at ``place`` in a request, or give None."""
    shape: Any = training_job_shape()
    for name in place:
        shape = shape.members[name]
    problems = Problems()
    _Walk("", problems).value(value, shape, "")
    try:
        problems.raise_if_any()
    except InvalidSpecError as error:
        return error.problems[0].message
    return None


class _Walk:
    """Walks a value and its shape side by side."""

    def __init__(self, root: str, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def structure(self, value: Mapping[str, Any], shape: Any, path: str, skip: frozenset[str] = frozenset()) -> None:
        members: Mapping[str, Any] = shape.members
        for key, item in value.items():
            if key in skip:
                continue
            if key in members:
                self.value(item, members[key], child(path, key), secret=key in SECRET_MEMBERS)
            else:
                self._unknown(key, members, path)
        for name in shape.metadata.get("required", ()):
            if name not in value and name not in skip:
                self._problems.missing(child(path, name), "The key is missing, and SageMaker requires it: add it.")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            self._problems.add(path, f"Exactly one of {', '.join(members)} must be given.")

    def _unknown(self, key: str, members: Mapping[str, Any], path: str) -> None:
        guess = {squeezed(name): name for name in members}.get(squeezed(key))
        place = None if guess else place_of(key)
        if guess is None and (place is None or path != self._root):
            guess = nearest(key, members)
        if guess is None and place in members and path == self._root:
            guess = place
        if guess is not None:
            self._problems.meant(child(path, guess))
            hint = f'did you mean "{guess}"?'
        elif place is not None:
            full = f"{self._root}.{place}" if self._root else place
            self._problems.meant(full)
            hint = f"CreateTrainingJob has it at {full}."
        elif len(members) <= _FEW:
            hint = f"known are {', '.join(members)}."
        else:
            hint = "CreateTrainingJob has no such key. Remove it."
        self._problems.add(child(path, key), f"The key is unknown: {hint}")

    def value(self, value: Any, shape: Any, path: str, *, secret: bool = False) -> None:
        found = shown(value, secret=secret)
        match shape.type_name, value:
            case "structure", dict():
                self.structure(value, shape, path)
            case "map", dict():
                self._map(value, shape, path, secret=secret)
            case "list", list():
                self._bounds(len(value), shape, path, "entries")
                for index, item in enumerate(value):
                    self.value(item, shape.member, f"{path}[{index}]", secret=secret)
            case "string", str():
                self._text(value, shape, path, found)
            case "boolean", bool():
                pass
            case (("integer" | "long"), int()) if not isinstance(value, bool):
                self._integer(value, shape, path, found)
            case ("structure" | "map" | "list" | "string" | "boolean" | "integer" | "long") as needed, _:
                self._problems.add(path, f"Found {found} {_WANTED[needed]}")
            case _:
                self._other(value, shape, path, found)

    def _map(self, value: Mapping[str, Any], shape: Any, path: str, *, secret: bool) -> None:
        self._bounds(len(value), shape, path, "keys")
        for key, item in value.items():
            self._text(key, shape.key, child(path, key), f'the key "{shown_key(key)}"')
            self.value(item, shape.value, child(path, key), secret=secret)

    def _text(self, value: str, shape: Any, path: str, found: str) -> None:
        # The length first: it bounds the work of matching a pattern.
        if not self._bounds(len(value), shape, path, "characters"):
            return
        names = shape.metadata.get("enum")
        if names and value not in names:
            self._problems.add(path, f"Found {found}, which SageMaker does not know here: {_choice(value, names)}")
        pattern = _compiled(shape.metadata.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            self._problems.add(path, f"Found {found}, which does not fit SageMaker's pattern {pattern.pattern}")

    def _integer(self, value: int, shape: Any, path: str, found: str) -> None:
        least = shape.metadata.get("min", -_INTEGER_LIMITS[shape.type_name] - 1)
        most = shape.metadata.get("max", _INTEGER_LIMITS[shape.type_name])
        if value < least:
            self._problems.add(path, f"Found {found}, and it must be at least {least}.")
        elif value > most:
            self._problems.add(path, f"Found {found}, and it must be at most {most}.")

    def _bounds(self, length: int, shape: Any, path: str, unit: str) -> bool:
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
        if length < least:
            self._problems.add(path, f"Found {length} {unit}, and it needs at least {least}.")
        elif most is not None and length > most:
            self._problems.add(path, f"Found {length} {unit}, and at most {most} are allowed: shorten it.")
        else:
            return True
        return False

    def _other(self, value: Any, shape: Any, path: str, found: str) -> None:
        """Leave a kind of shape that CreateTrainingJob does not have today to botocore."""
        from botocore.validate import ParamValidator

        if ParamValidator().validate(value, shape).has_errors():
            self._problems.add(path, f"Found {found}, which does not fit SageMaker's type {shape.type_name}.")


_WANTED = {
    "structure": "where a mapping is needed: give its keys, or leave it out.",
    "map": "where a mapping of names to strings is needed: give its keys, or leave it out.",
    "list": "where a list is needed: put it in a list.",
    "string": 'where a string is needed: put the value in quotes, such as "5" for 5.',
    "boolean": "where a boolean is needed: write true or false without quotes.",
    "integer": "where an integer is needed: write a whole number without quotes.",
    "long": "where an integer is needed: write a whole number without quotes.",
}


def _choice(value: str, names: list[str]) -> str:
    if len(names) <= _FEW:
        return f"use one of {', '.join(names)}."
    guess = nearest(value, names)
    return f'did you mean "{guess}"?' if guess else f"use one of its {len(names)} values, such as {names[0]}."


@lru_cache(maxsize=256)
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """Compile a pattern of the model, which is Java's, or give None when Python cannot read it.

    The service matches the whole text, and Java's classes are ASCII's unless told otherwise.
    """
    if pattern is None:
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        return None
