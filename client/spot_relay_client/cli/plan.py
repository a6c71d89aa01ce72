"""Shows what would happen to a spec: `spot-relay plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from spot_relay_client.cli.command import Terminal, stack_command, wants_colour, write_json
from spot_relay_client.cli.lint import FAULTY, allow_option, choose_exit, print_finding, strict_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spot_relay.domain.lint.rule import Finding


@stack_command("plan")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Change a value, such as policy.deadline=P2D."
)
@allow_option
@strict_option
def show_plan(
    terminal: Terminal, file: TextIO, assignments: tuple[str, ...], allow: tuple[str, ...], strict: bool
) -> None:
    """Show what would happen to the spec in FILE without submitting it.

    It shows problems and warnings; each placement with its price, the stack's limit, the quota in your account and the
    place in the queue; with a deadline the earliest and the latest finish, and when on-demand begins if spot never
    comes; and the cost. The stack simulates its own decisions, with the best and the worst spot market. With --json:
    {"problems", "warnings", "plan"}; docs/openapi.yaml describes it as DryRun, and each placement also has a quota:
    null, or {"limit", "used", "source"}. The exit code is 0 if the spec would become a run, 2 if it has problems or a
    warning whose severity is error, or if FILE cannot be read, and with --strict 1 for other warnings.
    """
    from spot_relay.domain.lint.lint import find_flaws
    from spot_relay.request.drafts import read_draft
    from spot_relay_client.account_view import add_quotas, list_quotas, look_around
    from spot_relay_client.checkups import allowed_roles

    read = _read(file, assignments)
    relay = terminal.relay
    spec = relay.stack.fill_in(read)
    answer = relay.plan(spec)
    session, region = relay.session, relay.stack.region
    own: tuple[Finding, ...] = ()
    if answer["plan"] is not None:
        # Only a valid spec has a plan, and surely names buckets.
        draft = read_draft(spec, region, tuple(allowed_roles(relay.stack.parameters)))
        own = find_flaws(draft, look_around(session, region, draft))
        answer["plan"] = add_quotas(answer["plan"], list_quotas(session, region))
    answer["warnings"] = _merge_warnings(answer["warnings"], own, allow)
    if terminal.as_json:
        write_json(answer)
    else:
        _print(terminal, answer)
    severities = [warning["severity"] for warning in answer["warnings"]]
    faults = len(answer["problems"]) + severities.count("error")
    click.get_current_context().exit(choose_exit(faults, severities.count("warning"), strict=strict))


def _read(file: TextIO, assignments: tuple[str, ...]) -> dict[str, Any]:
    """Return the spec in a file; exit as for a spec with problems if there is none."""
    from spot_relay_client.spec_file import SpecFileError, read_spec, set_values

    try:
        return set_values(read_spec(file.read(), file.name), assignments)
    except SpecFileError as error:
        unreadable = click.ClickException(str(error))
        unreadable.exit_code = FAULTY
        raise unreadable from None


def _merge_warnings(
    warnings: Iterable[dict[str, Any]], own: Iterable[Finding], allow: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the stack's warnings and what the caller's own credentials show, each place once a rule."""
    documents = [*warnings, *(finding.document() for finding in own)]
    by_place = {(warning["rule"], warning["path"]): warning for warning in documents}
    return [warning for warning in by_place.values() if warning["rule"] not in allow]


def _print(terminal: Terminal, answer: dict[str, Any]) -> None:
    from spot_relay_client.cli.plan_view import draw_plan

    if answer["plan"] is not None:
        terminal.console.print(draw_plan(answer["plan"]))
    for problem in answer["problems"]:
        label = click.style("problem:", fg="red", bold=True)
        click.echo(f"  {label} {problem['path'] or '(the document)'}: {problem['message']}", color=wants_colour())
    for warning in answer["warnings"]:
        print_finding(warning)
