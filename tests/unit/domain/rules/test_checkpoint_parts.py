"""What is said of each file of a checkpoint whose parts are known: whether all of them are there, or nothing."""

from __future__ import annotations

import pytest

from spot_relay.domain.rules.checkpoint_parts import judge_parts

TRAINER = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin")
STATE = "trainer_state.json"


def judged(*keys: str) -> dict[str, bool]:
    return judge_parts(dict.fromkeys(keys, 1))


def within(folder: str, *names: str) -> list[str]:
    return [f"{folder}/{name}" for name in names]


def numbered(stem: str, count: int, rest: str = "", *, first: int = 1) -> list[str]:
    """Return the shards of one file but those before the first."""
    return [f"{stem}-{number:05d}-of-{count:05d}{rest}" for number in range(first, count + 1)]


@pytest.mark.parametrize("folder", ["", "a/b/"])
@pytest.mark.parametrize(
    "names",
    [
        numbered("weights", 3),
        numbered("weights", 2, ".npz"),
        numbered("weights", 2, ".safetensors"),
        numbered("model", 2, ".npz"),
        [*numbered("model", 2, ".safetensors"), "model.safetensors.index.json"],
        [*numbered("pytorch_model", 2, ".bin"), "pytorch_model.bin.index.json"],
        [*numbered("model.fp16", 2, ".safetensors"), "model.safetensors.index.fp16.json"],
        ["ckpt-5.index", *numbered("ckpt-5.data", 2)],
        ["ckpt-5.index", "ckpt-5.meta", *numbered("ckpt-5.data", 2)],
        ["__0_0.distcp", "__1_0.distcp", ".metadata"],
        ["mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"],
        ["mp_rank_00_model_states.pt", *(f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in range(12))],
        ["bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt", "mp_rank_00_model_states.pt"],
        ["mp_rank_00_model_states.pt"],
        within("m", "saved_model.pb", *within("variables", "variables.index", *numbered("variables.data", 1))),
        within("epoch=1.ckpt", "__0_0.distcp", ".metadata", "meta.pt"),
        within("epoch=1.ckpt", "latest", "checkpoint/mp_rank_00_model_states.pt")[1:],
        within("checkpoint-5", *TRAINER, STATE),
        within("checkpoint-5", "model.safetensors", STATE),
    ],
)
def test_a_checkpoint_with_all_its_parts_is_complete(folder: str, names: list[str]) -> None:
    beside = ["epoch=1.ckpt/latest"] if names[0].startswith("epoch=1.ckpt/checkpoint") else []
    keys = [folder + name for name in names]
    assert judged(*keys, *(folder + name for name in beside)) == dict.fromkeys(keys, True)


@pytest.mark.parametrize("folder", ["", "a/b/"])
@pytest.mark.parametrize(
    "names",
    [
        numbered("weights", 3, first=2),
        ["weights-00001-of-00002", "weights_00001-of-00002"],
        numbered("model", 2, ".safetensors"),
        [*numbered("model", 3, ".safetensors", first=2), "model.safetensors.index.json"],
        numbered("adapter_model", 1, ".bin"),
        numbered("ckpt-5.data", 2),
        ["ckpt-5.index", *numbered("ckpt-5.data", 2, first=2)],
        ["ckpt-5.index"],
        ["ckpt-5.index", "ckpt-5.meta"],
        ["__0_0.distcp", "__1_0.distcp"],
        ["zero_pp_rank_0_mp_rank_00_optim_states.pt", "zero_pp_rank_1_mp_rank_00_optim_states.pt"],
        ["mp_rank_00_model_states.pt", "zero_pp_rank_1_mp_rank_00_optim_states.pt"],
        [
            "mp_rank_00_model_states.pt",
            "zero_pp_rank_0_mp_rank_00_optim_states.pt",
            "zero_pp_rank_2_mp_rank_00_optim_states.pt",
        ],
        within("m/variables", "variables.index", *numbered("variables.data", 1)),
        within("m", "saved_model.pb", "variables/variables.index"),
        within("epoch=1.ckpt", "__0_0.distcp", "meta.pt"),
        within("epoch=1.ckpt", ".metadata", "meta.pt"),
        within("epoch=1.ckpt", "checkpoint/mp_rank_00_model_states.pt"),
        within("epoch=1.ckpt", "latest", "checkpoint/zero_pp_rank_0_mp_rank_00_optim_states.pt"),
        within("checkpoint-5", *TRAINER),
        within("checkpoint-5", *TRAINER[1:], STATE),
        within("checkpoint-5", "model.safetensors", "training_args.bin"),
        within("checkpoint-5", "optimizer.pt"),
        within("checkpoint-5", "model.safetensors", "optimizer.pt", "scheduler.pt"),
        within("checkpoint-5", STATE, "config.json", *numbered("model", 2, ".safetensors")),
    ],
)
def test_a_checkpoint_that_lacks_a_part_is_incomplete_in_each_of_its_files(folder: str, names: list[str]) -> None:
    keys = [folder + name for name in names]
    assert judged(*keys) == dict.fromkeys(keys, False)


