"""Frozen values, copies of them with some fields changed, and texts as sentences."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from dataclasses import dataclass as standard
from typing import Any

import pytest

from spot_relay.domain.sagemaker.job import Job, Market, Placement
from spot_relay.domain.values import as_sentence, dataclass, list_members
from spot_relay.domain.values import replace as changed
from tests.fakes import NOON

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, Placement("ml.m5.xlarge", 1, Market.SPOT))


def define(decorate: Any) -> tuple[type, type]:
    """Return two classes that are the same but for what makes them dataclasses."""

    @decorate(frozen=True)
    class Ticket:
        """A right to a seat."""

        row: int
        seats: tuple[int, ...] = (1,)
        code: str = field(default="", repr=False)
        notes: list[str] = field(default_factory=list, compare=False)

        @property
        def width(self) -> int:
            return len(self.seats)

    @decorate(frozen=True)
    class Pass(Ticket):
        """A ticket for a season."""

        season: str = "summer"

    return Ticket, Pass


@pytest.fixture
def ticket() -> Any:
    """Return a class that nothing has used yet."""
    return define(dataclass)[0]


@pytest.mark.parametrize("which", [0, 1], ids=["a class", "its subclass"])
def test_a_value_is_what_a_standard_frozen_dataclass_is(which: int) -> None:
    def describe(made: Any) -> dict[str, Any]:
        """Return all that can be seen of a class."""
        one, same, other = made(2, (3, 4), "secret"), made(row=2, seats=(3, 4), code="secret", notes=["x"]), made(1)
        with pytest.raises(TypeError) as wrong:
            made()
        return {
            "repr": [repr(one), repr(other)],
            "equal": [one == same, one == other, one != same, one == "secret"],
            "hash": [hash(one) == hash(same), len({one, same, other})],
            "fields": [(f.name, f.type, f.default, f.repr, f.compare) for f in fields(made)],
            "dict": [asdict(one), vars(one), one.width],
            "match": made.__match_args__,
            "signature": str(inspect.signature(made)),
            "error": str(wrong.value),
            "shared": one.notes is same.notes,
            "changed": replace(one, row=9),
        }

    ours, standards = describe(define(dataclass)[which]), describe(define(standard)[which])
    assert {**ours, "changed": str(ours["changed"])} == {**standards, "changed": str(standards["changed"])}


def test_a_value_can_be_neither_changed_nor_given_more_fields(ticket: Any) -> None:
    one = ticket(1)
    with pytest.raises(FrozenInstanceError, match=r"^Ticket is frozen: row can't be changed$"):
        one.row = 2
    with pytest.raises(FrozenInstanceError, match=r"^Ticket is frozen: colour can't be changed$"):
        one.colour = "red"
    with pytest.raises(FrozenInstanceError, match=r"^Ticket is frozen: row can't be changed$"):
        del one.row
    assert one.row == 1


def test_a_value_that_was_never_constructed_is_whole(ticket: Any) -> None:
    stored, same = object.__new__(ticket), object.__new__(ticket)
    for one in (stored, same):
        vars(one).update(row=1, seats=(), code="", notes=[])
    assert is_dataclass(stored)
    assert stored == same
    match stored:
        case ticket(row, seats):
            assert (row, seats) == (1, ())
        case _:
            pytest.fail("a pattern does not match")


def test_a_value_can_be_copied_and_sent_elsewhere() -> None:
    assert copy.deepcopy(JOB) == JOB == pickle.loads(pickle.dumps(JOB))  # noqa: S301 - our own


def test_methods_are_generated_only_for_a_class_that_is_used() -> None:
    used, unused = define(dataclass)[0], define(dataclass)[0]
    used(1)
    assert inspect.isfunction(vars(used)["__eq__"])
    assert not inspect.isfunction(vars(unused)["__eq__"])


@pytest.mark.parametrize("method", ["__post_init__", "__init__", "__repr__", "__eq__", "__hash__"])
def test_a_class_with_such_a_method_of_its_own_is_told_to_use_the_standard_decorator(method: str) -> None:
    with pytest.raises(TypeError, match=f"^Odd has a {method}.* of its own: use dataclasses.dataclass$"):
        dataclass(frozen=True)(type("Odd", (), {method: lambda _: None, "__annotations__": {"side": int}}))


def test_a_copy_has_what_was_changed_and_all_else_as_it_was() -> None:
    assert changed(JOB, status="Stopped", billable_seconds=7) == replace(JOB, status="Stopped", billable_seconds=7)
    assert JOB.status == "InProgress"


def test_a_field_that_was_left_to_the_class_can_be_changed_too() -> None:
    stored = object.__new__(Job)
    stored.__dict__.update({name: value for name, value in vars(JOB).items() if name != "billable_seconds"})
    assert stored == JOB, "as msgspec gives a value whose document lacks a field"
    assert changed(stored, billable_seconds=7, status="Stopped").billable_seconds == 7


def test_members_are_listed_in_order_with_those_that_were_left_to_the_class() -> None:
    stored = object.__new__(Placement)
    stored.__dict__.update(instance_type="ml.m5.xlarge", instance_count=1, market=Market.SPOT)
    assert list(list_members(stored).items()) == list(asdict(JOB.placement).items())


def test_what_is_no_field_can_not_be_changed() -> None:
    with pytest.raises(TypeError, match=r"^Job has no field colour, size$"):
        changed(JOB, size=1, colour="red", status="Stopped")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Rate exceeded", "Rate exceeded."),
        ("Rate exceeded.", "Rate exceeded."),
        ("Rate exceeded. ", "Rate exceeded."),
        ("Really?", "Really?"),
        ("No!", "No!"),
        ("cut…", "cut…"),
        ("exit code 1\n", "exit code 1."),
        ("The following failed:", "The following failed."),
        ("a, b, ", "a, b."),
        ("It failed :", "It failed."),
        ("Not found: a.X", "Not found: a.X."),
        ('It said "no."', 'It said "no."'),
        ('It said "no"', 'It said "no".'),
        ("(see the log.)", "(see the log.)"),
        ("(exit code 1)", "(exit code 1)."),
        ("失败。", "失败。"),
        ("...", "..."),
        ("", ""),
        (" : ", ""),
    ],
)
def test_a_text_ends_as_a_sentence_does(text: str, sentence: str) -> None:
    assert as_sentence(text) == sentence
