"""What all commands have in common: `--stack` and `--json`, errors that say what to do, and exit codes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import click

from spot_relay_client.cli.exits import ExitCode
from spot_relay_client.errors import (
    NoSuchRunError,
    RefusedError,
    SpotRelayError,
    StackNotFoundError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from spot_relay_client.relay import SpotRelay


@dataclass(frozen=True)
class Terminal:
    """Where a command was called: which stack it means, and how its output is wanted."""

    stack_name: str | None
    as_json: bool

    @cached_property
    def relay(self) -> SpotRelay:
        """The runs of the stack."""
        from spot_relay_client.relay import SpotRelay

        return SpotRelay(self.stack_name)

    @cached_property
    def console(self) -> Console:
        """The output, for people."""
        from rich.console import Console

        from spot_relay_client.cli.plain_characters import replace_what_cannot_be_printed

        replace_what_cannot_be_printed(sys.stdout)
        return Console(highlight=False, emoji=False)

    @property
    def is_drawn_on(self) -> bool:
        """Whether the output is a terminal on which something can be drawn again and again."""
        return not self.as_json and self.console.is_terminal and not self.console.is_dumb_terminal

    def show(self, document: Any, draw: Callable[[], RenderableType]) -> None:
        """Print a document as JSON, or what ``draw`` makes of it if people read it."""
        if self.as_json:
            write_json(document)
        else:
            self.console.print(draw())

    def note(self, message: str) -> None:
        """Print a message for people beside the output, on standard error."""
        click.echo(message, err=True)


def write_json(document: Any) -> None:
    """Print a document as JSON."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


class StackCommand(click.Command):
    """A command that turns errors into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SpotRelayError as error:
            _report(error, as_json=bool(ctx.find_root().meta.get("as_json")))
            ctx.exit(_code_of(error))
        except KeyboardInterrupt:
            click.echo("Cancelled.", err=True)
            ctx.exit(ExitCode.CANCELLED)
        except Exception as error:
            if not _is_of_aws(error):
                raise
            advice = "`spot-relay doctor` looks for the cause."
            _report(SpotRelayError(f"AWS could not be used: {error} {advice}"), as_json=False)
            ctx.exit(ExitCode.UNREACHABLE)


def stack_command(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function whose first argument is the `Terminal`."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @click.option("--stack", "stack_name", metavar="NAME", envvar="SPOT_RELAY_STACK", help="The name of the stack.")
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @wraps(function)
        def run(stack_name: str | None, as_json: bool, **parameters: Any) -> Any:
            click.get_current_context().find_root().meta["as_json"] = as_json
            return function(Terminal(stack_name, as_json), **parameters)

        # Without it, click cuts the first sentence short in the list of commands.
        first_sentence = (function.__doc__ or "").partition("\n")[0].rstrip(".")
        return click.command(name, cls=StackCommand, short_help=first_sentence, **attributes)(run)

    return decorate


def _complete_run(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the newest runs whose names begin with what was typed."""
    from itertools import islice

    from spot_relay_client.relay import SpotRelay

    try:
        newest = list(islice(SpotRelay(context.params.get("stack_name")).list(), 100))
    except SpotRelayError:
        return []
    return [run.name for run in newest if run.name.startswith(incomplete)]


run_argument = click.argument("run", shell_complete=_complete_run)
optional_run_argument = click.argument("run", required=False, shell_complete=_complete_run)


def _report(error: SpotRelayError, *, as_json: bool) -> None:
    """Print an error on standard error."""
    if not as_json:
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True, color=wants_colour())
        return
    known = error if isinstance(error, RefusedError) else None
    shown = {
        "code": known.code if known else type(error).__name__.removesuffix("Error"),
        "message": str(error),
        "details": known.details if known else [],
    }
    click.echo(json.dumps({"error": shown}, indent=2), err=True)


def wants_colour() -> bool | None:
    """Return False if NO_COLOR is set, and else None, which leaves it to click."""
    return False if os.environ.get("NO_COLOR") else None


def _code_of(error: SpotRelayError) -> ExitCode:
    match error:
        case NoSuchRunError():
            return ExitCode.NO_SUCH_RUN
        case RefusedError():
            return ExitCode.REFUSED
        case StackNotFoundError() | UnreachableError():
            return ExitCode.UNREACHABLE
        case _:
            return ExitCode.PROBLEM


def _is_of_aws(error: Exception) -> bool:
    """Whether botocore raised an error; without botocore imported it cannot have."""
    exceptions = sys.modules.get("botocore.exceptions")
    return exceptions is not None and isinstance(error, (exceptions.BotoCoreError, exceptions.ClientError))
