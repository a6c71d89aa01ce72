"""The exit codes of the command; `docs/command.md` lists them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of `spot-relay` means."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    FAILED = 3
    STOPPED = 4
    UNREACHABLE = 5
    REFUSED = 6
    NO_SUCH_RUN = 7
    CANCELLED = 130


MEANINGS = {
    ExitCode.OK: "done; with `--wait` or in `watch`, the run completed",
    ExitCode.PROBLEM: "something is wrong, and the message says what: for example `doctor` found a problem",
    ExitCode.USAGE: "the command line is wrong, or `lint` or `plan` found a problem or an error",
    ExitCode.FAILED: "the run that was waited for failed",
    ExitCode.STOPPED: "the run that was waited for was stopped",
    ExitCode.UNREACHABLE: "the stack was not found, or its API gave no usable answer",
    ExitCode.REFUSED: "the API refused the request: problems of the spec, a name that is taken, a run that has ended",
    ExitCode.NO_SUCH_RUN: "there is no run of this name",
    ExitCode.CANCELLED: "you pressed Ctrl-C; runs continue",
}


def exit_code_of(status: str) -> ExitCode:
    """Return the code for a run that was waited for, by the status in which it ended."""
    return {"Failed": ExitCode.FAILED, "Stopped": ExitCode.STOPPED}.get(status, ExitCode.OK)
