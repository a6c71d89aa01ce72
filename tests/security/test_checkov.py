"""What the template is excused from among checkov's rules has its reason beside it; `make checkov` sees to the rest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.security.translated import TEMPLATE, translated


def excuses(resources: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Give what each resource is excused from."""
    found = {name: entry.get("Metadata", {}).get("checkov", {}).get("skip", []) for name, entry in resources.items()}
    return {name: skipped for name, skipped in found.items() if skipped}


EXCUSED = excuses(translated()["Resources"])


@pytest.mark.parametrize("resource", EXCUSED)
def test_each_excuse_names_one_rule_and_has_a_reason(resource: str) -> None:
    rules = [entry["id"] for entry in EXCUSED[resource]]
    assert len(set(rules)) == len(rules)
    for entry in EXCUSED[resource]:
        assert set(entry) == {"id", "comment"}
        assert re.fullmatch(r"CKV2?_AWS_\d+", entry["id"])
        assert re.fullmatch(r"[A-Z].{30,}\.", entry["comment"])


def test_no_rule_is_left_out_for_the_whole_template() -> None:
    assert "checkov:skip" not in TEMPLATE.read_text("utf-8")
    makefile = (TEMPLATE.parent / "Makefile").read_text("utf-8")
    (command,) = [line for line in makefile.splitlines() if line.startswith("CHECKOV :=")]
    assert not re.search(r"--(skip-check|check|soft-fail\S*|skip-path|baseline)\b", command)


def test_what_is_excused_for_the_api_is_excused_for_the_stage_that_sam_makes_of_it() -> None:
    """It is written whole, so that checkov can read it as what AWS gets."""
    written = subprocess.run(
        [sys.executable, "-m", "tests.security.translated"], cwd=TEMPLATE.parent, capture_output=True, check=True
    )
    resources = json.loads(written.stdout)["Resources"]
    excused = excuses(resources)
    assert [entry["id"] for entry in excused["Apiv1Stage"]] == ["CKV_AWS_73", "CKV_AWS_76", "CKV_AWS_120"]
    assert excused.items() >= EXCUSED.items()
    assert not any(entry["Type"].startswith("AWS::Serverless") for entry in resources.values())
