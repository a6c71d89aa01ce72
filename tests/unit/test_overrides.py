"""The layers are built for the runtime and architecture with which they are deployed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.scripts import load_script
from tests.template import ROOT, TEMPLATE

SETTINGS = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
ON_AWS = ("default", "dev", "prod")
ALLOWED = {name: TEMPLATE["Parameters"][name]["AllowedValues"] for name in ("PythonRuntime", "Architecture")}


OVERRIDES = load_script(ROOT / "layers" / "overrides.py")


def settings(**commands: Any) -> dict[str, Any]:
    """Return samconfig.toml with parameter_overrides for some commands."""
    return {"dev": {name: {"parameters": {"parameter_overrides": given}} for name, given in commands.items()}}


@pytest.mark.parametrize("environment", ON_AWS)
def test_each_environment_sets_both_once_for_all_commands_and_to_what_the_template_offers(environment: str) -> None:
    sections = SETTINGS[environment]
    assert [name for name, section in sections.items() if "parameter_overrides" in section["parameters"]] == ["global"]
    given = dict(pair.split("=") for pair in sections["global"]["parameters"]["parameter_overrides"].split())
    assert {name: value in ALLOWED[name] for name, value in given.items()} == dict.fromkeys(ALLOWED, True)


@pytest.mark.parametrize("environment", ON_AWS)
def test_no_environment_reuses_a_build_whose_makefile_may_have_changed(environment: str) -> None:
    assert not SETTINGS[environment].get("build", {}).get("parameters", {}).get("cached")


def test_the_template_offers_only_runtimes_that_lambda_still_creates_and_defaults_to_one() -> None:
    assert ALLOWED["PythonRuntime"] == ["python3.12", "python3.13", "python3.14"]
    assert TEMPLATE["Parameters"]["PythonRuntime"]["Default"] in ALLOWED["PythonRuntime"]


def test_the_common_choice_holds_for_the_build_until_a_deployment_has_stored_another() -> None:
    common = "PythonRuntime=python3.13 Architecture=arm64"
    assert OVERRIDES.find_overrides(settings(**{"global": common}), "dev") == common.split()
    stored = 'AllowedRoleArns="arn:aws:iam::123456789012:role/a" PythonRuntime="python3.12" LogLevel="INFO"'
    chosen = OVERRIDES.find_overrides(settings(**{"global": common}, deploy=stored), "dev")
    assert chosen == ["PythonRuntime=python3.12", "Architecture=arm64"]


def test_an_override_may_have_any_of_the_forms_that_sam_reads() -> None:
    given = "ParameterKey=PythonRuntime,ParameterValue=python3.12 LogLevel=INFO Architecture='x86_64'"
    assert OVERRIDES.find_overrides(settings(deploy=given), "dev") == [
        "PythonRuntime=python3.12",
        "Architecture=x86_64",
    ]


def test_the_stack_that_the_documents_name_is_the_one_that_sam_deploys_unless_told_otherwise() -> None:
    assert {name: SETTINGS[name]["global"]["parameters"]["stack_name"] for name in ON_AWS} == {
        "default": "spot-relay",
        "dev": "spot-relay-dev",
        "prod": "spot-relay",
    }


def test_overrides_may_be_a_list_and_an_environment_may_have_none() -> None:
    listed = ["LogLevel=DEBUG", "Architecture=x86_64", "PythonRuntime=python3.14"]
    assert OVERRIDES.find_overrides(settings(deploy=listed), "dev") == [
        "PythonRuntime=python3.14",
        "Architecture=x86_64",
    ]
    assert OVERRIDES.find_overrides({}, "dev") == []
