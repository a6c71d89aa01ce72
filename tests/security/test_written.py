"""`make template` shows parliament every policy of the template, with nothing left in it that AWS would put in."""

from __future__ import annotations

import json

from tests.security.translated import translated
from tests.security.written import list_policies


def test_every_policy_of_the_template_is_written() -> None:
    template = json.dumps(translated()["Resources"])
    assert sum(len(policy["Statement"]) for policy in list_policies().values()) == template.count('"Effect"') - trusts()
    assert len(list_policies()) == template.count('"PolicyDocument"')


def test_no_policy_has_a_function_of_cloudformation_left_in_it() -> None:
    for name, policy in list_policies().items():
        written = json.dumps(policy)
        assert '"Ref"' not in written, name
        assert '"Fn::' not in written, name


def trusts() -> int:
    """Return the number of statements about who may assume a role."""
    roles = [entry for entry in translated()["Resources"].values() if entry["Type"] == "AWS::IAM::Role"]
    return sum(len(role["Properties"]["AssumeRolePolicyDocument"]["Statement"]) for role in roles)
