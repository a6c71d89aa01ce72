"""What SageMaker says is told without the values that may be secrets, however they stand in it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.redaction import HIDDEN, hide_secrets, looks_secret, redact_job
from spot_relay.domain.text import MAX_TEXT_BYTES, encoded_size

SECRET = "sesame-open-42"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----"


def job(value: str, place: str = "Environment") -> dict[str, Any]:
    """A training job with one value."""
    return {place: {"KEY": value}}


@pytest.mark.parametrize("place", ["Environment", "HyperParameters"])
def test_a_value_is_hidden_wherever_it_was_given(place: str) -> None:
    text = hide_secrets(f"KeyError: '{SECRET}' is no user, {SECRET}!", job(SECRET, place))
    assert text == "KeyError: '[hidden]' is no user, [hidden]!"


@pytest.mark.parametrize(
    "given",
    [
        {"AlgorithmSpecification": {"ContainerArguments": ["--token", SECRET]}},
        {"AlgorithmSpecification": {"ContainerArguments": [f"--token={SECRET}"]}},
        {"AlgorithmSpecification": {"ContainerEntrypoint": ["python", SECRET]}},
        {"DebugHookConfig": {"HookParameters": {"key": SECRET}}},
        {"DebugHookConfig": {"CollectionConfigurations": [{"CollectionParameters": {"key": SECRET}}]}},
        {"DebugRuleConfigurations": [{"RuleParameters": {"key": SECRET}}]},
        {"ProfilerRuleConfigurations": [{"RuleParameters": {"key": SECRET}}]},
        {"ProfilerConfig": {"ProfilingParameters": {"key": SECRET}}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_is_given_to_a_container_or_a_rule_is_hidden_too(given: dict[str, Any]) -> None:
    assert hide_secrets(f"exit code 1: train --token {SECRET}", given) == "exit code 1: train --token [hidden]"


def test_the_names_of_what_a_job_is_made_of_are_no_secrets() -> None:
    given = {"RoleArn": SECRET, "HyperParameters": {SECRET: "5"}, "Tags": [{"Key": SECRET, "Value": SECRET}]}
    assert hide_secrets(f"no {SECRET}", given) == f"no {SECRET}"


def test_a_job_without_values_has_nothing_to_hide() -> None:
    assert hide_secrets("AlgorithmError: exit code 1", {}) == "AlgorithmError: exit code 1"


def test_a_value_of_seven_characters_is_told_and_one_of_eight_is_not() -> None:
    assert hide_secrets("depth 1234567", job("1234567")) == "depth 1234567"
    assert hide_secrets("depth 12345678", job("12345678")) == "depth [hidden]"


def test_of_two_values_the_longer_one_is_hidden_whole() -> None:
    both = {"Environment": {"A": SECRET, "B": f"{SECRET}-and-more"}}
    assert hide_secrets(f"{SECRET}-and-more {SECRET}", both) == "[hidden] [hidden]"


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (json.dumps(SECRET), SECRET),
        (json.dumps({"user": "me", "keys": [SECRET, 5, None]}), SECRET),
        (json.dumps([{"deep": {"er": SECRET}}]), SECRET),
        (f'  ["{SECRET}"]', SECRET),
        (PEM, repr(PEM)),
        (PEM, json.dumps(PEM)),
        (PEM, PEM.replace("\n", "\n  ")),
        (PEM, "MIIEvQIBADAN"),
        ("zażółć gęślą", json.dumps("zażółć gęślą")),
        ('with "quotes"', json.dumps('with "quotes"', ensure_ascii=False)),
        ("zażółć\ngęślą jaźń", json.dumps("zażółć\ngęślą jaźń", ensure_ascii=False)),
        ("it's a secret\t", repr("it's a secret\t")),
        (json.dumps(json.dumps({"password": SECRET})), SECRET),
        (json.dumps({"pin": 9876543210123456}), "9876543210123456"),
        (f"{SECRET}\n", SECRET),
        (f"https://hooks.example/services/{SECRET}", f"/services/{SECRET}"),
        (f"postgresql://me:{SECRET}@db/prod", f"password {SECRET}"),
        ("a secret/with+signs", "a%20secret%2Fwith%2Bsigns"),
        (SECRET, base64.b64encode(SECRET.encode()).decode()),
    ],
)
def test_a_value_is_hidden_decoded_escaped_and_line_by_line(given: str, printed: str) -> None:
    text = hide_secrets(f"ValueError: {printed} is wrong", job(given))
    assert "[hidden]" in text
    assert text.startswith("ValueError: ")
    assert text.endswith(" is wrong")
    assert not any(line in text for line in (SECRET, "MIIEvQIBADAN", "BgkqhkiG9w0B", "BEGIN KEY", "quotes", "98765"))
    assert base64.b64encode(SECRET.encode()).decode() not in text
    assert "gęślą" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "given", [PEM, 'zażółć "gęślą" jaźń', "it's a secret\t", "rings a bell\x07 twice\x07", 'it\'s "all" secret']
)
def test_it_is_hidden_to_the_last_character(given: str) -> None:
    for printed in (given, json.dumps(given)[1:-1], json.dumps(given, ensure_ascii=False)[1:-1], repr(given)[1:-1]):
        assert hide_secrets(f"ValueError: {printed} is wrong", job(given)) == "ValueError: [hidden] is wrong"


def test_all_texts_of_a_value_that_is_json_are_hidden() -> None:
    given = json.dumps([["first-one"], "second-one", {"third": "third-one"}, ["fourth-one", ["fifth-one"]]])
    for text in ("first-one", "second-one", "third-one", "fourth-one", "fifth-one"):
        assert hide_secrets(f"found {text}", job(given)) == "found [hidden]"


def test_a_value_is_hidden_each_time_and_where_it_overlaps_itself() -> None:
    assert hide_secrets(f"{SECRET}, {SECRET}, {SECRET}", job(SECRET)) == "[hidden], [hidden], [hidden]"
    assert hide_secrets("a" * 9, job("a" * 8)) == "[hidden]"
    # Three of them, of which each begins within the one before.
    turns = "round-and-" + "over-" + "round-and-"
    assert hide_secrets("round-and-over-" * 3 + "round-and-", job(turns)) == "[hidden]"


@pytest.mark.parametrize("kept", range(8, len(SECRET)))
def test_a_value_within_which_the_text_ends_is_hidden(kept: int) -> None:
    assert hide_secrets(f"AlgorithmError: {SECRET[:kept]}", job(SECRET)) == "AlgorithmError: [hidden]"


def test_so_few_characters_of_a_value_that_they_tell_nothing_stay() -> None:
    assert hide_secrets(f"AlgorithmError: {SECRET[:7]}", job(SECRET)) == f"AlgorithmError: {SECRET[:7]}"
    assert hide_secrets("", job(SECRET)) == ""
    assert hide_secrets("esame-op", job(SECRET)) == "esame-op"


def test_the_longest_beginning_of_a_value_that_repeats_itself_is_hidden() -> None:
    assert hide_secrets("Error: abababababababab", job("abababababababababab")) == "Error: [hidden]"


@pytest.mark.parametrize("value", ['{"a": ', '["' + "[" * 100_000, "{" * 100_000, '"', "", "[1e999]"])
def test_a_value_that_looks_like_json_and_is_none_is_hidden_as_it_is(value: str) -> None:
    text = hide_secrets(f"Error: {value}: {SECRET}", {"HyperParameters": {"a": value, "b": SECRET}})
    assert SECRET not in text
    assert "[[[[" not in text
    assert "{{{{" not in text


@pytest.mark.parametrize("letter", ["x", "é", "日", "😀", "\ud800"])
def test_a_text_is_cut_to_what_can_be_kept_after_its_secrets_were_hidden(letter: str) -> None:
    text = hide_secrets(letter * MAX_TEXT_BYTES + SECRET, job(SECRET))
    assert text.endswith("…")
    assert MAX_TEXT_BYTES - 4 <= len(text.encode()) <= MAX_TEXT_BYTES
    whole = "x" * (MAX_TEXT_BYTES - 8) + SECRET
    assert hide_secrets(whole, job(SECRET)) == "x" * (MAX_TEXT_BYTES - 8) + "[hidden]"


def test_half_a_surrogate_pair_which_could_not_be_stored_is_let_go() -> None:
    assert hide_secrets("exit \ud800 1", {}) == "exit ? 1"


LETTERS = "AB0\n\"\\'é"
VALUES = st.text(LETTERS, min_size=8, max_size=30)


@given(
    values=st.lists(VALUES | st.lists(VALUES, max_size=2).map(json.dumps), min_size=1, max_size=4),
    around=st.text("·~", min_size=1, max_size=5),
    cut=st.integers(0, 40),
)
@example(values=["00000000", "000000000"], around="·", cut=0)
@example(values=["00000000\n00000000"], around="·", cut=1)
@example(values=["AAAAAAAABBBBBBBB", "BBBBBBBBAAAAAAAA"], around="·", cut=8)
def test_no_more_is_left_of_any_value_than_tells_nothing(values: list[str], around: str, cut: int) -> None:
    given = {"Environment": {str(number): value for number, value in enumerate(values)}}
    told = around.join(["", *(value for value in values if len(value) >= 8)])
    text = hide_secrets(told[: len(told) - cut], given)
    assert len(text.replace("[hidden]", "").replace("·", "").replace("~", "")) < 8


LONG = "sesame-open-" + "42" * 30


@pytest.mark.parametrize(
    "told",
    [
        f"KeyError: {LONG[:40]}",
        f'ErrorMessage "KeyError: {LONG[:40]}" Command "train"',
        f"KeyError: {LONG[:60]} is wrong",
        f"input_value='{LONG[:12]}...{LONG[-12:]}' is wrong",
        f"input_value='{LONG[:12]}…{LONG[-12:]}' is wrong",
        f"{LONG[-12:]} ends it",
        f"it is {LONG[-60:]}, they say",
    ],
)
def test_a_piece_that_was_cut_off_is_hidden_wherever_it_stands(told: str) -> None:
    text = hide_secrets(told, job(LONG))
    assert "[hidden]" in text
    assert "sesame" not in text
    assert "4242" not in text


def test_a_piece_is_hidden_each_time_it_is_told() -> None:
    assert hide_secrets(f"{LONG[:40]}..., " * 3, job(LONG)) == "[hidden]..., [hidden]..., [hidden]..., "
    # What looks like its beginning may begin one character before it.
    assert hide_secrets(f"told: {'a' * 9}...", job("a" * 8 + LONG)) == "told: a[hidden]..."


def test_a_word_with_which_a_long_value_begins_is_told() -> None:
    given = job("s3://churn/data/2024/part-0001.csv")
    assert hide_secrets("cannot write s3://churn/output", given) == "cannot write s3://churn/output"
    assert hide_secrets("no file /opt/ml/input/data/train", job("s3://churn/data/train")).endswith("/data/train")


def test_the_longest_texts_of_the_worst_values_are_searched_in_a_moment() -> None:
    given = {"HyperParameters": {f"k{number}": "a" * (2000 + number) for number in range(100)}}
    began = time.process_time()
    assert "aaaaaaaa" not in hide_secrets("a" * 1024, given)
    hide_secrets("ab" * 512, {"Environment": {f"k{number}": "ab" * 200 + "b" * number for number in range(100)}})
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("--token=first=second-part", "first=second-part"),
        ("https://hooks.example/services/T00/open-42", "/services/T00/open-42"),
        ("https://hooks.example/open-42?next=https://churn.example", "/open-42?next=https://churn.example"),
        ("postgresql://me:sesame:open-42@db/prod", "sesame:open-42"),
        ("postgresql://me:sesame@open-42@db/prod", "sesame@open-42"),
        (json.dumps({"key": 3.141592653589793}), "3.141592653589793"),
        ("ab" * 5 + "X" + "cd" * 5, "ab" + "ab" * 5 + "X" + "cd" * 5 + "cd"),
        (LONG, f"{LONG[:40]}..., {LONG[:40]}..."),
    ],
)
def test_what_is_taken_out_of_a_value_is_hidden_whole_and_each_time(given: str, printed: str) -> None:
    text = hide_secrets(f"found {printed} there", job(given))
    assert text in {"found [hidden] there", "found ab[hidden]cd there", "found [hidden]..., [hidden]... there"}


def test_the_value_of_a_setting_that_is_no_option_is_told_alone() -> None:
    assert hide_secrets("runs distributed today", job("mode=distributed")) == "runs distributed today"


def test_three_quarters_of_a_value_are_hidden_and_less_is_told() -> None:
    given = job("sesame-open-4242")
    assert hide_secrets("it is sesame-open-, they say", given) == "it is [hidden], they say"
    assert hide_secrets("it is sesame-open, they say", given) == "it is sesame-open, they say"


def test_a_value_with_half_a_character_is_hidden() -> None:
    assert hide_secrets(f"found {SECRET}\ud800 there", job(f"{SECRET}\ud800")) == "found [hidden] there"


@pytest.mark.parametrize(
    "between",
    ["\u200b", "\x00", "\x1b[31m", "\u202e"],
    ids=["zero-width space", "NUL", "colour", "right-to-left override"],
)
def test_a_secret_is_found_although_a_text_has_invisible_characters_within_it(between: str) -> None:
    assert hide_secrets(f"no {between.join(SECRET)}, sorry", job(SECRET)) == "no [hidden], sorry"


def test_a_secret_that_has_such_characters_itself_is_found_before_they_are_gone() -> None:
    secret = "sesame\u200b-open\n-or else"
    assert hide_secrets(f"no {secret}, sorry\x07", job(secret)) == "no [hidden], sorry"


def test_what_is_kept_takes_no_more_bytes_once_it_is_stored() -> None:
    for letter in ('"', "\\", "\x01", "\N{GRINNING FACE}", "\ud800", "\u2028"):
        assert encoded_size(hide_secrets("x" + letter * 1024, {})) <= MAX_TEXT_BYTES


def test_a_mark_that_is_cut_reveals_nothing() -> None:
    for kept in range(MAX_TEXT_BYTES - 20, MAX_TEXT_BYTES):
        text = hide_secrets("x" * kept + SECRET, job(SECRET))
        assert not set(text) - set("x[hidden]…")


RANDOM_40 = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".replace("EXAMPLE", "3xAmPl3")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "abc") for name in ("PASSWORD", "db_password", "dbPassword", "DBPassword", "dbpassword", "db.passwd")),
        *((name, "abc") for name in ("api_key", "API-KEY", "apiKey", "APIKey", "apikey", "KAGGLE_KEY", "key")),
        *((name, "abc") for name in ("token", "HF_TOKEN", "hfToken", "authToken", "WANDB_API_KEY", "AUTH")),
        *((name, "abc") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")),
        *(
            (name, "abc")
            for name in ("client_secret", "credentials", "db-credential", "Authorization", "SLACK_WEBHOOK")
        ),
        ("password", "12345678"),
        ("password", "5"),
        ("access_key", "12345678"),
        ("DB_PWD", "hunter2"),
        ("DB_PWD", "5/hunter2"),
        ("token", "/hunter2"),
        ("password", '"5"'),
        ("secret", "a b c"),
        ("a", "AKIAIOSFODNN7EXAMPLE"),
        ("a", "aws configure set x ASIAIOSFODNN7EXAMPLE"),
        ("a", RANDOM_40),
        ("a", f"use {RANDOM_40} here"),
        ("a", "postgres://user:hunter2@db.example:5432/churn"),
        ("a", "https://hooks.slack.com/services/T00/B00/x"),
        ("a", "https://churn.s3.amazonaws.com/a.csv?X-Amz-Algorithm=x&X-Amz-Signature=00ff"),
        ("a", "https://example.com/a?page=2&token=hunter2"),
        ("a", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
        ("a", "-----BEGIN PRIVATE KEY-----"),
        ("a", "ghp_" + "a1B2" * 9),
        ("a", "sk-proj-" + "a1B2" * 9),
        ("a", "xoxb-1234567890-abcdefghij"),
        ("a", JWT),
        ("a", "Bearer abcdefghijklmnopq"),
        ("a", json.dumps("AKIAIOSFODNN7EXAMPLE")),
        ("a", json.dumps({"db": {"hosts": ["a"], "password": "hunter2"}})),
        ("a", json.dumps({"db": {"password": "hunter2", "hosts": ["a"]}})),
        ("a", json.dumps(json.dumps({"api_key": "hunter2"}))),
        ("a", json.dumps(["--epochs", "3", "--token", "hunter2"])),
        ("a", "train --epochs 3 --token hunter2"),
        ("a", "train --token=hunter2"),
        ("a", "API_KEY=hunter2 train"),
    ],
)
def test_a_value_looks_secret_by_its_name_or_by_itself(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "64"),
        ("num_tokens", "4096"),
        ("max_new_tokens", "256"),
        ("token", "4096"),
        ("key", "7"),
        *((name, "<s>") for name in ("pad_token", "eos_token", "bosToken", "special_token", "unk_token")),
        ("tokenizer", "bert-base-uncased"),
        ("tokenizer_name", "bert-base-uncased"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("use_auth_token", "true"),
        ("auth_type", "basic"),
        ("num_key_value_heads", "8"),
        ("key_dim", "64"),
        *((name, "customer") for name in ("primary_key", "partition_key", "sortKey", "label_key", "keyword", "monkey")),
        ("author", "somebody"),
        ("password", ""),
        ("secret_arn", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db"),
        ("secret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db"),
        ("secret_name", "prod/db"),
        ("token", "s3://churn/key=5/token"),
        ("train", "s3://churn/password=5/token"),
        ("sagemaker_submit_directory", json.dumps("s3://churn/code/sourcedir.tar.gz")),
        ("sagemaker_program", json.dumps("train.py")),
        ("PWD", "/opt/ml/code"),
        ("a", "sha256:" + "0123456789abcdef" * 4),
        ("a", "0123456789abcdef" * 2 + "01234567"),
        ("a", "https://example.com:443/data"),
        ("a", "the key is attention, the token is a word"),
        ("a", "train --epochs 3 --batch-size=64"),
        ("a", json.dumps({"layers": [1, 2, 3], "lr": 1e-3, "on": True, "none": None})),
        ("a", "[not json"),
        ("a", "[" * 5000),
        ("", "abc"),
    ],
)
def test_a_usual_value_does_not_look_secret(name: str, value: str) -> None:
    assert not looks_secret(name, value)


@given(st.text(max_size=30), st.text(max_size=200) | st.from_regex(r"([-a-z_]{0,9}[= \"{[:]){0,20}"))
def test_any_name_and_value_look_secret_or_not(name: str, value: str) -> None:
    assert looks_secret(name, value) in {True, False}


def test_a_job_is_shown_as_it_was_submitted_but_for_its_secrets() -> None:
    job = {
        "AlgorithmSpecification": {
            "TrainingImage": "image:1",
            "ContainerEntrypoint": ["sh", "-c", "API_KEY=hunter2 train"],
            "ContainerArguments": ["--epochs", "3", "--token", "hunter2", "--verbose", "--password=hunter2"],
        },
        "HyperParameters": {"num_round": "9", "password": "hunter2"},
        "Environment": {"STAGE": "test", "HF_TOKEN": "hunter2"},
        "DebugRuleConfigurations": [{"RuleParameters": {"rule": "a", "token": "hunter2"}}],
        "Tags": [{"Key": "token", "Value": "7-b"}],
        "ResourceConfig": {"InstanceCount": 2},
    }
    before = json.dumps(job)
    assert redact_job(job) == {
        "AlgorithmSpecification": {
            "TrainingImage": "image:1",
            "ContainerEntrypoint": ["sh", "-c", HIDDEN],
            "ContainerArguments": ["--epochs", "3", "--token", HIDDEN, "--verbose", HIDDEN],
        },
        "HyperParameters": {"num_round": "9", "password": HIDDEN},
        "Environment": {"STAGE": "test", "HF_TOKEN": HIDDEN},
        "DebugRuleConfigurations": [{"RuleParameters": {"rule": "a", "token": HIDDEN}}],
        "Tags": [{"Key": "token", "Value": "7-b"}],
        "ResourceConfig": {"InstanceCount": 2},
    }
    assert json.dumps(job) == before
