"""All rules, and what they find in a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spot_relay.domain.lint.checkpoint_rules import CHECKPOINT_RULES
from spot_relay.domain.lint.data_rules import DATA_RULES
from spot_relay.domain.lint.draft import NOTHING_KNOWN, Draft, Surroundings
from spot_relay.domain.lint.rule import Finding, Rule
from spot_relay.domain.lint.spot_rules import SPOT_RULES

if TYPE_CHECKING:
    from collections.abc import Collection

RULES: Final[tuple[Rule, ...]] = (*SPOT_RULES, *CHECKPOINT_RULES, *DATA_RULES)


def find_flaws(
    draft: Draft, around: Surroundings = NOTHING_KNOWN, allowed: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return what the rules find in a spec, except rules that are allowed to be broken, in the order of `RULES`.

    The spec need not be valid: whatever is not as expected counts as absent.
    """
    return tuple(
        Finding(rule, draft.locate(found.path), found.message)
        for rule in RULES
        if rule.id not in allowed
        for found in rule.find(draft, around)
    )


def render_rules() -> str:
    """Return the page about all rules, in Markdown."""
    sections = [
        f"## {rule.id}\n\n*{rule.severity.capitalize()}.* {rule.why}\n\n**Fix:** {rule.fix}\n"
        + (f"\n{rule.details}\n" if rule.details else "")
        for rule in RULES
    ]
    return "\n".join([_HEAD, *sections])


_HEAD: Final = """\
# Lint rules

`spot-relay lint FILE…` checks specs without AWS, and `spot-relay plan FILE` and `POST /runs?dry_run=true` report the
same findings as warnings. A finding by itself does not cause a refusal. What keeps a spec from becoming a run is
reported as a problem instead.

`--allow RULE` leaves a rule out, and can be repeated. With `--strict`, warnings fail as well.

<!-- Made by `make lint-rules` from the rules in domain/lint. Do not edit. -->
"""
