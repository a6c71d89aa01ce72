"""The use case of a dry run: what would happen to a submission, without storing, claiming or launching anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.acceptance import accept, find_objections
from spot_relay.domain.decide.beginnings import object_to_start
from spot_relay.domain.errors import SpecError
from spot_relay.domain.lint.draft import Draft, Surroundings
from spot_relay.domain.lint.lint import find_flaws
from spot_relay.domain.plan.document import plan_document
from spot_relay.domain.plan.plan import Plan, Room, build_plan, list_steps
from spot_relay.domain.rules.predecessors import gather_predecessors
from spot_relay.domain.run.run import Run, Waiting
from spot_relay.domain.values import dataclass
from spot_relay.ports import NewerSchemaError
from spot_relay.service import NameConflictError, UnacceptableError, count_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from spot_relay.domain.lint.rule import Finding
    from spot_relay.domain.rules.limits import Limits
    from spot_relay.domain.run.submission import Submission
    from spot_relay.domain.sagemaker.job import Placement
    from spot_relay.ports import InputFiles, Prices, RunStore, Vacancies


@dataclass(frozen=True)
class Planner:
    """Plans submissions over the ports that `bootstrap` wires, and only reads from them."""

    store: RunStore
    vacancies: Vacancies
    prices: Prices
    input_files: InputFiles
    limits: Limits
    clock: Callable[[], datetime]
    region: str | None = None

    def answer(self, draft: Draft, read: Submission | SpecError) -> dict[str, Any]:
        """Return what would happen if a spec were submitted now, as the API answers it; raise NewerSchemaError.

        ``draft`` is the spec as the rules of lint read it, and ``read`` the submission that it stands for, or why it
        stands for none; then there is no plan.
        """
        if isinstance(read, SpecError):
            return _write_answer([read], find_flaws(draft, Surroundings(self.region)), None)
        existing = self.store.load(read.name)
        is_same = existing is not None and existing.fingerprint == read.fingerprint
        around = Surroundings(self.region, existing_run=existing.status if existing and is_same else None)
        now, prices = self.clock(), self.prices.read()
        new = accept(read, "dry-run", now, prices)
        problems = list(self._find_problems(new, None if is_same else existing))
        rooms = {placement: self._look_for_room(placement) for placement, _, _ in list_steps(new)}
        return _write_answer(problems, find_flaws(draft, around), build_plan(new, prices, rooms))

    def count_ahead(self, run: Run) -> int | None:
        """Return how many runs are ahead of one that waits for room, up to 100; None if it does not wait."""
        if run.waits_for is None:
            return None
        own = Waiting(run.created_at, run.id)
        return sum(other < own for other in self.vacancies.list_waiting(run.waits_for))

    def _find_problems(self, new: Run, other: Run | None) -> Iterator[SpecError]:
        """Yield why a run would be refused; ``other`` is the run of another spec that has its name."""
        found = find_objections(new, count_files(new, self.input_files), new.created_at)
        if found := found + object_to_start(new, gather_predecessors(new, self.store.load), new.created_at):
            yield UnacceptableError(found)
        if other is not None:
            yield NameConflictError(other.id, new.id)
        if new.checkpoint_uri is not None:
            try:
                self.vacancies.check_prefix(new.checkpoint_uri, new.id)
            except SpecError as error:
                yield error

    def _look_for_room(self, placement: Placement) -> Room:
        waiting = self.vacancies.list_waiting(placement.pool)
        limit = self.limits.of(placement.instance_type)
        oldest = self._load_waiting(waiting[0].run_id) if waiting else None
        return Room(
            limit=limit,
            used=None if limit is None else self.vacancies.count_attempts(placement.instance_type),
            waiting=len(waiting),
            oldest=waiting[0].run_id if waiting else None,
            because=None if oldest is None else oldest.reason,
            as_of=None if oldest is None else oldest.updated_at,
        )

    def _load_waiting(self, run_id: str) -> Run | None:
        try:
            return self.store.load(run_id)
        except NewerSchemaError:
            return None


def _write_answer(problems: Iterable[SpecError], flaws: Iterable[Finding], plan: Plan | None) -> dict[str, Any]:
    return {
        "problems": [detail for problem in problems for detail in problem.details],
        "warnings": [flaw.document() for flaw in flaws],
        "plan": None if plan is None else plan_document(plan),
    }
