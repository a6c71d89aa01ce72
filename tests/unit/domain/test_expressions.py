"""Regular expressions that wait until they are needed."""

from __future__ import annotations

import re

import pytest

from spot_relay.domain.expressions import compile_later


def test_an_expression_matches_as_a_compiled_one_does() -> None:
    text = "Run CHURN-7 and churn-12"
    later, now = compile_later(r"churn-(\d+)", re.IGNORECASE), re.compile(r"churn-(\d+)", re.IGNORECASE)
    assert later.findall(text) == now.findall(text) == ["7", "12"]
    assert later.sub("it", text) == now.sub("it", text)
    assert later.fullmatch("churn-7") is not None
    assert later.fullmatch(text) is None


def test_an_expression_is_compiled_when_it_is_first_used_and_then_kept() -> None:
    broken = compile_later("(")
    with pytest.raises(re.error):
        broken.search("")
    expression = compile_later("a")
    assert expression.search is expression.search
