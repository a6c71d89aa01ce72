"""The base of all pydantic models of a policy, and the conversion of pydantic's errors into problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from spot_relay.domain.values import as_sentence
from spot_relay.request.problem import describe, join_path
from spot_relay.request.suggestion import find_nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems

    # The keys of each mapping, by the keys that lead to it; the entries of a list share the path of the list.
    KnownKeys = Mapping[tuple[str, ...], tuple[str, ...]]

_CUSTOM = "custom"


class Strict(BaseModel):
    """A mapping that accepts only known keys, and only values of exactly their type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if value is None:
            raise make_error(f"Found {describe(None)}. Write a value, or remove the key.")
        return value


_Model = TypeVar("_Model", bound=Strict)


def make_error(message: str) -> PydanticCustomError:
    """Return an error for a validator to raise; users see ``message`` as it is."""
    return PydanticCustomError(_CUSTOM, "{message}", {"message": message})


def validate(model: type[_Model], value: Any, path: str, known: KnownKeys, problems: Problems) -> _Model | None:
    """Return the model of a value, or None after adding every problem under ``path``."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # Missing keys come last: if an unknown key was intended for one, only the unknown key is reported.
        for details in sorted(error.errors(include_url=False), key=lambda details: details["type"] == "missing"):
            _report(details, path, known, problems)
    return None


def _report(error: Any, root: str, known: KnownKeys, problems: Problems) -> None:
    location = error["loc"]
    path = _format_path(root, location)
    if error["type"] == "missing":
        problems.add_missing(path, "This key is required. Add it.")
    elif error["type"] == "extra_forbidden":
        names = known.get(tuple(part for part in location[:-1] if isinstance(part, str)), ())
        nearest = find_nearest(location[-1], names)
        if nearest:
            problems.note_intended(_format_path(root, (*location[:-1], nearest)))
        hint = f'Did you mean "{nearest}"?' if nearest else f"Known keys are {', '.join(names)}."
        problems.add(path, f"Unknown key. {hint}")
    else:
        problems.add(path, _explain(error))


def _format_path(root: str, location: tuple[int | str, ...]) -> str:
    path = root
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else join_path(path, part)
    return path


def _explain(error: Any) -> str:
    value, context = describe(error["input"]), error.get("ctx", {})
    match error["type"]:
        case "custom":
            return str(context["message"])
        case "value_error":
            return as_sentence(str(context["error"]))
        case "greater_than_equal":
            return f"Found {value}, but it must be at least {context['ge']}."
        case "less_than_equal":
            return f"Found {value}, but it must be at most {context['le']:.0f}."
        case "greater_than":
            return f"Found {value}, but it must be more than {context['gt']:.0f}."
        case "too_short":
            return f"The list is empty. Add at least {context['min_length']} entry, or remove the key."
        case "too_long":
            return f"The list has more than {context['max_length']} entries. Shorten it."
        case "literal_error":
            return f"Found {value}. Use {context['expected']}."
        case kind if kind in _EXPECTED:
            expected, advice = _EXPECTED[kind]
            return f"Expected {expected}, but found {value}. {advice}"
        case _:
            return f"Found {value}. {as_sentence(error['msg'])}"


_MAPPING = ("a mapping", "Write its keys, or remove it to use the defaults.")
_EXPECTED = {
    "int_type": ("an integer", "Write a whole number without quotes."),
    "float_type": ("a number", "Write it without quotes."),
    "finite_number": ("a finite number", "Write one, or remove the key."),
    "bool_type": ("a boolean", "Write true or false without quotes."),
    "string_type": ("a string", "Put it in quotes."),
    "list_type": ("a list", "Write a list, or remove the key."),
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
}
