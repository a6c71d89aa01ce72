"""Looks for what keeps runs from working: `spot-relay doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TextIO

import click

from spot_relay_client.cli.command import Terminal, stack_command, wants_colour, write_json
from spot_relay_client.cli.exits import ExitCode

if TYPE_CHECKING:
    from spot_relay_client.checkups import Finding

_COLOURS: Final = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "yellow"}


@stack_command("doctor")
@click.argument("spec_file", metavar="[FILE]", type=click.File(encoding="utf-8"), required=False)
def examine(terminal: Terminal, spec_file: TextIO | None) -> None:
    """Check for problems that would keep runs from working.

    It checks your credentials, the stack and its API, the versions, whether SageMaker can assume the training role,
    the buckets and their region, the rate at which the stack may create training jobs, and the variables
    AWS_ENDPOINT_URL_SAGEMAKER, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS and BOTOCORE_EXPERIMENTAL__PLUGINS.
    With the spec in FILE, it also checks that spec's role and buckets, and the quota of each placement. With --json:
    {"findings": [{"check", "result", "message"}]}; a result is ok, warning, problem or unknown. The exit code is 1 if
    there is a problem.
    """
    from botocore.session import Session

    from spot_relay_client.checkups import check_up
    from spot_relay_client.spec_file import read_spec

    spec = read_spec(spec_file.read(), spec_file.name) if spec_file else None
    findings = []
    for finding in check_up(Session(), terminal.stack_name, spec):
        findings.append(finding)
        if not terminal.as_json:
            _print(finding)
    if terminal.as_json:
        write_json({"findings": [asdict(finding) for finding in findings]})
    if any(finding.result == "problem" for finding in findings):
        click.get_current_context().exit(ExitCode.PROBLEM)


def _print(finding: Finding) -> None:
    label = click.style(f"{finding.result:8}", fg=_COLOURS[finding.result])
    click.echo(f"{label} {finding.check:12} {finding.message}", color=wants_colour())