@pytest.mark.parametrize(
    "names",
    [
        ["model.pt", "config.json", "a/model.safetensors"],
        numbered("train", 3, ".tfrecord", first=2),
        ["model-of-mine.pt", "weights-1-of-2"],
        ["model.safetensors.index.json"],
        ["model.meta", ".metadata", "meta.pt", "latest"],
        ["m/saved_model.pb", "m/variables/other.bin"],
        ["model_states.pth", "optim_states.bin"],
        within("step=5.ckpt", "custom", "meta.bin"),
        within("checkpoint-5", "model.safetensors", "config.json"),
        within("checkpoint-5", "optimizer.bin", "scheduler.bin", "random_states_0.pkl", "model.safetensors"),
        within("checkpoint-5", "model.pt", "optimizer.pt", "scheduler.pt"),
        within("checkpoint-5", "model.safetensors", "optimizer.pt"),
        within("checkpoint-5", "config.json", "eval_results.json"),
        within("checkpoint-x", *TRAINER),
        within("old-checkpoint-5", "optimizer.pt"),
    ],
)
def test_files_that_are_no_parts_of_a_checkpoint_are_not_judged(names: list[str]) -> None:
    assert judged(*names) == {}


def test_checkpoints_in_one_folder_are_judged_each_by_itself() -> None:
    whole, lacking = numbered("a", 2, ".npz"), numbered("b", 2, ".npz", first=2)
    older, newer = ["ckpt-4.index", *numbered("ckpt-4.data", 1)], ["ckpt-5.index"]
    expected = dict.fromkeys([*whole, *older], True) | dict.fromkeys([*lacking, *newer], False)
    assert judged(*whole, *lacking, *older, *newer, "other.pt") == expected


def test_an_index_belongs_to_shards_of_its_own_name_that_need_one() -> None:
    shards, other = numbered("weights", 2, ".npz"), numbered("model", 2, ".bin")
    own = "model.bin.index.json"
    assert judged(*shards, "weights.index.json", *other, own, "pytorch_model.bin.index.json") == (
        dict.fromkeys([*shards, *other, own], True)
    )


def test_shards_of_another_number_or_kind_are_another_checkpoint() -> None:
    whole, more, others = numbered("w", 1, ".npz"), numbered("w", 2, ".npz", first=2), numbered("w", 2, ".pt", first=2)
    assert judged(*whole, *more, *others) == dict.fromkeys(whole, True) | dict.fromkeys([*more, *others], False)


def test_of_the_data_of_two_saves_by_one_name_one_that_is_whole_is_enough() -> None:
    keys = ["ckpt.index", *numbered("ckpt.data", 2, first=2), *numbered("ckpt.data", 1)]
    assert judged(*keys) == dict.fromkeys(keys, True)


def test_a_saved_model_without_its_variables_is_not_missed_where_no_variables_were_saved() -> None:
    variables = within("m/variables", "variables.index", *numbered("variables.data", 1))
    assert judged(*variables, "m/variables/notes.bin", "saved_model.pb", "m/2/saved_model.pb") == dict.fromkeys(
        variables, False
    )
    assert judged("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001") == (
        dict.fromkeys(["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"], True)
    )


