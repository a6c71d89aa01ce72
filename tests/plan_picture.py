"""docs/images/plan.svg: what `spot-relay plan` shows of examples/deadline.yaml. `make plan-picture` writes it."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.plan.document import plan_document
from spot_relay.domain.plan.plan import Room, build_plan
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.spec import parse_submission
from spot_relay_client.account_view import add_quotas
from spot_relay_client.cli.plan_view import draw_plan
from tests.example_specs import ALLOWLIST, FOLDER, read_example

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "images" / "plan.svg"
_NOW: Final = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
_KIND: Final = "ml.p3.8xlarge"
_PRICES: Final = PriceList("s3://example-prices/prices.json", _NOW, {_KIND: Price(14.688, 4.40)})
_QUOTAS: Final = [(f"{_KIND} for spot training job usage", 2.0), (f"{_KIND} for training job usage", 4.0)]
_FONT_FROM_THE_NETWORK: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def plan_example() -> dict[str, Any]:
    """Return the plan of the example as the API answers it, with one run waiting for spot."""
    spec = parse_submission(read_example(FOLDER / "deadline.yaml"), ALLOWLIST)
    waiting = Room(limit=4, used=3, waiting=1, oldest="resnet-weekly", because="The quota has no room.", as_of=_NOW)
    rooms = {
        Placement(_KIND, 1, Market.SPOT): waiting,
        Placement(_KIND, 1, Market.ON_DEMAND): Room(limit=4, used=3),
    }
    document = plan_document(build_plan(accept(spec, "submission", _NOW, _PRICES), _PRICES, rooms))
    plan: dict[str, Any] = json.loads(json.dumps(document))
    return add_quotas(plan, _QUOTAS)


def render_picture() -> str:
    """Return the picture as the repository holds it, without fonts from the network."""
    console = Console(record=True, width=124, file=io.StringIO(), highlight=False, force_terminal=True)
    console.print(draw_plan(plan_example()))
    picture = console.export_svg(title="spot-relay plan examples/deadline.yaml", unique_id="plan")
    picture = _FONT_FROM_THE_NETWORK.sub("", picture)
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(render_picture(), "utf-8")
