"""Submits a spec: `spot-relay submit`."""

from __future__ import annotations

from typing import TextIO

import click

from spot_relay_client.cli.command import Terminal, stack_command, write_json
from spot_relay_client.cli.following import wait_and_exit


@stack_command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--wait", is_flag=True, help="Wait until the run has ended, and exit with its result.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change a value, such as policy.deadline=P2D."
)
def submit(terminal: Terminal, file: TextIO, wait: bool, assignments: tuple[str, ...]) -> None:
    """Submit the spec in FILE, as JSON or YAML, or from standard input for `-`.

    Submitting the same spec again does nothing but show its run. A key of --set is a path such as
    training_job.HyperParameters.num_round; give --set several times to change several values. With --json: the run as
    in `spot-relay show --json`.
    """
    from spot_relay_client.spec_file import read_spec, set_values

    spec = set_values(read_spec(file.read(), file.name), assignments)
    run = terminal.relay.submit(spec)
    if run.notice:
        terminal.note(run.notice)
    if wait:
        wait_and_exit(terminal, run)
    if terminal.as_json:
        write_json(run.document)
        return
    click.echo(f"{run.name} is {run.status}: {run.reason}")
    if not run.ended:
        click.echo(f"To follow it: spot-relay watch {run.name}")
