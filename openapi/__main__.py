"""Writes docs/openapi.yaml."""

from openapi.document import text
from openapi.requests import ROOT

(ROOT / "docs" / "openapi.yaml").write_text(text(), "utf-8")
