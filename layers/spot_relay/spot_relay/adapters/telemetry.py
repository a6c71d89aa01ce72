"""Write structured logs and EMF metrics with Powertools."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from spot_relay.domain.run.outbox import Measure
    from spot_relay.domain.run.run import Run


@dataclass(frozen=True)
class PowertoolsTelemetry:
    """Logs decisions and publishes metrics immediately, so that they are out before the run's outbox is cleared.

    Each metric is a total of the whole stack; ``by_placement`` adds one per market and instance type. CloudWatch
    charges for every combination of a name and dimensions.
    """

    logger: Logger
    by_placement: bool = False

    def log_decision(self, run: Run, observation: str, reason: str) -> None:
        """Log a decision with the id of the run and the job name of its attempt."""
        self.logger.info(
            reason,
            run_id=run.id,
            job_name=run.current.job_name,
            run_status=str(run.status),
            observation=observation,
            run_version=run.version,
        )

    def measure(self, run_id: str, measures: tuple[Measure, ...]) -> None:
        """Publish metrics as one EMF line per placement, which names it and the run even if they are no dimensions."""
        ordered = sorted(measures, key=lambda m: (m.market, m.instance_type))
        for (market, instance_type), group in groupby(ordered, key=lambda m: (m.market, m.instance_type)):
            metrics = EphemeralMetrics()
            metrics.add_metadata("run_id", run_id)
            placement = {"market": str(market), "instance_type": instance_type}
            if self.by_placement:
                metrics.add_dimensions(service=str(metrics.service), **placement)
            else:
                for name, value in placement.items():
                    metrics.add_metadata(name, value)
            for measure in group:
                metrics.add_metric(measure.name, _derive_unit(measure.name), measure.value)
            metrics.flush_metrics()


def _derive_unit(name: str) -> MetricUnit:
    """Return the unit of a metric, derived from the end of its name."""
    if name.endswith("Seconds"):
        return MetricUnit.Seconds
    return MetricUnit.Percent if name.endswith("Percent") else MetricUnit.Count
