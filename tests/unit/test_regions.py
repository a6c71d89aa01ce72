"""The template is checked for every region in which it can be deployed."""

from __future__ import annotations

import re

from tests.regions import WITHOUT_API_DESTINATIONS, list_regions
from tests.template import ROOT


def test_the_regions_are_those_of_all_partitions_that_have_lambda_and_sagemaker() -> None:
    regions = list_regions()
    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    assert len(regions) >= 40
    assert "aws-global" not in regions


def test_the_check_of_the_template_takes_its_regions_from_this_list_and_silences_no_rule() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.findall(r"^\t@?(\S+/cfn-lint .*)$", makefile, re.MULTILINE) == [
        "$(CHECKS)/cfn-lint template.yaml .local/translated.json --regions $$($(BIN)/python -m tests.regions)",
        "$(CHECKS)/cfn-lint notices/slack.yaml --regions $$($(BIN)/python -m tests.regions slack)",
    ]
    assert not list(ROOT.glob(".cfnlintrc*"))


def test_the_page_on_notices_lists_the_regions_that_have_no_api_destinations() -> None:
    assert set(list_regions()) >= WITHOUT_API_DESTINATIONS
    page = (ROOT / "docs" / "notices.md").read_text("utf-8")
    (sentence,) = re.findall(r"have no API\s+destinations[^.]*: ([^.]+)\.", page)
    assert set(re.findall(r"`([a-z]+-[a-z-]+-\d)`", sentence)) == WITHOUT_API_DESTINATIONS
