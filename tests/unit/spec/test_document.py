"""Reading the text of a spec: its limits, and values that JSON does not have."""

from __future__ import annotations

import json

import pytest
import yaml
from inline_snapshot import snapshot

from spot_relay.spec import Format, InvalidSpecError, read_document, yaml_text
from spot_relay.spec.raw_document import MAX_BYTES, MAX_LEVELS, MAX_VALUES


def read_problems(data: bytes | str, as_format: Format = Format.YAML) -> dict[str, str]:
    """Return the problems for which a text is refused, by path."""
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
def test_the_suffix_determines_the_format(key: str, expected: Format) -> None:
    assert Format.of(key) is expected


@pytest.mark.parametrize("key", ["runs/a.txt", "runs/a", "runs/json", ""])
def test_any_other_suffix_is_refused(key: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"\.json, \.yaml or \.yml"):
        Format.of(key)


def test_json_and_yaml_of_the_same_document_read_the_same() -> None:
    document = {"a": [1, 2.5, True, None, "x"], "b": {"c": "1"}}
    text = json.dumps(document).encode()
    assert read_document(text, Format.JSON) == read_document(text, Format.YAML) == document


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_document(b'\xef\xbb\xbf{"a": 1}', Format.JSON) == {"a": 1}
    assert read_document(b"\xef\xbb\xbfa: 1", Format.YAML) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        ("# nothing yet\n", "empty"),
        ("- a\n- b\n", "a list of length 2"),
        ("aws sagemaker create-training-job\n", "a string"),
        ("5", "an integer"),
        ("2024-02-01", "a single value"),
    ],
)
def test_a_spec_that_is_no_mapping_is_refused_and_told_what_it_is(text: str, found: str) -> None:
    message = f"The spec must be a mapping of keys to values at the top level, but it is {found}."
    assert read_problems(text) == {"": message}


@pytest.mark.parametrize("number", ["050", "-010", "007", "00", "2:30", "48:00:00", "1:30.5"])
def test_a_number_in_yaml_that_is_not_what_it_looks_like_is_refused(number: str) -> None:
    (message,) = read_problems(f"a: {number}").values()
    assert message.startswith(("YAML reads this as an octal number", "YAML reads this as a number in base 60"))
    assert number not in message
    assert read_document(f'a: "{number}"'.encode(), Format.YAML) == {"a": number}


@pytest.mark.parametrize(("number", "read"), [("0", 0), ("-0", 0), ("0.5", 0.5), ("0x1F", 31), ("86_400", 86400)])
def test_any_other_number_in_yaml_is_read(number: str, read: float) -> None:
    assert read_document(f"a: {number}".encode(), Format.YAML) == {"a": read}


def test_a_spec_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    text = b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}'
    assert len(text) == MAX_BYTES
    assert read_document(text, Format.JSON)
    assert read_problems(text + b" ", Format.JSON) == snapshot(
        {"": "The spec has 262145 bytes, but at most 262144 are allowed. Shorten it."}
    )


@pytest.mark.parametrize("as_format", list(Format))
@pytest.mark.parametrize(
    ("data", "beginning"),
    [
        (b"\xff\xfe{}", "The spec is not valid UTF-8"),
        (b"[1]", "The spec must be a mapping"),
        (b'"text"', "The spec must be a mapping"),
        (b"{", "The spec is not valid"),
    ],
)
def test_anything_but_a_mapping_in_utf_8_is_refused(as_format: Format, data: bytes, beginning: str) -> None:
    assert read_problems(data, as_format)[""].startswith(beginning)


def test_an_empty_file_is_refused() -> None:
    assert read_problems(b"", Format.JSON)
    assert "must be a mapping" in read_problems(b"", Format.YAML)[""]


def test_a_syntax_error_is_reported_with_its_line_and_column() -> None:
    assert read_problems('{\n"a": ,}', Format.JSON) == snapshot(
        {"": "The spec is not valid JSON: Expecting value (line 2, column 6)."}
    )
    assert read_problems("a: b\nc: %\n") == snapshot(
        {"": "The spec is not valid YAML: found character that cannot start any token (line 2, column 4)."}
    )


@pytest.mark.parametrize("as_format", list(Format))
def test_the_deepest_allowed_nesting_is_read_and_one_more_level_is_refused(as_format: Format) -> None:
    inner = MAX_LEVELS - 1
    read_document(f'{{"a": {"[" * inner}{"]" * inner}}}'.encode(), as_format)
    deeper = f'{{"a": {"[" * (inner + 1)}{"]" * (inner + 1)}}}'
    assert any("more than 32 levels deep" in message for message in read_problems(deeper, as_format).values())


