"""What holds for all tests: how thoroughly they search, and which of them share a worker."""

from __future__ import annotations

from tests import thoroughness

thoroughness.load_profile()
