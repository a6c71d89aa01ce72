"""Runs a program whose calls of SageMaker go through Spot Relay: `spot-relay exec -- python train.py`."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from spot_relay_client.cli.command import StackCommand
from spot_relay_client.errors import SpotRelayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from spot_relay_client.sagemaker.proxy import Proxy

_FORWARDED: Final = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
# What a terminal sends to all processes in its foreground when a key is pressed.
_OF_KEYS: Final = ("SIGINT", "SIGQUIT")
# As shells have it.
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_KILLED: Final = 128


def router_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which jobs become runs, and of which stack."""
    add: Callable[..., Any] = click.option
    for option in (
        add("--stack", metavar="NAME", envvar="SPOT_RELAY_STACK", help="The name of the stack."),
        add("--policy", type=click.Path(exists=True, dir_okay=False), help="A file with the policy of all jobs."),
        add("--all", "all_jobs", is_flag=True, help="Run on-demand jobs as runs, too."),
    ):
        function = option(function)
    return function


@contextmanager
def serving(stack: str | None, policy: str | None, all_jobs: bool, port: int = 0) -> Iterator[Proxy]:
    """Run a proxy for the calls of SageMaker, unless the stack is not there."""
    from botocore.session import Session

    from spot_relay_client import stack as stacks
    from spot_relay_client.sagemaker.policies import read_policy
    from spot_relay_client.sagemaker.proxy import Proxy
    from spot_relay_client.sagemaker.routers import Routers

    session = Session()
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        raise SpotRelayError(
            "SDKs would bypass Spot Relay, because AWS_IGNORE_CONFIGURED_ENDPOINT_URLS or the setting "
            "ignore_configured_endpoint_urls of your profile is true. Remove it."
        )
    if stacks.region_of(session):
        stacks.find(session, stack)
    routers = Routers(session, stack, read_policy(policy), all_jobs=all_jobs)
    with Proxy(session, routers, port) as proxy:
        yield proxy


@click.command(
    "exec",
    cls=StackCommand,
    short_help="Run a program whose training jobs become runs",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@router_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_program(stack: str | None, policy: str | None, all_jobs: bool, command: tuple[str, ...]) -> None:
    """Run COMMAND so that its managed spot training jobs become runs: spot-relay exec -- python train.py.

    The program needs no change. Its calls to SageMaker and CloudWatch Logs go through a proxy on this machine. Calls
    that concern no run are passed on to AWS, with the credentials that this command finds. The exit code is the
    program's.
    """
    with serving(stack, policy, all_jobs) as proxy:
        code = run_child(command, child_environment(os.environ, proxy.environment))
        if not proxy.calls:
            click.echo(
                "spot-relay exec: no call to SageMaker went through Spot Relay. If the program made any, its SDK "
                "ignores AWS_ENDPOINT_URL_SAGEMAKER, as boto3 before 1.28 does, or it uses an address of its own.",
                err=True,
            )
    click.get_current_context().exit(code)


def child_environment(environment: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the program: it finds the proxy, and does not look for it behind an HTTP proxy."""
    direct = {name: ",".join(filter(None, (environment.get(name), "127.0.0.1"))) for name in ("NO_PROXY", "no_proxy")}
    return {**environment, **direct, **more}


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program, pass signals on to it, and return its exit code, or 128 and the signal that killed it."""
    with _forwarding() as forward_to:
        try:
            child = subprocess.Popen(command, env=environment)  # noqa: S603 (the user's own command)
        except OSError as error:
            click.echo(f"spot-relay exec: {command[0]}: {error.strerror}", err=True)
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        forward_to(child)
        code = child.wait()
    return code if code >= 0 else _KILLED - code


@contextmanager
def _forwarding() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Catch signals and pass them on to a child, once it is known."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif not (signal.Signals(number).name in _OF_KEYS and _in_foreground()):
            child.send_signal(number)

    def forward_to(started: subprocess.Popen[bytes]) -> None:
        nonlocal child
        child = started
        for number in early:
            child.send_signal(number)

    numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
    # What is ignored, as after nohup, stays ignored, by the child as well.
    before = {number: signal.getsignal(number) for number in numbers}
    caught = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in caught:
        signal.signal(number, forward)
    try:
        yield forward_to
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether a terminal sends its signals to this process, and then to the child as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
