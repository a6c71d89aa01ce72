"""Reading: the limits of a spec's text, and what JSON lacks."""

from __future__ import annotations

import json

import pytest
import yaml

from spot_relay.spec import Format, InvalidSpecError, read_document, yaml_events
from spot_relay.spec.document import MAX_BYTES, MAX_LEVELS, MAX_VALUES


def refusal(data: bytes | str, as_format: Format = Format.YAML) -> dict[str, str]:
    """Give why a text is refused, by path."""
    with pytest.raises(InvalidSpecError) as caught:
        read_document(data.encode() if isinstance(data, str) else data, as_format)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("runs/a.json", Format.JSON),
        ("runs/a.yaml", Format.YAML),
        ("runs/b.c/a.YML", Format.YAML),
        ("runs/.json", Format.JSON),
        ("runs/x/.yml", Format.YAML),
    ],
)
def test_the_suffix_tells_the_format(key: str, expected: Format) -> None:
    assert Format.of(key) is expected


@pytest.mark.parametrize("key", ["runs/a.txt", "runs/a", "runs/json", ""])
def test_another_suffix_is_refused(key: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"\.json, \.yaml or \.yml"):
        Format.of(key)


def test_json_and_yaml_of_one_document_read_the_same() -> None:
    document = {"a": [1, 2.5, True, None, "x"], "b": {"c": "1"}}
    text = json.dumps(document).encode()
    assert read_document(text, Format.JSON) == read_document(text, Format.YAML) == document


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert read_document(b'\xef\xbb\xbf{"a": 1}', Format.JSON) == {"a": 1}
    assert read_document(b"\xef\xbb\xbfa: 1", Format.YAML) == {"a": 1}


def test_a_spec_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    text = b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}'
    assert len(text) == MAX_BYTES
    assert read_document(text, Format.JSON)
    assert "262145 bytes" in refusal(text + b" ", Format.JSON)[""]


@pytest.mark.parametrize("as_format", list(Format))
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[1]", "must be a mapping"),
        (b'"text"', "must be a mapping"),
        (b"{", "is not"),
    ],
)
def test_what_is_no_mapping_of_text_is_refused(as_format: Format, data: bytes, said: str) -> None:
    assert said in refusal(data, as_format)[""]


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"", Format.JSON)
    assert "must be a mapping" in refusal(b"", Format.YAML)[""]


def test_a_broken_document_is_placed_by_line_and_column() -> None:
    assert "line 2, column 6" in refusal('{\n"a":,}'.replace(":,", ": ,"), Format.JSON)[""]
    assert "line 2" in refusal("a: b\nc: %\n")[""]


@pytest.mark.parametrize("as_format", list(Format))
def test_as_many_levels_as_allowed_are_read_and_one_more_is_refused(as_format: Format) -> None:
    inner = MAX_LEVELS - 1
    read_document(f'{{"a": {"[" * inner}{"]" * inner}}}'.encode(), as_format)
    deeper = f'{{"a": {"[" * (inner + 1)}{"]" * (inner + 1)}}}'
    assert any("deeper than 32 levels" in message for message in refusal(deeper, as_format).values())


@pytest.mark.parametrize("as_format", list(Format))
@pytest.mark.parametrize("piece", ["[", '{"a":', "- ", "? "])
def test_a_hundred_thousand_open_brackets_end_in_a_refusal_not_in_a_crash(as_format: Format, piece: str) -> None:
    assert refusal(piece * (MAX_BYTES // len(piece) - 1), as_format)


@pytest.mark.parametrize("as_format", list(Format))
def test_too_many_values_are_refused(as_format: Format) -> None:
    assert f"more than {MAX_VALUES} keys and values" in refusal(json.dumps({"a": [1] * MAX_VALUES}), as_format)[""]


@pytest.mark.parametrize("as_format", list(Format))
def test_keys_count_as_values_do(as_format: Format) -> None:
    # The mapping itself is one value, and each key comes with one.
    most = (MAX_VALUES - 1) // 2
    assert read_document(json.dumps({f"k{n}": 1 for n in range(most)}).encode(), as_format)
    assert refusal(json.dumps({f"k{n}": 1 for n in range(most + 1)}), as_format)


@pytest.mark.parametrize("as_format", list(Format))
def test_every_duplicate_key_is_named_with_its_path(as_format: Format) -> None:
    found = refusal('{"a": {"b": 1, "b": 2}, "c": 1, "c": 2, "l": [{"d": 1, "d": 1}]}', as_format)
    assert set(found) == {"a.b", "c", "l[0].d"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, str(2**63)])
def test_json_numbers_that_no_one_can_hold_exactly_are_refused(number: str) -> None:
    assert set(refusal(f'{{"a": {number}, "b": 1}}', Format.JSON)) == {"a"}


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "9" * 5000, str(2**63), "1" + ":1" * 5000, "!!int x"])
def test_yaml_numbers_that_no_one_can_hold_exactly_are_refused(number: str) -> None:
    assert set(refusal(f"a: {number}\nb: 1")) == {"a"}


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63 - 1), 0, 0.001])
def test_numbers_of_64_bits_are_read(number: float) -> None:
    assert read_document(json.dumps({"a": number}).encode(), Format.JSON) == {"a": number}


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01",
        "!!binary aGk=",
        "!!set {a}",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
        "!secret x",
        "!!python/object/apply:os.system [ls]",
        "{<<: {b: 1}}",
    ],
)
def test_yaml_values_that_json_lacks_are_refused_where_they_stand(value: str) -> None:
    assert set(refusal(f"a: {value}\nb: 1")) == {"a"}


