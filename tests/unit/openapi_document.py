"""docs/openapi.yaml, and how to look things up in it."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import yaml

from tests.hostile.functions import ROOT

DOCUMENT: dict[str, Any] = yaml.load((ROOT / "docs" / "openapi.yaml").read_text("utf-8"), yaml.CSafeLoader)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator for one schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every operation by its method and path."""
    paths = DOCUMENT["paths"].items()
    return {(verb.upper(), path): one for path, item in paths for verb, one in item.items() if verb in METHODS}


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference into the components points to, or the value itself."""
    if "$ref" not in value:
        return value
    _, _, kind, name = value["$ref"].split("/")
    found: dict[str, Any] = DOCUMENT["components"][kind][name]
    return found


def codes(response: dict[str, Any]) -> list[str]:
    """Return the codes that the schema of a refusal lists."""
    schema = resolved(response)["content"]["application/json"]["schema"]
    named: list[str] = schema["allOf"][1]["properties"]["code"]["enum"] if "allOf" in schema else []
    return named
