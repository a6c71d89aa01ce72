"""Check a training job against botocore's SageMaker model: types, required keys, lengths, enums and patterns.

botocore's ``ParamValidator`` leaves enums, patterns and upper bounds to the service, and accepts a boolean as an
integer. Here everything is reported at once, before anything is launched. Whatever passes here also passes there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from spot_relay.domain.sagemaker.redaction import SECRET_MEMBERS
from spot_relay.request.problem import InvalidSpecError, Problems, describe, describe_character, format_key, join_path
from spot_relay.request.service_pattern import UntranslatablePatternError, count_characters, find_mismatch
from spot_relay.request.suggestion import find_nearest, find_sdk_option, squeeze

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import StructureShape

_FEW = 8
_LINE_ADVICE = (
    "Write it on one line, for example as JSON, or encoded as base64. If it is long, put it in S3 and write its URI. "
    "In YAML, |- instead of | leaves out the last line break."
)
_INTEGER_LIMITS = {"integer": 2**31 - 1, "long": 2**63 - 1}


@lru_cache(maxsize=1)
def load_request_shape() -> StructureShape:
    """Return the shape of a CreateTrainingJob request, read from botocore's data.

    This needs no client and no credentials. The first call takes a few tenths of a second, so it is not made when this
    module is imported: not every cold start has to pay for it.
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
            queue += _list_references(shapes[name])
    # Keep only the reachable shapes: the whole model takes tens of megabytes.
    shape: Any = ShapeResolver(wanted).get_shape_by_name("CreateTrainingJobRequest")
    return cast("StructureShape", shape)


