"""Runs a fuzz target under atheris: libFuzzer chooses bytes, keeps those that reach new code, and shortens crashes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Target = Callable[[bytes], None]

FOLDER: Final = Path(__file__).resolve().parents[2] / ".local" / "fuzz"
LONGEST: Final = 4096
# What is looked into for code that was not reached before; yaml's and json's own parsers are in C.
INSTRUMENTED: Final = ["spot_relay", "yaml"]


def fuzz(name: str, load: Callable[[], Target], seeds: Callable[[], Iterable[bytes]], words: Iterable[str]) -> None:
    """Fuzz until the time is up or something breaks; further arguments are libFuzzer's own.

    ``load`` imports what is fuzzed, so that its code is looked into, and gives the target.
    """
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load()
    folder = FOLDER / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    dictionary = folder / "dictionary"
    dictionary.write_text("".join(f"{_quoted(word)}\n" for word in words), "utf-8")
    options = [f"-artifact_prefix={folder}/", f"-dict={dictionary}", f"-max_len={LONGEST}", "-timeout=20"]
    options += ["-len_control=0", "-rss_limit_mb=2048", "-print_final_stats=1"]
    given = sys.argv[1:]
    # A file that is given is tried alone; without one the corpus grows.
    places = [] if any(not argument.startswith("-") for argument in given) else [str(corpus)]
    atheris.Setup([sys.argv[0], *options, *given, *places], target)
    atheris.Fuzz()


def _quoted(word: str) -> str:
    """Write a word as libFuzzer's dictionaries have it."""
    escaped = "".join(
        f"\\x{byte:02X}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in word.encode()
    )
    return f'"{escaped}"'
