"""What the models of a policy have in common: how strict they are, and what their errors say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from spot_relay.spec.problem import child, shown
from spot_relay.spec.suggestion import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.problem import Problems

    # The keys of each mapping, by the keys that lead to it; the entries of a list have those of the list.
    Known = Mapping[tuple[str, ...], tuple[str, ...]]

_FAULT = "fault"


class Strict(BaseModel):
    """A mapping that takes known keys alone, and values of exactly their type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_no_value(cls, value: Any) -> Any:
        if value is None:
            raise fault("Found null (nothing) where a value is needed: give the key one, or remove it.")
        return value


_Model = TypeVar("_Model", bound=Strict)


def fault(message: str) -> PydanticCustomError:
    """Give the error with which a validator says what is wrong, in whole sentences."""
    return PydanticCustomError(_FAULT, "{message}", {"message": message})


def validated(model: type[_Model], value: Any, path: str, known: Known, problems: Problems) -> _Model | None:
    """Give the model of a value, or None after noting every problem of it under ``path``."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # Missing keys last: an unknown key may have been meant for one, and is then the one problem.
        for found in sorted(error.errors(include_url=False), key=lambda found: found["type"] == "missing"):
            _note(found, path, known, problems)
    return None


def _note(found: Any, root: str, known: Known, problems: Problems) -> None:
    location = found["loc"]
    where = _path(root, location)
    if found["type"] == "missing":
        problems.missing(where, "The key is missing: add it.")
    elif found["type"] == "extra_forbidden":
        names = known.get(tuple(part for part in location[:-1] if isinstance(part, str)), ())
        guess = nearest(location[-1], names)
        if guess:
            problems.meant(_path(root, (*location[:-1], guess)))
        hint = f'did you mean "{guess}"?' if guess else f"known are {', '.join(names)}."
        problems.add(where, f"The key is unknown: {hint}")
    else:
        problems.add(where, _message(found))


def _path(root: str, location: tuple[int | str, ...]) -> str:
    path = root
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else child(path, part)
    return path


def _message(found: Any) -> str:
    value, limits = shown(found["input"]), found.get("ctx", {})
    match found["type"]:
        case "fault":
            return str(limits["message"])
        case "value_error":
            return f"{limits['error']}."
        case "greater_than_equal":
            return f"Found {value}, and it must be at least {limits['ge']}."
        case "less_than_equal":
            return f"Found {value}, and it must be at most {limits['le']:.0f}."
        case "greater_than":
            return f"Found {value}, and it must be more than {limits['gt']:.0f}."
        case "too_short":
            return f"Found {value}, and it needs at least {limits['min_length']}: add one, or leave the key out."
        case "too_long":
            return f"Found more than {limits['max_length']} entries: shorten the list."
        case "literal_error":
            return f"Found {value}, which is none of its values: use {limits['expected']}."
        case kind:
            return f"Found {value}{_WANTED.get(kind, ': ' + found['msg'] + '.')}"


_WANTED = {
    "int_type": " where an integer is needed: write a whole number without quotes.",
    "float_type": " where a number is needed: write it without quotes.",
    "finite_number": " where a finite number is needed: write one, or leave it out.",
    "bool_type": " where a boolean is needed: write true or false without quotes.",
    "list_type": " where a list is needed: put it in a list, or leave it out.",
    "model_type": " where a mapping is needed: give its keys, or leave it out for the defaults.",
    "model_attributes_type": " where a mapping is needed: give its keys, or leave it out for the defaults.",
    "dict_type": " where a mapping is needed: give its keys, or leave it out for the defaults.",
}
