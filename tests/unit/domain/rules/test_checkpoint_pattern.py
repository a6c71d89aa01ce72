"""A pattern of checkpoints: how it matches, and which ones are refused."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.rules.checkpoint_pattern import check_pattern, matches_pattern
from spot_relay.domain.values import No


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
        ("[]a][!]b]", "]c"),
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
    ("patterns", "no"),
    [
        (("a\nb",), snapshot(No(because="It contains unprintable characters. Remove them."))),
        (
            ("/a", "s3://bucket/a/**"),
            snapshot(
                No(
                    because="It is relative to the prefix in CheckpointConfig.S3Uri. Leave out the bucket and the prefix."
                )
            ),
        ),
        (("a\\b", "a\\"), snapshot(No(because="It contains a backslash. Separate folders with /."))),
        (
            ("a/",),
            snapshot(
                No(because="It matches no object, because it ends in /. For all objects in the folder, write a/**.")
            ),
        ),
        (
            ("a//b", "./a", "a/../b", ""),
            snapshot(
                No(because="It contains a folder name that is empty or only dots, which matches nothing. Remove it.")
            ),
        ),
        (
            ("a**", "**b", "***", "a/**b/c"),
            snapshot(
                No(
                    because="It contains ** next to other characters. Write ** between slashes, for any number of folders, or *."
                )
            ),
        ),
        (
            ("!*.log", "*.{pt,ckpt}", "checkpoint-*/{model,optimizer}.bin"),
            snapshot(
                No(
                    because="It begins with ! or contains {…,…}, which mean nothing here. Write one pattern of *, ? and []."
                )
            ),
        ),
        (
            ("[a", "a][", "a/[/b]", "[a][", "[!]a[b"),
            snapshot(No(because="It contains a [ that is not closed. Write [[] for the character itself.")),
        ),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused_with_what_to_write_instead(
    patterns: tuple[str, ...], no: No
) -> None:
    for pattern in patterns:
        assert check_pattern(pattern) == no
