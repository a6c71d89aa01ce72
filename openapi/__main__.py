"""Writes docs/openapi.yaml."""

from openapi.document import render_document
from openapi.requests import ROOT

(ROOT / "docs" / "openapi.yaml").write_text(render_document(), "utf-8")
