"""The command `spot-relay`.

`COMMANDS` lists all commands. A module of commands is imported only when its command runs, or when `--help` lists it,
so at its top it imports nothing heavy: no botocore, no rich, no yaml.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any, Final

import click

from spot_relay_client.cli.interrupts import repeat_lost_interrupts

# Each command with its module in this package and its name there, in the order of `spot-relay --help`.
COMMANDS: Final = {
    "submit": "submission:submit",
    "lint": "lint:lint_files",
    "plan": "plan:show_plan",
    "ls": "listing:list_runs",
    "show": "details:show",
    "watch": "following:watch",
    "dashboard": "dashboard:dashboard",
    "page": "page:write_page",
    "logs": "log_output:logs",
    "explain": "details:explain",
    "stop": "requests:stop",
    "resume": "requests:resume",
    "move": "requests:move",
    "deadline": "requests:change_deadline",
    "savings": "savings_report:savings",
    "doctor": "doctor:examine",
    "redrive": "dead_letters:redrive",
    "local": "local_stack:local",
    "exec": "exec:run_program",
    "proxy": "proxy:serve",
    "completion": "completion:print_script",
}


class _LazyGroup(click.Group):
    """Imports the module of a command when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from spot_relay_client.version import client_version

        click.echo(f"spot-relay {client_version()}")
        context.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Keep SageMaker training jobs running on spot instances until they finish.

    The stack is found by its name, with your AWS credentials and region (AWS_PROFILE, AWS_REGION). Set
    SPOT_RELAY_STACK, or use --stack, if it is not called spot-relay.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command, and exit with its code."""
    repeat_lost_interrupts()
    try:
        return cli.main(arguments, prog_name="spot-relay", standalone_mode=True)
    except BrokenPipeError:
        # Whoever reads the output, such as `head`, has read enough. Nothing must be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
