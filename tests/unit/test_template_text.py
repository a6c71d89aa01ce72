"""What holds for template.yaml as a text: its contents, its groups of parameters, its YAML."""

from __future__ import annotations

import re

import yaml

from tests.template import RESOURCES, ROOT, TEMPLATE

TEXT = (ROOT / "template.yaml").read_text("utf-8")


def test_the_contents_list_each_section_and_its_resources_in_the_order_of_the_file() -> None:
    head, _, body = TEXT.partition("\nAWSTemplateFormatVersion:")
    # A section at two levels of indentation, and at three the names of what it contains.
    listed: dict[str, list[str]] = {}
    for section, names in re.findall(r"^# {5}(?:(\S[^:\n]*): \S.*|  (\w+(?:, \w+)*))$", head, re.MULTILINE):
        if section:
            listed[section] = []
        else:
            listed[list(listed)[-1]] += names.split(", ")
    found: dict[str, list[str]] = {}
    _, _, resources = body.partition("\nResources:\n")
    resources, _, _ = resources.partition("\nOutputs:\n")
    for section, name in re.findall(r"^  (?:# --- (.+?) -+|(\w+):)$", resources, re.MULTILINE):
        if section:
            found[section] = []
        else:
            found[list(found)[-1]].append(name)
    assert list(found.items()) == list(listed.items())
    assert [name for names in listed.values() for name in names] == list(RESOURCES)


def test_the_contents_name_each_top_level_part_in_the_order_of_the_file() -> None:
    head, _, body = TEXT.partition("\nAWSTemplateFormatVersion:")
    parts = re.findall(r"^([A-Z]\w+):$", body, re.MULTILINE)
    assert re.findall(r"^#   (\w+)", head, re.MULTILINE) == parts


def test_every_parameter_is_described_and_stands_in_a_group() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert all("Description" in parameter for parameter in TEMPLATE["Parameters"].values())


def test_the_template_is_plain_yaml_without_anchors() -> None:
    """CloudFormation reads a subset of YAML."""
    tokens = yaml.scan(TEXT)
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