def _list_references(shape: Mapping[str, Any]) -> list[str]:
    single = [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return single + [member["shape"] for member in shape.get("members", {}).values()]


def list_request_keys() -> tuple[str, ...]:
    """Return the keys of a CreateTrainingJob request."""
    return tuple(load_request_shape().members)


def find_place(key: str) -> str | None:
    """Return the path in the request that an unknown key was probably intended for, or None.

    In this order: another spelling of a top-level key, an option of the SageMaker Python SDK, a key that occurs in
    exactly one nested structure, and a key similar to a top-level one.
    """
    spellings, nested = _index_keys()
    squeezed = squeeze(key)
    return (
        spellings.get(squeezed) or find_sdk_option(key) or nested.get(squeezed) or find_nearest(key, spellings.values())
    )


@lru_cache(maxsize=1)
def _index_keys() -> tuple[dict[str, str], dict[str, str]]:
    spellings: dict[str, str] = {}
    nested: dict[str, list[str]] = {}
    for name, shape in load_request_shape().members.items():
        spellings[squeeze(name)] = name
        for member in getattr(shape, "members", {}):
            nested.setdefault(squeeze(member), []).append(f"{name}.{member}")
    return spellings, {name: places[0] for name, places in nested.items() if len(places) == 1}


def check_request(request: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Report every way in which ``request`` does not fit the model, except for its name (see `run_name`)."""
    shape = load_request_shape()
    walk = _Walk(path, problems)
    walk.check_structure(request, shape, path, skip=frozenset({"TrainingJobName"}))


def explain_value(value: Any, *place: str) -> str | None:
    """Return what is wrong with a value for ``place`` in a request, or None if it fits."""
    shape: Any = load_request_shape()
    for name in place:
        shape = shape.members[name]
    problems = Problems()
    _Walk("", problems).check(value, shape, "")
    try:
        problems.raise_if_any()
    except InvalidSpecError as error:
        return error.problems[0].message
    return None


class _Walk:
    """Walks through a value and its shape in parallel."""

    def __init__(self, root: str, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def check_structure(
        self, value: Mapping[str, Any], shape: Any, path: str, skip: frozenset[str] = frozenset()
    ) -> None:
        members: Mapping[str, Any] = shape.members
        for key, item in value.items():
            if key in skip:
                continue
            if key in members:
                self.check(item, members[key], join_path(path, key), secret=key in SECRET_MEMBERS)
            else:
                self._report_unknown(key, members, path)
        for name in shape.metadata.get("required", ()):
            if name not in value and name not in skip:
                self._problems.add_missing(join_path(path, name), "SageMaker requires this key. Add it.")
        if getattr(shape, "is_tagged_union", False) and len(value) != 1:
            self._problems.add(path, f"Found {len(value)} keys, but exactly one of {', '.join(members)} is allowed.")

    def _report_unknown(self, key: str, members: Mapping[str, Any], path: str) -> None:
        nearest = {squeeze(name): name for name in members}.get(squeeze(key))
        place = None if nearest else find_place(key)
        if nearest is None and (place is None or path != self._root):
            nearest = find_nearest(key, members)
        if nearest is None and place in members and path == self._root:
            nearest = place
        if nearest is not None and key.endswith(".$"):
            self._problems.note_intended(join_path(path, nearest))
            hint = (
                f"This is a path of Step Functions, which only a state machine replaces. Write {nearest} and its value."
            )
        elif nearest is not None:
            self._problems.note_intended(join_path(path, nearest))
            hint = f'Did you mean "{nearest}"?'
        elif place is not None:
            full_place = f"{self._root}.{place}" if self._root else place
            self._problems.note_intended(full_place)
            hint = f"Use {full_place} instead."
        elif len(members) <= _FEW:
            hint = f"Known keys are {', '.join(members)}."
        else:
            hint = "CreateTrainingJob has no such key. Remove it."
        self._problems.add(join_path(path, key), f"Unknown key. {hint}")

    def check(self, value: Any, shape: Any, path: str, *, secret: bool = False) -> None:
        found = describe(value, secret=secret)
        match shape.type_name, value:
            case "structure", dict():
                self.check_structure(value, shape, path)
            case "map", dict():
                self._check_map(value, shape, path, secret=secret)
            case "list", list():
                self._check_length(len(value), shape, path, "entries")
                for index, item in enumerate(value):
                    self.check(item, shape.member, f"{path}[{index}]", secret=secret)
            case "string", str():
                self._check_text(value, shape, path, found, secret=secret)
            case "boolean", bool():
                pass
            case (("integer" | "long"), int()) if not isinstance(value, bool):
                self._check_integer(value, shape, path, found)
            case ("structure" | "map" | "list" | "string" | "boolean" | "integer" | "long") as kind, _:
                expected, advice = _EXPECTED[kind]
                advice = _advise_instead(value, shape, secret=secret) or advice
                self._problems.add(path, f"Expected {expected}, but found {found}. {advice}")
            case _:
                self._check_other(value, shape, path, found)

    def _check_map(self, value: Mapping[str, Any], shape: Any, path: str, *, secret: bool) -> None:
        self._check_length(len(value), shape, path, "keys")
        for key, item in value.items():
            self._check_text(key, shape.key, join_path(path, key), f'the key "{format_key(key)}"')
            self.check(item, shape.value, join_path(path, key), secret=secret)

    def _check_text(self, value: str, shape: Any, path: str, found: str, *, secret: bool = False) -> None:
        # The length comes first because it bounds the work of matching a pattern.
        if not self._check_length(count_characters(value), shape, path, "characters"):
            return
        names = shape.metadata.get("enum")
        if names and value not in names:
            self._problems.add(path, f"SageMaker does not accept {found} here. {_suggest_choice(value, names)}")
        if pattern := shape.metadata.get("pattern"):
            self._check_pattern(value, pattern, path, found, secret=secret)

    def _check_pattern(self, value: str, pattern: str, path: str, found: str, *, secret: bool) -> None:
        try:
            mismatch = find_mismatch(pattern, value)
        except UntranslatablePatternError:
            # The pinned model has no such pattern; with another release of botocore, the service checks this one.
            return
        if mismatch is None:
            return
        if mismatch.only_line_breaks:
            self._problems.add(path, f"Found {found} with a line break, but SageMaker allows none here. {_LINE_ADVICE}")
        elif mismatch.allowed is None:
            self._problems.add(path, f"Found {found}, but it must match SageMaker's pattern {pattern}")
        else:
            listed = " ".join(describe_character(character) for character in mismatch.offending[:_FEW])
            wrong = "" if secret else f", which contains {listed}"
            self._problems.add(path, f"Found {found}{wrong}. SageMaker allows only {mismatch.allowed} here.")

    def _check_integer(self, value: int, shape: Any, path: str, found: str) -> None:
        minimum = shape.metadata.get("min", -_INTEGER_LIMITS[shape.type_name] - 1)
        maximum = shape.metadata.get("max", _INTEGER_LIMITS[shape.type_name])
        if value < minimum:
            self._problems.add(path, f"Found {found}, but it must be at least {minimum}.")
        elif value > maximum:
            self._problems.add(path, f"Found {found}, but it must be at most {maximum}.")

    def _check_length(self, length: int, shape: Any, path: str, unit: str) -> bool:
        minimum, maximum = shape.metadata.get("min", 0), shape.metadata.get("max")
        if length < minimum:
            self._problems.add(path, f"Found {length} {unit}, but at least {minimum} must be given.")
        elif maximum is not None and length > maximum:
            self._problems.add(path, f"Found {length} {unit}, but at most {maximum} are allowed. Shorten it.")
        else:
            return True
        return False

    def _check_other(self, value: Any, shape: Any, path: str, found: str) -> None:
        """Let botocore check kinds of shapes that CreateTrainingJob does not have today."""
        from botocore.validate import ParamValidator

        if ParamValidator().validate(value, shape).has_errors():
            self._problems.add(path, f"Expected SageMaker's type {shape.type_name}, but found {found}.")


_INTEGER = ("an integer", "Write a whole number without quotes.")
_EXPECTED = {
    "structure": ("a mapping", "Write its keys, or remove it."),
    "map": ("a mapping of names to strings", "Write one, or remove it."),
    "list": ("a list", "Put the value in a list."),
    "string": ("a string", 'Put the value in quotes, such as "5" for 5.'),
    "boolean": ("a boolean", "Write true or false without quotes."),
    "integer": _INTEGER,
    "long": _INTEGER,
}


def _advise_instead(value: Any, shape: Any, *, secret: bool) -> str | None:
    """Return advice for a value that the usual advice for its kind would not help, or None."""
    if value is None:
        return "Write a value, or remove the key."
    if shape.type_name == "string" and isinstance(value, (dict, list)):
        # Only hyperparameters and their like are text of any form.
        return "Write it as text, for example as JSON in quotes." if secret else "Write the text itself."
    if shape.type_name == "list" and isinstance(value, dict) and shape.member.type_name == "structure":
        known = ", ".join(list(shape.member.members)[:_FEW])
        return f"Write a list of mappings, each with keys such as {known}."
    return None


def _suggest_choice(value: str, names: list[str]) -> str:
    if len(names) <= _FEW:
        return f"Use one of {', '.join(names)}."
    nearest = find_nearest(value, names)
    return f'Did you mean "{nearest}"?' if nearest else f"Use one of its {len(names)} values, such as {names[0]}."
