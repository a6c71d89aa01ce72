"""Hand out the stack's turns to launch from one item in the table of runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.turns import TakenTurns
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.rules.turns import Lane, LaunchRate

# No run's name contains a #.
KEY = {"id": {"S": "turns#CreateTrainingJob"}}
# Of those who try at the same moment one succeeds each time, and no more functions than this launch at once.
MAX_TRIES = 50
_NEVER = datetime.max.replace(tzinfo=UTC)


class TurnsBusyError(Exception):
    """So many functions took turns at once that this one found none; its message is delivered again."""


@dataclass(frozen=True)
class DynamoDBTurns:
    """Stores up to when turns are taken. A turn costs one write, or two while others are taken."""

    client: DynamoDBClient
    table: str
    rate: LaunchRate

    def take(self, lane: Lane, now: datetime) -> datetime:
        """Take the first free turn of a lane, and return when it is: now, or later."""
        turn = self.take_by(_NEVER, lane, now)
        if turn is None:
            raise TurnsBusyError(lane)
        return turn

    def take_by(self, latest: datetime, lane: Lane, now: datetime) -> datetime | None:
        """Take the first free turn of a lane, as `take` does; take none and return None if it is after ``latest``."""
        known: TakenTurns | None = None
        for _ in range(MAX_TRIES):
            turn, taken = self.rate.take(known or TakenTurns(), lane, now)
            if turn > latest:
                return None
            known = self._try_take(known, taken)
            if known is None:
                return turn
        return None

    def _try_take(self, known: TakenTurns | None, taken: TakenTurns) -> TakenTurns | None:
        """Take a turn if the item is as ``known``; otherwise return what it is.

        At first nothing is known. Then the turn is now, which it can be if none of those in the item is still to come.
        """
        over = "attribute_not_exists(id) OR (line_ms <= :origin_ms AND express_ms <= :origin_ms)"
        same = "origin_ms = :known_origin_ms AND line_ms = :known_line_ms AND express_ms = :known_express_ms"
        values = _to_values("", taken) | ({} if known is None else _to_values("known_", known))
        try:
            self.client.update_item(
                TableName=self.table,
                Key=KEY,
                UpdateExpression="SET origin_ms = :origin_ms, line_ms = :line_ms, express_ms = :express_ms",
                ConditionExpression=over if known is None else same,
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException as error:
            item: dict[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
            return TakenTurns(*(int(item[name]["N"]) for name in ("origin_ms", "line_ms", "express_ms")))
        return None


def _to_values(prefix: str, turns: TakenTurns) -> dict[str, Any]:
    numbers = {"origin_ms": turns.origin, "line_ms": turns.line, "express_ms": turns.express}
    return {f":{prefix}{name}": {"N": str(number)} for name, number in numbers.items()}
