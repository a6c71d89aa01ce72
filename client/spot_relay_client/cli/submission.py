"""Submits a spec: `spot-relay submit`."""

from __future__ import annotations

from typing import Any, TextIO

import click

from spot_relay_client.cli.command import Terminal, stack_command, write_json
from spot_relay_client.cli.exits import ExitCode
from spot_relay_client.cli.following import wait_and_exit


@stack_command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--wait", is_flag=True, help="Wait until the run has ended, and exit with its result.")
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change a value, such as policy.deadline=P2D."
)
@click.option("--dry-run", is_flag=True, help="Only say whether the spec would be accepted; submit nothing.")
def submit(terminal: Terminal, file: TextIO, wait: bool, assignments: tuple[str, ...], dry_run: bool) -> None:
    """Submit the spec in FILE, as JSON or YAML, or from standard input for `-`.

    Submitting the same spec again only shows its run. {stack.role}, {stack.bucket}, {stack.account} and {stack.region}
    in the spec become those of the stack. A key of --set is a path such as training_job.HyperParameters.num_round;
    repeat --set to change several values. With --json: the run as in `spot-relay show --json`; with --dry-run:
    {"problems", "warnings", "plan"}. The exit code of --dry-run is 6 if the spec would be refused.
    """
    from spot_relay_client.spec_file import read_spec, set_values

    spec = set_values(read_spec(file.read(), file.name), assignments)
    if dry_run:
        _try_out(terminal, spec)
        return
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


def _try_out(terminal: Terminal, spec: dict[str, Any]) -> None:
    """Show the problems and warnings of a spec, and exit with the code of a refusal if it has problems."""
    answer = terminal.relay.plan(spec)
    if terminal.as_json:
        write_json(answer)
    else:
        for kind, notes in (("problem", answer["problems"]), ("warning", answer["warnings"])):
            for note in notes:
                click.echo(f"{kind}: {note.get('path') or '(the document)'}: {note['message']}")
        click.echo("Nothing was submitted. " + ("" if answer["problems"] else "The spec would be accepted."))
    if answer["problems"]:
        click.get_current_context().exit(ExitCode.REFUSED)
