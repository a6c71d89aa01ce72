"""Write the table of costs into docs/operations.md, and print it: ``python -m bench.cost``."""

from __future__ import annotations

from pathlib import Path

from bench.cost.table import draw_table, replace_table

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"

if __name__ == "__main__":
    PAGE.write_text(replace_table(PAGE.read_text("utf-8")), "utf-8")
    print(draw_table())
