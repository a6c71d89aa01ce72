"""The fuzzer's targets hold for all that they begin with, and the fuzzer tells what breaks one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from embedded.patience import give_time
from tests.fuzz import __main__ as command
from tests.fuzz import fuzz_api, fuzz_events, fuzz_spec
from tests.hostile.functions import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
TARGETS: dict[str, Any] = {"spec": fuzz_spec, "events": fuzz_events, "api": fuzz_api}
BROKEN = """
import sys
from pathlib import Path
from tests.fuzz import running

def load():
    def target(data):
        if data.startswith(b"seed"):
            raise ValueError("this one breaks")
    return target

running.FOLDER = Path(sys.argv.pop(1))
running.fuzz("broken", load, lambda: [b"good", b"seed"], ['a"b', "é"])
"""


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_every_input_of_every_kind_that_it_begins_with(name: str) -> None:
    module = TARGETS[name]
    target, corpus = module.load(), list(module.corpus())
    assert {seed[0] for seed in corpus} == set(module.KINDS)
    for seed in (b"", *corpus):
        target(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_its_dictionary_has_words_that_are_not_empty(name: str) -> None:
    words = list(TARGETS[name].words())
    assert len(words) > 5
    assert all(words)


def test_every_target_can_be_asked_for_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(command.TARGETS) == set(TARGETS)
    with pytest.raises(SystemExit):
        command.main(["nothing"])
    assert "there is no target nothing" in capsys.readouterr().err


def test_where_there_is_no_fuzzer_that_is_said_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert command.main([]) == 0
    assert "Skipped: atheris" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine")
def test_what_breaks_a_target_is_kept_in_a_file_that_breaks_it_again(tmp_path: Path) -> None:
    script = [sys.executable, "-c", BROKEN, str(tmp_path)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/spot_relay'}"}
    for more in (["-runs=1000"], [str(tmp_path / "broken" / "corpus" / "seed-001")]):
        ended = subprocess.run(
            [*script, *more],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=give_time(100),
            cwd=tmp_path,
        )
        assert ended.returncode != 0
        assert "this one breaks" in ended.stdout + ended.stderr
        assert list((tmp_path / "broken").glob("crash-*"))
