"""A pattern of checkpoints: how it matches, and which ones are refused."""

from __future__ import annotations

import pytest

from spot_relay.domain.rules.checkpoint_pattern import check_pattern, matches_pattern


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("model.pt", "model.pt"),
        ("*.pt", "model.pt"),
        ("checkpoint-*/**", "checkpoint-5/a"),
        ("checkpoint-*/**", "checkpoint-5/a/b/c"),
        ("**", "a/b/c"),
        ("**/*.pt", "model.pt"),
        ("**/*.pt", "a/b/model.pt"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/b/b/b"),
        ("a/**/b/**/c", "a/x/b/y/b/c"),
        ("step-[0-9]/?.bin", "step-5/a.bin"),
        ("[!.]*", "model"),
        ("[[]a]", "[a]"),
        ("{step}.pt", "{step}.pt"),
        ("épo que/*", "épo que/1"),
        ("**/**/a", "a"),
    ],
)
def test_a_key_matches(pattern: str, key: str) -> None:
    assert check_pattern(pattern) is None
    assert matches_pattern(pattern, key)


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("*.pt", "a/model.pt"),
        ("*.pt", "model.PT"),
        ("*.pt", "model.pt\n"),
        ("checkpoint-*/**", "other/checkpoint-5/a"),
        ("checkpoint-*", "checkpoint-5/a"),
        ("a/**/b", "a/b/c"),
        ("a/?/b", "a//b"),
        ("step-[0-9]", "step-a"),
        ("a.b", "axb"),
    ],
)
def test_a_key_does_not_match(pattern: str, key: str) -> None:
    assert not matches_pattern(pattern, key)


@pytest.mark.parametrize(
    "pattern",
    [
        *("/a", "s3://bucket/a/**", "a/", "a//b", "./a", "a/../b", "a**", "**b", "***", "a\\b", "a\nb", "[a", "a]["),
        *("!*.log", "*.{pt,ckpt}", "checkpoint-*/{model,optimizer}.bin"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str) -> None:
    assert check_pattern(pattern) is not None
