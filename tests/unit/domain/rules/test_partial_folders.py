"""Which folders of the helper for training code are complete: those with as many files as the name of a list says."""

from __future__ import annotations

import time
from datetime import timedelta

from spot_relay.domain.rules.checkpoint_parts import find_partial_folders
from spot_relay.domain.rules.checkpoints import StoredObject, find_newest
from tests.fakes import NOON

HISTORY = "spot-relay-history.json"
LIST = "step-5/spot-relay-2-files.json"
FILES = ("step-5/model.pt", "step-5/parts/1.pt")


def taken(*keys: str) -> str | None:
    """Return the key of the object that is taken, if each is newer than the one before."""
    listed = [StoredObject(key, NOON + timedelta(seconds=number), 1) for number, key in enumerate(keys)]
    newest = find_newest("churn/", listed).newest
    return newest.key.removeprefix("churn/") if newest else None


def partial(*keys: str) -> set[str]:
    return find_partial_folders(dict.fromkeys(keys, 1))


def test_a_folder_needs_as_many_files_as_the_name_of_its_list_says() -> None:
    assert taken("a", *FILES, LIST) == FILES[1]
    assert taken("a", FILES[0], LIST) == "a"
    assert taken("a", FILES[1], LIST) == "a"
    assert taken("a", "sub/deeper/step-5/model.pt", f"sub/deeper/{LIST}") == "a"


def test_markers_empty_files_and_lists_are_not_among_the_files() -> None:
    assert partial(FILES[0], LIST, "step-5/x.pt.sagemaker-uploaded") == {"step-5"}
    assert partial(FILES[0], LIST, "step-5/spot-relay-3-files.json") == {"step-5"}
    assert find_partial_folders({FILES[0]: 1, LIST: 1, FILES[1]: 0}) == {"step-5"}
    assert find_partial_folders({FILES[0]: 1, LIST: 1, FILES[1]: 1}) == set()


def test_of_two_lists_one_that_is_met_is_enough() -> None:
    assert partial(*FILES, LIST, "step-5/spot-relay-3-files.json") == set()


def test_beside_the_history_a_numbered_folder_needs_a_list() -> None:
    assert taken("a", HISTORY, *FILES) == "a"
    assert taken("a", HISTORY, *FILES, LIST) == FILES[1]
    assert taken("a", f"helped/{HISTORY}", "helped/step-5/model.pt") == "a"


def test_folders_without_a_number_or_elsewhere_than_the_history_need_no_list() -> None:
    assert taken("a", *FILES) == FILES[1]
    assert taken("a", HISTORY, "best/model.pt") == "best/model.pt"
    assert taken("a", f"helped/{HISTORY}", "other/step-5/model.pt") == "other/step-5/model.pt"
    assert taken("a", HISTORY, "step-5.pt") == "step-5.pt"
    assert partial(HISTORY, "best/step-5/model.pt") == set()
    assert partial(f"v2/{HISTORY}", "v2/best/model.pt") == set()


def test_neither_the_history_nor_a_list_is_a_checkpoint() -> None:
    assert taken(HISTORY) is None
    assert taken("a", HISTORY, *FILES, LIST) != LIST


def test_a_name_with_an_absurd_number_is_no_list() -> None:
    assert partial(FILES[0], f"step-5/spot-relay-{'9' * 9}-files.json") == {"step-5"}
    assert partial(FILES[0], f"step-5/spot-relay-{'9' * 5000}-files.json") == set()


def test_names_that_are_hard_to_judge_take_bounded_time() -> None:
    deep = [f"{'9' * 500}/{'a/' * 200}{number}" for number in range(200)]
    start = time.process_time()
    assert partial(HISTORY, LIST, *deep) == {"step-5", "9" * 500}
    assert time.process_time() - start < 1
