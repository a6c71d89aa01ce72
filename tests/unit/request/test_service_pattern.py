r"""Patterns of SageMaker's model are matched as Java matches them, ``\p{...}`` included."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.api.errors import ServiceError
from simulator.api.validation import validate
from spot_relay.request.request_model import load_request_shape
from spot_relay.request.service_pattern import UntranslatablePatternError, count_characters, find_mismatch, put_in_words
from tests.unit.spec.documents import CALM, find_problems, request

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
# Texts that no pattern of the model accepts as a whole, or, for those that accept everything, None.
HOSTILE = ("\n", "\r", "é\u2028", "\x00 &,#(", "$(id)\n")


def patterns(shape: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each place with a pattern in a shape, and the pattern."""
    match shape.type_name:
        case "structure":
            for name, member in shape.members.items():
                yield from patterns(member, f"{path}.{name}" if path else name)
        case "list":
            yield from patterns(shape.member, f"{path}[]")
        case "map":
            yield from patterns(shape.key, f"{path}{{key}}")
            yield from patterns(shape.value, f"{path}{{value}}")
        case _ if "pattern" in shape.metadata:
            yield path, shape.metadata["pattern"]


PATTERNS = dict(patterns(load_request_shape()))


def test_the_model_has_patterns_that_python_cannot_compile() -> None:
    assert PATTERNS["Tags[].Value"] == TAG
    with pytest.raises(re.error):
        re.compile(TAG)


def test_every_pattern_of_the_model_is_checked() -> None:
    for place, pattern in PATTERNS.items():
        refused = [text for text in HOSTILE if find_mismatch(pattern, text) is not None]
        assert refused or pattern == r"[\S\s]*", place


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        # The whole text has to match, and $ does not match before a line feed.
        ("[a-z]+", "abc", True),
        ("[a-z]+", "abc\n", False),
        ("[a-z]+$", "abc\n", False),
        # Classes are limited to ASCII.
        (r"\d+", "\N{ARABIC-INDIC DIGIT THREE}", False),
        (r"\w+", "é", False),
        (r"\s", "\N{NO-BREAK SPACE}", False),
        (r"[\p{Alnum}\-]+", "aZ0-", True),
        (r"[\p{Alnum}\-]+", "é", False),
        # Unicode's categories are not.
        (r"\p{L}+", "é数", True),
        (r"\p{Lu}", "É", True),
        (r"\p{Lu}", "é", False),
        (r"\pN", "½", True),
        (r"[^\p{L}]", "é", False),
        (r"[^\p{L}]", "1", True),
        (r"[\p{M}]*", "a", False),
        (r"[\p{M}]*", "", True),
        # A dot matches no line terminator, inside a class it is a dot.
        ("a.b", "a\rb", False),
        ("a[.]b", "a\rb", False),
        ("a[.]b", "a.b", True),
        (r"a\.b", "axb", False),
        (r"\\p{2}", r"\pp", True),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, text: str, *, is_match: bool) -> None:
    assert (find_mismatch(pattern, text) is None) is is_match


@pytest.mark.parametrize("pattern", [r"\p{IsGreek}", r"\P{L}", r"[a-z&&[^b]]", r"[a[b]]", r"\h", "(", r"\Qa\E"])
def test_a_pattern_without_a_translation_raises(pattern: str) -> None:
    with pytest.raises(UntranslatablePatternError):
        find_mismatch(pattern, "a")


@CALM
@given(st.characters(exclude_categories=["Cs"]))
def test_a_tag_may_have_exactly_the_letters_separators_and_numbers_of_unicode(character: str) -> None:
    allowed = unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"
    assert (find_mismatch(TAG, character) is None) is allowed


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (TAG, "letters, digits, spaces and _ . : / = + - @"),
        (r"[A-Za-z0-9\.\-_]+", "letters (a-z, A-Z), digits and . - _"),
        ("[-0-9a-zA-Z]+", "letters (a-z, A-Z), digits and -"),
        ("[a-z]*", "letters (a-z)"),
        ("[:/]*", ": /"),
        (r"[\S\s]*", None),
        ("[^/]*", None),
        (r"\d+K", None),
        (".*", None),
    ],
)
def test_a_pattern_of_one_class_is_put_in_words(pattern: str, words: str | None) -> None:
    assert put_in_words(pattern) == words


def test_a_mismatch_lists_each_offending_character_once() -> None:
    found = find_mismatch(TAG, "a&b,c&d")
    assert found is not None
    assert (found.offending, found.only_line_breaks) == ("&,", False)
    broken = find_mismatch(TAG, "a\nb")
    assert broken is not None
    assert broken.only_line_breaks


@pytest.mark.parametrize(("text", "count"), [("", 0), ("aé数", 3), ("\N{THUMBS UP SIGN}", 2), ("\uffff", 1)])
def test_characters_are_counted_in_utf_16(text: str, count: int) -> None:
    assert count_characters(text) == count == len(text.encode("utf-16-le")) // 2


ANY_TEXT = st.text(st.sampled_from("a1 \n\r\x85\u2028&,#é数½\u00a0\u0301_-\N{THUMBS UP SIGN}"), max_size=6)


@CALM
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_what_is_accepted_here_is_accepted_by_the_simulator_and_the_other_way_round(
    key: str, value: str, parameter: str
) -> None:
    job = request(Tags=[{"Key": key, "Value": value}], HyperParameters={"a": parameter}, Environment={"A": parameter})
    try:
        validate("CreateTrainingJob", job)
    except ServiceError:
        assert find_problems(job)
    else:
        assert find_problems(job) == {}


def test_the_credentials_of_a_private_registry_are_checked() -> None:
    def spec(arn: str) -> dict[str, Any]:
        access = {
            "TrainingRepositoryAccessMode": "Vpc",
            "TrainingRepositoryAuthConfig": {"TrainingRepositoryCredentialsProviderArn": arn},
        }
        algorithm = {**request()["AlgorithmSpecification"], "TrainingImageConfig": access}
        return request(AlgorithmSpecification=algorithm)

    assert find_problems(spec("arn:aws:lambda:us-east-1:111122223333:function:login")) == {}
    (path,) = find_problems(spec("arn:aws:lambda:us-east-1:111122223333:layer:login"))
    assert path.endswith("TrainingRepositoryCredentialsProviderArn")
    validate("CreateTrainingJob", spec("arn:aws:lambda:us-east-1:111122223333:function:login"))
    with pytest.raises(ServiceError, match="failed to satisfy constraint"):
        validate("CreateTrainingJob", spec("arn:aws:lambda:us-east-1:111122223333:layer:login"))
