"""How long a start takes, and what it costs, at each memory size of a function: arithmetic, not measured on Lambda.

Lambda's CPU grows with memory: 1,769 MB are one vCPU, and half as many are half of one.
"""

from __future__ import annotations

from typing import Final

SIZES: Final = (256, 512, 768, 1024, 1280, 1536, 1769)
ONE_VCPU_MB: Final = 1769
# The list price of arm64 in us-east-1, as published in 2025.
USD_PER_GB_SECOND: Final = 0.0000133334


def seconds(cpu_seconds: float, memory_mb: int) -> float:
    """Return how long a single thread takes for some CPU time."""
    return cpu_seconds * max(1.0, ONE_VCPU_MB / memory_mb)


def usd_per_million(billed_seconds: float, memory_mb: int) -> float:
    """Return the price of a million invocations of some duration each."""
    return billed_seconds * memory_mb / 1024 * USD_PER_GB_SECOND * 1_000_000
