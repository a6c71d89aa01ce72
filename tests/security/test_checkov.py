"""Each exception from checkov's rules has a reason and is as narrow as it can be; `make checkov` checks the rest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.template import RESOURCES, ROOT

RULE = r"CKV2?_AWS_\d+"
REASON = r"[A-Z].{30,}\."
CONFIGURATION = (ROOT / ".checkov.yaml").read_text("utf-8")


def excuses(resources: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Return the exceptions in the metadata of each resource."""
    found = {name: entry.get("Metadata", {}).get("checkov", {}).get("skip", []) for name, entry in resources.items()}
    return {name: skipped for name, skipped in found.items() if skipped}


EXCUSED = excuses(RESOURCES)
EVERYWHERE: list[str] = yaml.safe_load(CONFIGURATION)["skip-check"]


@pytest.mark.parametrize("resource", EXCUSED)
def test_each_exception_of_a_resource_names_one_rule_and_has_a_reason(resource: str) -> None:
    rules = [entry["id"] for entry in EXCUSED[resource]]
    assert len(set(rules)) == len(rules)
    for entry in EXCUSED[resource]:
        assert set(entry) == {"id", "comment"}
        assert re.fullmatch(RULE, entry["id"])
        assert re.fullmatch(REASON, entry["comment"])


def test_each_exception_for_the_whole_template_names_one_rule_and_has_a_reason() -> None:
    listed = re.findall(rf"^  - ({RULE}) # {REASON}$", CONFIGURATION, re.MULTILINE)
    assert listed == EVERYWHERE
    assert len(set(listed)) == len(listed)


def test_an_exception_is_for_one_resource_or_for_the_whole_template() -> None:
    # As the template is written: SAM copies the exceptions of the API to what it makes of it.
    rules = Counter(entry["id"] for entries in excuses(RESOURCES).values() for entry in entries)
    assert set(rules.values()) == {1}
    assert not rules.keys() & set(EVERYWHERE)


def test_there_are_exceptions_nowhere_else() -> None:
    assert "checkov:skip" not in (ROOT / "template.yaml").read_text("utf-8")
    assert not {"check", "soft-fail", "skip-path", "baseline"} & yaml.safe_load(CONFIGURATION).keys()
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (command,) = [line for line in makefile.splitlines() if line.startswith("CHECKOV :=")]
    assert command.endswith("/checkov --config-file .checkov.yaml")


def test_an_exception_of_the_api_also_holds_for_the_stage_that_sam_makes_of_it() -> None:
    """The translation is written with its metadata, so that checkov reads what AWS gets."""
    written = subprocess.run(
        [sys.executable, "-m", "tests.security.translated"], cwd=ROOT, capture_output=True, check=True
    )
    resources = json.loads(written.stdout)["Resources"]
    excused = excuses(resources)
    assert [entry["id"] for entry in excused["Apiv1Stage"]] == ["CKV_AWS_73", "CKV_AWS_76", "CKV_AWS_120"]
    assert excused.items() >= EXCUSED.items()
    assert not any(entry["Type"].startswith("AWS::Serverless") for entry in resources.values())
