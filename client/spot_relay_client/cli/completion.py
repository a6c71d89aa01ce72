"""Prints the script that completes the command in a shell: `spot-relay completion`."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def print_script(shell: str) -> None:
    """Print a script that completes commands, options and the names of runs in a shell.

    \b
    bash: eval "$(spot-relay completion bash)"
    zsh:  eval "$(spot-relay completion zsh)"
    fish: spot-relay completion fish | source
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"This version of click has no completion for {shell}.")
    program = click.get_current_context().find_root()
    click.echo(found(program.command, {}, "spot-relay", "_SPOT_RELAY_COMPLETE").source())
