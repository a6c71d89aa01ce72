"""Changes what becomes of a run: `spot-relay stop`, `resume`, `move` and `deadline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from spot_relay_client.cli.command import Terminal, run_argument, stack_command, write_json
from spot_relay_client.cli.following import wait_and_exit

if TYPE_CHECKING:
    from spot_relay_client.models import Run


@stack_command()
@run_argument
@click.option("--wait", is_flag=True, help="Wait until the training job has stopped.")
def stop(terminal: Terminal, run: str, wait: bool) -> None:
    """Stop a run for good.

    Only `spot-relay resume` continues it. With --json: the run as in `spot-relay show --json`.
    """
    stopped = terminal.relay.stop(run)
    if wait and not stopped.ended:
        stopped = terminal.relay.wait(run, poll=2)
    _show(terminal, stopped)


@stack_command()
@run_argument
@click.option(
    "--budget", "budgets", metavar="NAME=NUMBER", multiple=True, help="Change a budget, such as expired_waits=20."
)
@click.option("--deadline", metavar="WHEN", help="A new deadline, such as P1D.")
@click.option("--wait", is_flag=True, help="Wait until the run has ended, and exit with its result.")
def resume(terminal: Terminal, run: str, budgets: tuple[str, ...], deadline: str | None, wait: bool) -> None:
    """Resume a run that failed or was stopped, from its newest checkpoint and with fresh budgets.

    With --json: the run as in `spot-relay show --json`.
    """
    from spot_relay_client.spec_file import set_values

    changes: dict[str, Any] = set_values({}, [f"budgets.{budget}" for budget in budgets])
    if deadline is not None:
        changes["deadline"] = deadline
    resumed = terminal.relay.resume(run, changes)
    if wait:
        wait_and_exit(terminal, resumed)
    _show(terminal, resumed)


@stack_command()
@run_argument
@click.option(
    "--to", "market", type=click.Choice(["on-demand", "spot"]), required=True, help="Where the run continues."
)
@click.option("--wait", is_flag=True, help="Wait until the run has ended, and exit with its result.")
def move(terminal: Terminal, run: str, market: str, wait: bool) -> None:
    """Move an open run to on-demand or to spot now.

    A training job that is running is stopped, and the next one continues from its newest checkpoint. On-demand, the run
    stays until you move it back. On spot, its ladder and its deadline decide again. With --json: the run as in
    `spot-relay show --json`.
    """
    moved = terminal.relay.move(run, market)
    if wait:
        wait_and_exit(terminal, moved)
    _show(terminal, moved)


@stack_command("deadline")
@run_argument
@click.argument("when")
@click.option("--expected-runtime", metavar="DURATION", help="How long the whole training takes, such as PT6H.")
def change_deadline(terminal: Terminal, run: str, when: str, expected_runtime: str | None) -> None:
    """Change the deadline of an open run, or remove it.

    WHEN is a duration from now, such as P2D, an instant, such as 2030-01-01T12:00:00Z, or none. A first deadline needs
    --expected-runtime. With --json: the run as in `spot-relay show --json`.
    """
    changes = {} if expected_runtime is None else {"expected_runtime": expected_runtime}
    deadline = None if when.lower() == "none" else when
    _show(terminal, terminal.relay.change_deadline(run, deadline, **changes))


def _show(terminal: Terminal, run: Run) -> None:
    if terminal.as_json:
        write_json(run.document)
    else:
        click.echo(f"{run.name} is {run.status}: {run.reason}")