def test_a_folder_of_lightning_misses_its_last_file_only_beside_one_that_has_it() -> None:
    first, second = (within(f"a/epoch={number}.ckpt", "__0_0.distcp", ".metadata") for number in (1, 2))
    whole = [*first, "a/epoch=1.ckpt/meta.pt"]
    assert judged(*first, *second) == dict.fromkeys([*first, *second], True)
    assert judged(*whole, *second) == dict.fromkeys(whole, True) | dict.fromkeys(second, False)
    elsewhere = [key.replace("a/", "b/") for key in second]
    assert judged(*whole, *elsewhere) == dict.fromkeys([*whole, *elsewhere], True)
    deepspeed = ["a/epoch=2.ckpt/checkpoint/mp_rank_00_model_states.pt"]
    assert judged(*whole, *deepspeed, "a/epoch=2.ckpt/latest") == dict.fromkeys([*whole, *deepspeed], True)


def test_other_files_in_a_folder_of_lightning_count_only_if_it_is_complete() -> None:
    parts = within("epoch=1.ckpt", "__0_0.distcp", "meta.pt", ".metadata")
    assert judged(*parts, "epoch=1.ckpt/extra.pt") == dict.fromkeys(parts, True)
    lacking = [*parts[:2], "epoch=1.ckpt/extra.pt", "epoch=1.ckpt/deeper/b.pt"]
    assert judged(*lacking) == dict.fromkeys(lacking, False)


def test_beside_a_checkpoint_of_the_trainer_another_needs_what_that_has() -> None:
    whole = within("out/checkpoint-5", *TRAINER, STATE)
    for lacking in (STATE, "optimizer.pt", "scheduler.pt"):
        newer = [f"out/checkpoint-9/{name}" for name in (*TRAINER, STATE) if name != lacking]
        assert judged(*whole, *newer) == dict.fromkeys(whole, True) | dict.fromkeys(newer, False)
    only_model = within("out/checkpoint-5", "model.safetensors", STATE)
    other = within("out/checkpoint-9", "model.safetensors", STATE)
    assert judged(*only_model, *other) == dict.fromkeys([*only_model, *other], True)
    bare = within("out/checkpoint-9", "model.safetensors")
    assert judged(*only_model, *bare) == dict.fromkeys(only_model, True) | dict.fromkeys(bare, False)
    elsewhere = within("more/checkpoint-9", "model.safetensors")
    assert judged(*only_model, *elsewhere) == dict.fromkeys(only_model, True)


def test_logs_and_settings_in_a_complete_folder_of_the_trainer_are_no_parts_of_it() -> None:
    whole = within("checkpoint-5", *TRAINER, STATE)
    assert judged(*whole, "checkpoint-5/config.json", "checkpoint-5/runs/a.log") == dict.fromkeys(whole, True)
    lacking = [*whole[1:], "checkpoint-5/config.json", "checkpoint-5/runs/a.log"]
    assert judged(*lacking) == dict.fromkeys(lacking, False)


def test_a_folder_that_another_tool_wrote_does_not_hide_those_after_it() -> None:
    lightning = within("epoch=2.ckpt", "__0_0.distcp", "meta.pt")
    assert judged("epoch=1.ckpt/custom", *lightning) == dict.fromkeys(lightning, False)
    trainer = within("checkpoint-9", *TRAINER)
    assert judged("checkpoint-5/model.pt", *trainer) == dict.fromkeys(trainer, False)


def test_a_small_file_that_only_names_a_checkpoint_is_no_part_of_a_folder_of_the_trainer() -> None:
    whole = dict.fromkeys(within("checkpoint-5", *TRAINER, STATE), 1)
    assert judge_parts(whole | {"checkpoint-5/latest": 20}) == dict.fromkeys(whole, True)
    large = whole | {"checkpoint-5/latest": 10**6}
    assert judge_parts(large) == dict.fromkeys(large, True)


def test_parts_in_folders_below_count_for_the_outermost_checkpoint() -> None:
    deep = within("checkpoint-5", STATE, "model.safetensors", "global_step5/mp_rank_00_model_states.pt")
    assert judged(*deep) == dict.fromkeys(deep, True)
    lacking = [*deep, "checkpoint-5/global_step5/zero_pp_rank_1_mp_rank_00_optim_states.pt"]
    assert judged(*lacking) == dict.fromkeys(lacking, False)
    nested = within("a/checkpoint-5/checkpoint-7", "optimizer.pt")
    assert judged(*nested, "a/checkpoint-5/model.bin", f"a/checkpoint-5/{STATE}") == dict.fromkeys(
        [*nested, "a/checkpoint-5/model.bin", f"a/checkpoint-5/{STATE}"], True
    )
