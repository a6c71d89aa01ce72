"""Checks specs without AWS: `spot-relay lint`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spot_relay_client.cli.command import StackCommand, wants_colour, write_json
from spot_relay_client.errors import SpotRelayError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spot_relay.domain.lint.rule import Finding

# What the two commands that lint mean with their exit codes.
FINE, WARNED, FAULTY = 0, 1, 2
_COLOURS = {"error": "red", "warning": "yellow"}


def check_rules(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of rules; complain of one that does not exist."""
    if names:
        from spot_relay.domain.lint.lint import RULES

        known = {rule.id for rule in RULES}
        if unknown := next((name for name in names if name not in known), None):
            raise click.BadParameter(f"There is no rule {unknown}. The rules are {', '.join(sorted(known))}.")
    return names


allow_option = click.option(
    "--allow", metavar="RULE", multiple=True, callback=check_rules, help="Skip a rule; can be repeated."
)
strict_option = click.option("--strict", is_flag=True, help="Exit with 1 if there are warnings.")


@click.command("lint", cls=StackCommand, short_help="Check specs without AWS")
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(allow_dash=True))
@allow_option
@strict_option
@click.option("--rules", is_flag=True, help="Print all rules as Markdown, and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lint_files(files: tuple[str, ...], allow: tuple[str, ...], strict: bool, rules: bool, as_json: bool) -> None:
    """Check specs without AWS.

    A finding says why it matters and how to fix it; docs/lint.md explains each rule. Specs that are checked together
    are also compared with each other. With --json: {"files": [{"file", "error", "findings": [{"rule", "severity",
    "path", "message", "why", "fix", "page"}]}], "errors", "warnings"}. The exit code is 0 if nothing is wrong, 2 for
    errors and for files that cannot be read, and with --strict 1 for warnings.
    """
    from spot_relay.domain.lint.lint import render_rules

    if rules:
        click.echo(render_rules(), nl=False)
        return
    if not files:
        raise click.UsageError("Name at least one file, or - for standard input.")
    specs, errors = _read(files)
    found = {file: _find(file, specs, allow) for file in specs}
    severities = [finding.rule.severity.value for findings in found.values() for finding in findings]
    count = len(errors) + severities.count("error"), severities.count("warning")
    if as_json:
        write_json(_describe(files, found, errors, count))
    else:
        for file in files:
            _print_file(file, errors.get(file), found.get(file, ()))
        click.echo(f"{_number(count[0], 'error')}, {_number(count[1], 'warning')} in {_number(len(files), 'file')}")
    click.get_current_context().exit(choose_exit(*count, strict=strict))


def choose_exit(errors: int, warnings: int, *, strict: bool) -> int:
    """Return the exit code of a command that lints."""
    if errors:
        return FAULTY
    return WARNED if warnings and strict else FINE


def print_finding(finding: Mapping[str, Any]) -> None:
    """Print a finding for people."""
    label = click.style(f"{finding['severity']}:", fg=_COLOURS[finding["severity"]], bold=True)
    rule = click.style(f"[{finding['rule']}]", dim=True)
    click.echo(f"  {label} {finding['path']}: {finding['message']} {rule}", color=wants_colour())
    click.echo(f"    {finding['why']}")
    click.echo(f"    {click.style('Fix:', bold=True)} {finding['fix']}", color=wants_colour())


def _read(files: Iterable[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the specs in files, and what is wrong with those that cannot be read."""
    from spot_relay_client.spec_file import read_spec

    specs, errors = {}, {}
    for file in files:
        try:
            text = click.get_text_stream("stdin").read() if file == "-" else Path(file).read_text("utf-8")
            specs[file] = read_spec(text, file)
        except (SpotRelayError, OSError, UnicodeDecodeError) as error:
            errors[file] = str(error)
    return specs, errors


def _find(file: str, specs: Mapping[str, dict[str, Any]], allow: Sequence[str]) -> tuple[Finding, ...]:
    from spot_relay.domain.lint.draft import Surroundings
    from spot_relay.domain.lint.lint import find_flaws
    from spot_relay.request.drafts import read_draft

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    drafts = {name: read_draft(spec, region) for name, spec in specs.items()}
    others = {name: draft for name, draft in drafts.items() if name != file}
    prefixes = {draft.name or name: draft.checkpoint_uri for name, draft in others.items() if draft.checkpoint_uri}
    return find_flaws(drafts[file], Surroundings(region, prefixes=prefixes), allow)


def _describe(
    files: Iterable[str],
    found: Mapping[str, Iterable[Finding]],
    errors: Mapping[str, str],
    count: tuple[int, int],
) -> dict[str, Any]:
    listed = [
        {"file": file, "error": errors.get(file), "findings": [each.document() for each in found.get(file, ())]}
        for file in files
    ]
    return {"files": listed, "errors": count[0], "warnings": count[1]}


def _print_file(file: str, error: str | None, findings: Iterable[Finding]) -> None:
    documents = [finding.document() for finding in findings]
    if error is not None:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", color=wants_colour())
    if documents:
        click.echo(click.style(file, bold=True), color=wants_colour())
    for document in documents:
        print_finding(document)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