@pytest.mark.parametrize("as_format", list(Format))
@pytest.mark.parametrize("piece", ["[", '{"a":', "- ", "? "])
def test_a_hundred_thousand_open_brackets_are_refused_without_a_crash(as_format: Format, piece: str) -> None:
    assert read_problems(piece * (MAX_BYTES // len(piece) - 1), as_format)


@pytest.mark.parametrize("as_format", list(Format))
def test_too_many_values_are_refused(as_format: Format) -> None:
    assert (
        f"more than {MAX_VALUES} keys and values" in read_problems(json.dumps({"a": [1] * MAX_VALUES}), as_format)[""]
    )


@pytest.mark.parametrize("as_format", list(Format))
def test_keys_count_toward_the_limit_on_values(as_format: Format) -> None:
    # The mapping itself is one value, and each key comes with one.
    most = (MAX_VALUES - 1) // 2
    assert read_document(json.dumps({f"k{n}": 1 for n in range(most)}).encode(), as_format)
    assert read_problems(json.dumps({f"k{n}": 1 for n in range(most + 1)}), as_format)


@pytest.mark.parametrize("as_format", list(Format))
def test_every_duplicate_key_is_reported_with_its_path(as_format: Format) -> None:
    found = read_problems('{"a": {"b": 1, "b": 2}, "c": 1, "c": 2, "l": [{"d": 1, "d": 1}]}', as_format)
    assert set(found) == {"a.b", "c", "l[0].d"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, str(2**63)])
def test_json_numbers_that_cannot_be_represented_exactly_are_refused(number: str) -> None:
    assert set(read_problems(f'{{"a": {number}, "b": 1}}', Format.JSON)) == {"a"}


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "9" * 5000, str(2**63), "1" + ":1" * 5000, "!!int x"])
def test_yaml_numbers_that_cannot_be_represented_exactly_are_refused(number: str) -> None:
    assert set(read_problems(f"a: {number}\nb: 1")) == {"a"}


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
def test_yaml_values_that_json_does_not_have_are_refused_with_their_path(value: str) -> None:
    assert set(read_problems(f"a: {value}\nb: 1")) == {"a"}


@pytest.mark.parametrize("key", ["1", "on", "null", "2024-01-01", "[a]", "{a: 1}"])
def test_a_yaml_key_that_is_not_a_string_is_refused(key: str) -> None:
    assert read_problems(f"a:\n  {key}: 1\n")["a"].endswith("Put it in quotes.")


def test_quoted_keys_and_explicit_core_tags_are_accepted() -> None:
    text = b'"1": !!str 5\n"<<": !!int "7"\nm: !!map {a: !!seq [!!bool yes]}\n=: "="'
    assert read_document(text, Format.YAML) == {"1": "5", "<<": 7, "m": {"a": [True]}, "=": "="}


def test_half_a_surrogate_pair_is_refused() -> None:
    assert set(read_problems('{"a": "\\ud800", "\\udfff": 1}', Format.JSON)) == {"a", "\\udfff"}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize(
    "text", ['a: "\\U00110000"', 'a: "\\UFFFFFFFF"', 'a: "\\ud800"', "\x00", "- " * 100_000, "[" * 100_000]
)
def test_the_same_documents_are_refused_with_and_without_libyaml(
    monkeypatch: pytest.MonkeyPatch, loader: type[yaml.SafeLoader], text: str
) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", loader)
    assert read_problems(text)


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
def test_a_syntax_error_is_reported_without_quoting_the_document(
    monkeypatch: pytest.MonkeyPatch, loader: type[yaml.SafeLoader], text: str
) -> None:
    monkeypatch.setattr(yaml_text, "_LOADER", loader)
    assert "hunter2" not in "".join(read_problems(text).values())


def test_two_yaml_documents_are_refused() -> None:
    assert read_problems("a: 1\n---\nb: 1\n") == snapshot(
        {"": "The file contains more than one YAML document. Put each spec in its own file."}
    )


def test_an_alias_is_replaced_by_the_value_of_its_anchor() -> None:
    text = b"a: &x {k: [1, 2]}\nb: *x\nc: [*x, *x]"
    shared = {"k": [1, 2]}
    document = read_document(text, Format.YAML)
    assert document == {"a": shared, "b": shared, "c": [shared, shared]}
    assert document["a"] is not document["b"]


def test_an_anchor_may_be_redefined() -> None:
    assert read_document(b"a: &x 1\nb: *x\nc: &x 2\nd: *x", Format.YAML) == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize("text", ["a: &x [*x]", "&x {a: *x}", "a: &x 1\nb: &x [*x]"])
def test_an_anchor_that_contains_itself_is_refused(text: str) -> None:
    assert "contains an alias to itself" in read_problems(text)[""]


def test_an_alias_without_an_anchor_is_refused_without_quoting_it() -> None:
    assert read_problems("Environment: {PASSWORD: *hunter2}") == snapshot(
        {"": "A YAML alias has no anchor before it. If it is text that begins with *, put it in quotes."}
    )


def test_aliases_that_expand_to_too_many_values_are_refused_before_they_are_expanded() -> None:
    layers = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 200)]
    # Expanded, these would be 10 ** 200 values, so the test would not end.
    assert "With its aliases expanded" in read_problems("\n".join(layers))[""]


def test_aliases_that_expand_to_too_many_characters_are_refused() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [*a, *a, *a]"
    assert "With its aliases expanded" in read_problems(text)[""]


def test_aliases_that_expand_to_too_many_levels_are_refused() -> None:
    layers = ["l0: &l0 [x]"] + [f"l{n}: &l{n} [*l{n - 1}]" for n in range(1, 40)]
    assert "more than 32 levels deep" in read_problems("\n".join(layers))[""]


def test_unprintable_characters_in_a_key_are_escaped_in_the_report() -> None:
    [path] = read_problems('{"\\u001b[31m": 1, "\\u001b[31m": 2}', Format.JSON)
    assert path == "\\x1b[31m"


@pytest.mark.parametrize("value", ["!Ref Role", '!Join ["", [a, b]]', "!Sub {a: b}"])
def test_a_function_of_cloudformation_is_named(value: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        read_document(f"RoleArn: {value}\n".encode(), Format.YAML)
    (problem,) = caught.value.problems
    tag = value.split()[0]
    assert problem.path == "RoleArn"
    assert problem.message == f"{tag} has a meaning in CloudFormation only. Write the value that it stands for."
