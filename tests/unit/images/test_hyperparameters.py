"""Hyperparameters are strings, and what is wrong with one is said by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.images.toolkit.hyperparameters import HyperparameterError, Hyperparameters

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN = Hyperparameters(
    {"epochs": "20", "learning_rate": "0.001", "likelihood": "gaussian", "lr_scheduler_step": "3,6", "typo": "x"}
)


def test_values_are_read_or_have_their_defaults() -> None:
    assert GIVEN.integer("epochs") == 20
    assert GIVEN.integer("num_cells", 40) == 40
    assert GIVEN.number("learning_rate") == 0.001
    assert GIVEN.choice("likelihood", "student-T", ["gaussian", "student-T"]) == "gaussian"
    assert GIVEN.integers("lr_scheduler_step") == (3, 6)
    assert GIVEN.integers("steps", "") == ()
    assert GIVEN.text("typo") == "x"


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda given: given.integer("context_length"), "context_length is required"),
        (lambda given: given.integer("typo"), "typo is x, but must be a whole number"),
        (lambda given: given.integer("learning_rate"), "learning_rate is 0.001, but must be a whole number"),
        (lambda given: given.integer("epochs", at_least=21), "epochs is 20, but must be at least 21"),
        (lambda given: given.number("typo"), "typo is x, but must be a number"),
        (lambda given: given.choice("typo", "a", ["a", "b"]), "typo is x, but must be one of a, b"),
        (lambda given: given.integers("typo"), "typo is x, but must be whole numbers separated by commas"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_possible(
    read: Callable[[Hyperparameters], object], message: str
) -> None:
    with pytest.raises(HyperparameterError, match=message):
        read(GIVEN)


def test_a_nan_is_not_a_number_within_bounds() -> None:
    with pytest.raises(HyperparameterError, match="rate is nan, but must be at least 0"):
        Hyperparameters({"rate": "nan"}).number("rate")


def test_a_hyperparameter_that_the_algorithm_does_not_have_is_refused() -> None:
    given = Hyperparameters({"epochs": "1", "epoch": "2", "beta": "1"})
    given.integer("epochs")
    with pytest.raises(
        HyperparameterError, match=r"epoch is not a hyperparameter of this algorithm\. It has beta, epochs"
    ):
        given.refuse_others("beta")
