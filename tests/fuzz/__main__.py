"""Fuzzes one target, or each in turn: ``python -m tests.fuzz [--seconds N] [--input FILE] [spec | events | api]``."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.fuzz.running import FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGETS: Final = ("spec", "events", "api")
# libFuzzer's own lines; the last that tells of coverage is the newest.
_COVERED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
_EXECUTED = re.compile(r"stat::number_of_executed_units: +(\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, and say what was reached; the status is not 0 where something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"which of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="how long each (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="where the bytes come from; 0 for another each time")
    parser.add_argument("--input", help="try this file alone, such as one that broke the target")
    options = parser.parse_args(arguments)
    targets = options.target or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("Skipped: atheris, the fuzzer, has no wheel for this machine's Python and processor.\n")
        return 0
    broken = [target for target in targets if not _fuzz(target, options)]
    return 1 if broken else 0


def _fuzz(target: str, options: argparse.Namespace) -> bool:
    """Fuzz one target in a process of its own; tell whether it held."""
    given = [options.input] if options.input else [f"-max_total_time={options.seconds}", f"-seed={options.seed}"]
    command = [sys.executable, "-m", f"tests.fuzz.fuzz_{target}", *given]
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{target}.log"
    with log.open("w", encoding="utf-8") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    told = log.read_text("utf-8", "replace")
    if ended.returncode != 0:
        sys.stdout.write(f"{target}: broken\n{told[-6000:]}\n")
        found = re.search(r"Test unit written to (\S+)", told)
        if found:
            sys.stdout.write(f"Again: make fuzz TARGET={target} INPUT={found[1]}\n")
        return False
    covered, executed = _COVERED.findall(told), _EXECUTED.search(told)
    if covered and executed:
        blocks, features, kept = covered[-1]
        sys.stdout.write(
            f"{target}: {executed[1]} inputs, {blocks} blocks and {features} features, {kept} inputs kept\n"
        )
    else:
        sys.stdout.write(f"{target}: held\n")
    return True


if __name__ == "__main__":
    sys.exit(main())
