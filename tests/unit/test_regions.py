"""The template is checked for every region in which it can be deployed."""

from __future__ import annotations

import re

from tests.regions import list_regions
from tests.template import ROOT


def test_the_regions_are_those_of_all_partitions_that_have_lambda_and_sagemaker() -> None:
    regions = list_regions()
    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    assert len(regions) >= 40
    assert "aws-global" not in regions


def test_the_check_of_the_template_takes_its_regions_from_this_list_and_silences_no_rule() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (command,) = re.findall(r"^\t@?(\S+/cfn-lint .*)$", makefile, re.MULTILINE)
    assert (
        command
        == "$(CHECKS)/cfn-lint template.yaml .local/translated.json --regions $$($(BIN)/python -m tests.regions)"
    )
    assert not list(ROOT.glob(".cfnlintrc*"))
