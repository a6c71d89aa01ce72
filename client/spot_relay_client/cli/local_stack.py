"""Runs the stack on this machine, from a checkout of the repository: `spot-relay local`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from spot_relay_client.cli.command import write_json


@click.group()
def local() -> None:
    """Run Spot Relay on this machine, without AWS.

    It needs a checkout of the repository with its environment (`make setup`): the real template is deployed to an
    emulator of AWS, and training jobs are simulated. SPOT_RELAY_LOCAL names the folder in which the stack is kept, by
    default .local in the checkout; each folder can have a stack.
    """


@local.command()
@click.option("--scenario", type=click.Path(exists=True, dir_okay=False), help="What the spot market does.")
@click.option("--images", type=click.Path(exists=True, file_okay=False), help="The folder of the images local/*.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def up(scenario: str | None, images: str | None, as_json: bool) -> None:
    """Start the stack and leave it running. It takes about a minute.

    With --json: as `spot-relay local status --json`.
    """
    root = find_checkout()
    options = [f"--scenario={Path(scenario).absolute()}"] if scenario else []
    options += [f"--images={Path(images).absolute()}"] if images else []
    click.echo("Starting the stack …", err=True)
    _run(root, "start", *options)
    _show_status(root, as_json=as_json)


@local.command()
def down() -> None:
    """Stop the stack that was left running."""
    click.echo(_run(find_checkout(), "stop").strip())


@local.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show whether the stack is running, and how to use it.

    With --json: {"running", "aws_url", "simulator_url", "environment_file"}. The exit code is 1 if it is not running.
    """
    _show_status(find_checkout(), as_json=as_json)


def find_checkout() -> Path:
    """Return the root of the repository: the one that this file is in, or else the current folder's."""
    for folder in (Path(__file__).parents[3], Path.cwd(), *Path.cwd().parents):
        if (folder / "embedded" / "deployment.py").exists() and (folder / "template.yaml").exists():
            return folder
    raise click.ClickException(
        "There is no checkout of Spot Relay here. `spot-relay local` runs the stack from its sources: clone the "
        "repository, run `make setup` in it, and call the command there."
    )


def _run(root: Path, *arguments: str) -> str:
    """Run the module that starts and stops the stack, in the environment of the checkout."""
    own = root / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    ended = subprocess.run(  # noqa: S603 (the arguments are ours)
        [python, "-m", "embedded", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise click.ClickException(f"{ended.stderr.strip() or ended.stdout.strip()}")
    return ended.stdout


def _show_status(root: Path, *, as_json: bool) -> None:
    folder = Path(os.environ.get("SPOT_RELAY_LOCAL") or root / ".local")
    stack = _read_state(folder / "stack.json")
    running = stack is not None and _lives(stack["aws_pid"])
    shown = {
        "running": running,
        "aws_url": stack["aws_url"] if stack and running else None,
        "simulator_url": stack["simulator_url"] if stack and running else None,
        "environment_file": str(folder / "stack.env") if running else None,
    }
    if as_json:
        write_json(shown)
    elif running:
        click.echo(f"The stack is running at {shown['aws_url']}. To use it in this shell:\n")
        click.echo(f"    . {shown['environment_file']}\n    spot-relay ls")
    else:
        click.echo("The stack is not running. To start it: spot-relay local up")
    click.get_current_context().exit(0 if running else 1)


def _read_state(file: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return state if "aws_pid" in state else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
