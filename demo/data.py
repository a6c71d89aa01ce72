"""Generate the demo's training set: customers of a telephone company, and which of them left.

It is the same on every machine, because the seed is fixed and values are rounded before they are written.
"""

from __future__ import annotations

import numpy as np

COLUMNS = (
    "churned",
    "months_with_us",
    "monthly_charge",
    "contract_months",
    "support_calls",
    "late_payments",
    "gigabytes_used",
    "gigabytes_included",
    "age",
    "lines",
    "paperless",
    "dropped_calls",
)
"""The columns of the CSV file, which has no header. SageMaker's XGBoost requires the label first."""


def draw_customers(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return ``count`` random customers, one per row, with the columns in ``COLUMNS``."""
    rng = np.random.default_rng(seed)
    months = np.floor(rng.gamma(2.0, 16.0, count)).clip(0, 120)
    contract = rng.choice([1.0, 12.0, 24.0], count, p=[0.5, 0.3, 0.2])
    included = rng.choice([5.0, 20.0, 50.0, 100.0], count, p=[0.3, 0.35, 0.25, 0.1])
    used = (included * rng.lognormal(-0.35, 0.6, count)).round(1)
    lines = rng.integers(1, 6, count).astype(np.float64)
    charge = (9.0 + 0.42 * included + 6.5 * (lines - 1) - 0.15 * contract + rng.normal(0, 4, count)).round(2)
    calls = rng.poisson(1.3, count).astype(np.float64)
    late = rng.poisson(0.5, count).astype(np.float64)
    age = np.floor(rng.normal(44, 15, count)).clip(18, 90)
    paperless = rng.integers(0, 2, count).astype(np.float64)
    dropped = rng.poisson(2.2, count).astype(np.float64)
    tendency = (
        -0.1
        - 0.030 * months
        + 0.028 * (charge - 30)
        - 0.075 * contract * (months % 12 != 0)  # customers stay until their contract is up for renewal
        + 0.42 * calls * (dropped > 2)  # customers leave if support does not fix their dropped calls
        + 0.35 * late
        + 1.1 * (used > included)  # customers leave if they use more than their plan includes
        - 0.010 * (age - 44)
        - 0.25 * (lines - 1)
    )
    churned = (rng.logistic(0.0, 0.7, count) < tendency).astype(np.float64)
    features = (months, charge, contract, calls, late, used, included, age, lines, paperless, dropped)
    return np.column_stack((churned, *features))


def write_csv(count: int, seed: int) -> bytes:
    """Return ``count`` customers as a CSV file for SageMaker's XGBoost."""
    lines = (",".join(f"{value:g}" for value in row) for row in draw_customers(count, seed))
    return ("\n".join(lines) + "\n").encode()


def build_training_set() -> dict[str, bytes]:
    """Return the files of both channels by their keys."""
    return {
        "train/customers.csv": write_csv(4000, seed=11),
        "validation/customers.csv": write_csv(1000, seed=12),
    }