@pytest.mark.parametrize("key", ["1", "on", "null", "2024-01-01", "[a]", "{a: 1}"])
def test_a_yaml_key_that_is_no_string_is_refused(key: str) -> None:
    assert "put it in quotes" in refusal(f"a:\n  {key}: 1\n")["a"]


def test_quoted_keys_and_explicit_core_tags_are_taken() -> None:
    text = b'"1": !!str 5\n"<<": !!int "7"\nm: !!map {a: !!seq [!!bool yes]}\n=: "="'
    assert read_document(text, Format.YAML) == {"1": "5", "<<": 7, "m": {"a": [True]}, "=": "="}


def test_half_a_surrogate_pair_is_refused() -> None:
    assert set(refusal('{"a": "\\ud800", "\\udfff": 1}', Format.JSON)) == {"a", "\\udfff"}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize(
    "text", ['a: "\\U00110000"', 'a: "\\UFFFFFFFF"', 'a: "\\ud800"', "\x00", "- " * 100_000, "[" * 100_000]
)
def test_with_and_without_libyaml_the_same_is_refused(
    monkeypatch: pytest.MonkeyPatch, loader: type[yaml.SafeLoader], text: str
) -> None:
    monkeypatch.setattr(yaml_events, "_LOADER", loader)
    assert refusal(text)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize(
    "text",
    [
        "Environment: {PASSWORD: !hunter2!x y}",
        "%TAG !hunter2! x\n%TAG !hunter2! x\n--- a",
        "Environment: {PASSWORD: hunter2: x: y}",
        "Environment: {PASSWORD: 'hunter2",
        'Environment: {PASSWORD: "\\hunter2"}',
        "PASSWORD: hunter2\n hunter2: x",
        "PASSWORD: [hunter2}",
        "PASSWORD: &hunter2 [*hunter2]",
        "? hunter2\nhunter2",
    ],
)
def test_what_is_wrong_with_a_text_is_told_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch, loader: type[yaml.SafeLoader], text: str
) -> None:
    monkeypatch.setattr(yaml_events, "_LOADER", loader)
    assert "hunter2" not in "".join(refusal(text).values())


def test_two_yaml_documents_are_refused() -> None:
    assert "more than one YAML document" in refusal("a: 1\n---\nb: 1\n")[""]


def test_an_alias_stands_for_what_it_names() -> None:
    text = b"a: &x {k: [1, 2]}\nb: *x\nc: [*x, *x]"
    shared = {"k": [1, 2]}
    document = read_document(text, Format.YAML)
    assert document == {"a": shared, "b": shared, "c": [shared, shared]}
    assert document["a"] is not document["b"]


def test_an_anchor_may_be_defined_anew() -> None:
    assert read_document(b"a: &x 1\nb: *x\nc: &x 2\nd: *x", Format.YAML) == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize("text", ["a: &x [*x]", "&x {a: *x}", "a: &x 1\nb: &x [*x]"])
def test_an_anchor_that_holds_itself_is_refused(text: str) -> None:
    assert "alias of itself" in refusal(text)[""]


def test_an_alias_of_nothing_is_refused_without_quoting_it() -> None:
    found = refusal("Environment: {PASSWORD: *hunter2}")[""]
    assert "no anchor" in found
    assert "hunter2" not in found


def test_anchors_that_explode_in_number_are_refused_without_being_followed() -> None:
    layers = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 200)]
    # Followed, this is 10 ** 200 values: that the test ends is the proof.
    assert "aliases are followed" in refusal("\n".join(layers))[""]


def test_anchors_that_explode_in_characters_are_refused() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [*a, *a, *a]"
    assert "aliases are followed" in refusal(text)[""]


def test_anchors_that_explode_in_depth_are_refused() -> None:
    layers = ["l0: &l0 [x]"] + [f"l{n}: &l{n} [*l{n - 1}]" for n in range(1, 40)]
    assert "deeper than 32 levels" in refusal("\n".join(layers))[""]


def test_unprintable_characters_of_a_key_do_not_reach_the_report() -> None:
    [path] = refusal('{"\\u001b[31m": 1, "\\u001b[31m": 2}', Format.JSON)
    assert path == "\\x1b[31m"
