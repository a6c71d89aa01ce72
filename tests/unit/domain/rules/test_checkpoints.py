"""Which objects are checkpoints: not logs, markers, data or code, but everything that nobody here knows."""

from __future__ import annotations

import time

import pytest

from spot_relay.domain.rules.checkpoints import CheckpointSearch, StoredObject, find_newest, list_copied
from spot_relay.domain.sagemaker.job import Checkpoint
from tests.fakes import NOON, at

HOUR = 3600.0


def listing(*keys: str | tuple[str, float]) -> list[StoredObject]:
    """Objects of one byte, each a second after the one before unless its time is given."""
    pairs = [key if isinstance(key, tuple) else (key, float(number)) for number, key in enumerate(keys)]
    return [StoredObject(key, at(seconds), 1) for key, seconds in pairs]


def taken(*keys: str | tuple[str, float], pattern: str | None = None) -> str | None:
    """The key of the object that is taken."""
    newest = find_newest("churn/", listing(*keys), pattern).newest
    return newest.key.removeprefix("churn/") if newest else None


NOISE = [
    # TensorBoard
    "inference/instances_predictions.pth",
    "evaluations.npz",
    "trial_1/params.pkl",
    "latest-rank0.pt.symlink",
    "core.4711",
    "mlflow.db",
    "heartbeat",
    "preemption.flag",
    "Thumbs.db",
    "events.out.tfevents.1732881600.ip-10-0-0-1.1.0",
    "runs/Nov29_08-00-00_algo-1/events.out.tfevents.1732881600.algo-1.1.0",
    "tb_logs/default/version_0/events.out.tfevents.1.algo-1",
    "tensorboard/train/events.out.tfevents.1.algo-1.1.v2",
    "tensorboard/train/plugins/profile/2026_11_29/algo-1.xplane.pb",
    "plugins/profile/2026_11_29_08_00_00/algo-1.trace.json.gz",
    "events.out.tfevents.1.algo-1.profile-empty",
    "runs/exp1/projector",
    # Lightning
    "lightning_logs/version_0/hparams.yaml",
    "lightning_logs/version_3/metrics.csv",
    "lightning_logs/version_0/events.out.tfevents.1.algo-1.1.0",
    # Hugging Face
    "README.md",
    "training_args.bin",
    "trainer_state.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "all_results.json",
    "logs/1732881600.1/events.out.tfevents.1.algo-1.1.1",
    # Weights & Biases
    "wandb/run-20261129_080000-abc/run-abc.wandb",
    "wandb/run-20261129_080000-abc/files/output.log",
    "wandb/run-20261129_080000-abc/files/model.h5",
    "wandb/latest-run",
    # MLflow
    "mlruns/0/0123abcd/metrics/loss",
    "mlruns/0/0123abcd/meta.yaml",
    "mlartifacts/0/0123abcd/artifacts/model/data/model.pth",
    # TensorFlow
    "graph.pbtxt",
    "checkpoint",
    "model.ckpt-100.meta",
    "saved_model.pb",
    # SageMaker
    "xgboost-checkpoint.3.sagemaker-ignore",
    "xgboost-checkpoint.3.sagemaker-uploaded",
    ".sagemaker-uploading",
    "deeper/.sagemaker-uploaded",
    "debug-output/events/000000000000/000000000000_worker_0.tfevents",
    "profiler-output/system/incremental/2026112908/1.algo-1.json",
    "sourcedir.tar.gz",
    # what is being written
    "model.pt.tmp",
    "tmp-checkpoint-500/model.safetensors",
    "deeper/tmp-checkpoint-500/x/model.safetensors",
    "ckpt-5_temp/part-00000-of-00001.data-00000-of-00001",
    "ckpt-5.index.tempstate123456789",
    "1000.orbax-checkpoint-tmp-1732881600/array_metadatas",
    "tmpab12_x9z",
    ".model.pt.Xa3dF2",
    # code, logs, data, and what operating systems leave
    ".DS_Store",
    "._model.pt",
    "__pycache__/train.cpython-311.pyc",
    "train.py",
    "code/train.py",
    "requirements.txt",
    "training.log",
    "training.log.1",
    "train.out",
    "stdout",
    "metrics.csv",
    "metrics.json",
    "history.jsonl",
    "args.yaml",
    "notes.txt",
    "model_config.json",
    "data/train.csv",
    "data/part-00000.parquet",
    "data/train-00000-of-00010.tfrecord",
    "data/train.tfrecord-00000-of-00010",
    "images/epoch1.png",
    "notebook.ipynb",
    ".ipynb_checkpoints/train-checkpoint.ipynb",
    ".git/objects/ab/cdef",
    # markers
    "_SUCCESS",
    "latest",
    "latest_checkpointed_iteration.txt",
    # folders
    "deeper/",
    "",
    "deeper_$folder$",
]

CHECKPOINTS = [
    "xgboost-checkpoint.3",
    "model-12",
    "a",
    "日本",
    "épo que+1%2F.pt",
    "a//b",
    "state.custom",
    "step=1200/shard_0",
    "my_format/0001/weights.dat",
    "checkpoint.pt",
    "model.pth",
    "last.ckpt",
    "epoch=3-step=100.ckpt",
    "lightning_logs/version_0/checkpoints/epoch=3-step=100.ckpt",
    "lightning_logs/version_0/checkpoints/custom",
    "runs/detect/train/weights/last.pt",
    "runs/exp/model.pt",
    "logs/2026-11-29/checkpoints/last.ckpt",
    "weights.05.h5",
    "model.keras",
    "model.weights.h5",
    "image-classification-0005.params",
    "checkpoint_000010/algorithm_state.pkl",
    "rl_model_10000_steps.zip",
    "model_10.json",
    "model.ubj",
    "model.txt.snapshot_iter_100",
    "checkpoint_12.json",
    "state.json",
    "model.tar.gz",
    "a.sagemaker-b/model.pt",
    "checkpoint-500/weights.dat",
    "checkpoint-500/model.safetensors",
    "epoch_3_of_10.pt",
    "temperature-0.5.pt",
    "attempt.pt",
    "iter_0000100/mp_rank_00/model_optim_rng.pt",
    "1000/default/manifest.ocdbt",
    "params.npz",
    "snapshot",
    "optimizer.pt",
]


@pytest.mark.parametrize("key", NOISE)
def test_logs_markers_data_and_code_are_not_checkpoints(key: str) -> None:
    assert find_newest("churn/", listing(key)) == CheckpointSearch(None, 1)


@pytest.mark.parametrize("key", CHECKPOINTS)
def test_checkpoints_count_and_so_does_what_has_no_known_name(key: str) -> None:
    assert find_newest("churn/", listing(key)) == CheckpointSearch(Checkpoint(f"churn/{key}", NOON), 0)


def test_an_event_file_that_is_rewritten_each_minute_does_not_hide_the_checkpoint() -> None:
    assert find_newest(
        "churn/", listing(("model-1", 3 * HOUR), ("events.out.tfevents.1.algo-1", 5 * HOUR))
    ) == CheckpointSearch(Checkpoint("churn/model-1", at(3 * HOUR)), 1)


def test_an_empty_object_is_not_a_checkpoint() -> None:
    assert find_newest("churn/", [StoredObject("model.pt", NOON, 0)]) == CheckpointSearch(None, 1)


def test_a_large_file_by_the_name_of_a_pointer_is_a_checkpoint() -> None:
    newest = find_newest("churn/", [StoredObject("checkpoint", NOON, 64 * 1024 + 1)]).newest
    assert newest is not None
    assert newest.size == 64 * 1024 + 1
    assert find_newest("churn/", [StoredObject("checkpoint", NOON, 64 * 1024)]).newest is None


def test_of_checkpoints_of_one_second_the_one_of_the_later_round_is_taken() -> None:
    assert taken(("model.9", 0), ("model.11", 0), ("model.10", 0)) == "model.11"


def test_a_file_that_sagemaker_is_still_uploading_does_not_count() -> None:
    assert taken("model.1", "model.2", "model.2.sagemaker-uploading") == "model.1"
    assert taken("a/model.1", "b/model.2", "b/.sagemaker-uploading") == "a/model.1"
    assert taken("a/model.1", "b/deep/model.2", "b/.sagemaker-uploading") == "a/model.1"
    assert taken("mod.sagemaker-uploading", "mod", "model.pt") == "model.pt"


def test_a_file_or_folder_that_the_helper_for_training_code_has_not_finished_does_not_count() -> None:
    assert taken("model.1", "model.2", "model.2-unfinished") == "model.1"
    assert taken("step-1/model.pt", "step-2/deep/model.pt", "step-2-unfinished") == "step-1/model.pt"
    assert taken("model.1", "model.2", "model.3-unfinished") == "model.2"
    assert taken("a/-unfinished", "model.1") == "model.1"


def test_a_file_whose_upload_was_completed_counts() -> None:
    done = ("model.2", "model.2.sagemaker-uploading", "model.2.sagemaker-uploaded")
    assert taken("model.1", *done) == "model.2"
    again = (("model.2.sagemaker-uploaded", 5.0), ("model.2", 1.0), ("model.2.sagemaker-uploading", 6.0))
    assert taken("model.1", *again) == "model.1"
    at_once = (("model.2", 1.0), ("model.2.sagemaker-uploading", 2.0), ("model.2.sagemaker-uploaded", 2.0))
    assert taken("model.1", *at_once) == "model.2"


TRAINER = ("config.json", "model.safetensors", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth")
WHOLE = tuple(f"checkpoint-500/{name}" for name in (*TRAINER, "trainer_state.json"))


def test_a_folder_of_the_trainer_counts_from_its_last_file() -> None:
    assert taken(*WHOLE) == "checkpoint-500/trainer_state.json"
    state_early = (*(key for key in WHOLE if "trainer_state" not in key and "optimizer" not in key),)
    assert taken(*state_early, "checkpoint-500/trainer_state.json", "checkpoint-500/optimizer.pt") == (
        "checkpoint-500/optimizer.pt"
    )


@pytest.mark.parametrize("missing", ["model.safetensors", "trainer_state.json", "optimizer.pt", "scheduler.pt"])
def test_a_folder_of_the_trainer_without_one_of_its_parts_is_incomplete(missing: str) -> None:
    newer = [key.replace("500", "1000") for key in WHOLE if not key.endswith(missing)]
    found = find_newest("churn/", listing(*WHOLE, *newer))
    assert found.newest is not None
    assert found.newest.key == "churn/checkpoint-500/trainer_state.json"
    assert found.ignored == 1 + len(newer)


def test_the_first_folder_of_the_trainer_is_incomplete_until_its_state_is_there() -> None:
    assert taken(*WHOLE[:-1]) is None
    assert (
        taken("checkpoint-500/model.safetensors", "checkpoint-500/optimizer.pt", "checkpoint-500/scheduler.pt") is None
    )
    assert taken("checkpoint-500/model.safetensors", "checkpoint-500/training_args.bin") is None


@pytest.mark.parametrize("left", [["optimizer.pt"], ["scheduler.pt"], ["optimizer.pt", "scheduler.pt"]])
def test_a_folder_of_the_trainer_without_weights_is_incomplete_even_if_it_is_the_first(left: list[str]) -> None:
    assert taken(*(f"checkpoint-500/{name}" for name in left)) is None
    assert taken("checkpoint-500/model.safetensors", "checkpoint-500/trainer_state.json") is not None


def test_logs_inside_a_folder_of_the_trainer_do_not_make_it_newer() -> None:
    assert (
        taken(*WHOLE, "checkpoint-500/runs/x/events.out.tfevents.1.a", "checkpoint-500/eval_results.json") == WHOLE[-1]
    )


def test_a_folder_by_the_trainers_name_that_something_else_wrote_counts() -> None:
    accelerate = ("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl")
    assert taken(*(f"checkpoint-5/{name}" for name in accelerate)) == "checkpoint-5/random_states_0.pkl"
    assert taken("checkpoint-5/model.pt", "checkpoint-5/optimizer.pt") == "checkpoint-5/optimizer.pt"
    assert taken("checkpoint-5/config.json", "checkpoint-5/model.safetensors") == "checkpoint-5/model.safetensors"


SHARDS = [f"checkpoint-1000/model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
INDEX = "checkpoint-1000/model.safetensors.index.json"
REST = [key.replace("500", "1000") for key in WHOLE if "model.safetensors" not in key]


def test_sharded_weights_are_complete_with_all_shards_and_their_index() -> None:
    assert taken(*WHOLE, *REST, INDEX, *SHARDS) == SHARDS[-1]
    assert taken(*WHOLE, *REST, INDEX, *SHARDS[:2]) == WHOLE[-1]
    assert taken(*WHOLE, *REST, *SHARDS) == WHOLE[-1]
    assert taken(*WHOLE, *REST, INDEX) == WHOLE[-1]


def test_sharded_weights_outside_of_such_a_folder_are_judged_too() -> None:
    own = [key.removeprefix("checkpoint-1000/") for key in (*SHARDS, INDEX)]
    assert taken("a", *own) == own[-1]
    assert taken("a", *own[:2], own[-1]) == "a"
    assert taken("a", *own[:3]) == "a"


def test_shards_by_any_name_need_each_other() -> None:
    assert taken("a", "weights-00000-of-00002", "weights-00001-of-00002") == "weights-00001-of-00002"
    assert taken("a", "weights-00000-of-00002") == "a"
    assert taken("a", "x/w_00001-of-00002.npz", "y/w_00002-of-00002.npz") == "a"


def test_a_tensorflow_index_and_its_data_need_each_other() -> None:
    data = ("ckpt-5.data-00000-of-00002", "ckpt-5.data-00001-of-00002")
    older = ("ckpt-4.data-00000-of-00001", "ckpt-4.index")
    assert taken(*older, *data, "ckpt-5.index", "checkpoint") == "ckpt-5.index"
    assert taken(*older, "ckpt-5.index", "checkpoint") == "ckpt-4.index"
    assert taken(*older, *data) == "ckpt-4.index"
    assert taken(*older, data[0], "ckpt-5.index") == "ckpt-4.index"
    assert taken("model.ckpt-5.index", "model.ckpt-5.data-00000-of-00001", "model.ckpt-5.meta") == "model.ckpt-5.meta"
    assert taken("ckpt-5.index", "checkpoint") is None


def test_a_saved_model_needs_its_variables_and_they_need_it() -> None:
    variables = ("m/2/variables/variables.data-00000-of-00001", "m/2/variables/variables.index")
    assert taken("a", *variables, "m/2/saved_model.pb") == "m/2/saved_model.pb"
    assert taken("a", *variables) == "a"
    assert taken("a", variables[1], "m/2/saved_model.pb") == "a"


def test_a_distributed_checkpoint_of_pytorch_needs_its_metadata() -> None:
    shards = ("step_10/__0_0.distcp", "step_10/__1_0.distcp")
    assert taken("a", *shards, "step_10/.metadata") == "step_10/.metadata"
    assert taken("a", *shards) == "a"
    assert taken("a", "step_10/.metadata") == "a"


def test_a_deepspeed_checkpoint_needs_its_model_and_all_ranks() -> None:
    ranks = [f"global_step5/zero_pp_rank_{rank}_mp_rank_00_optim_states.pt" for rank in (0, 1)]
    model = "global_step5/mp_rank_00_model_states.pt"
    assert taken("a", *ranks, model, "latest") == model
    assert taken("a", *ranks, "latest") == "a"
    assert taken("a", ranks[1], model) == "a"


FSDP = ("__0_0.distcp", ".metadata", "meta.pt")


def test_a_folder_of_lightning_needs_its_last_file() -> None:
    older = [f"epoch=1.ckpt/{name}" for name in FSDP]
    assert taken(*older, *(f"epoch=2.ckpt/{name}" for name in FSDP)) == "epoch=2.ckpt/meta.pt"
    assert taken(*older, *(f"epoch=2.ckpt/{name}" for name in FSDP[:2])) == older[-1]
    assert taken(*older, "epoch=2.ckpt/__0_0.distcp", "epoch=2.ckpt/meta.pt") == older[-1]
    assert taken(*older, "epoch=2.ckpt/meta.pt") == older[-1]
    deepspeed = ("epoch=2.ckpt/checkpoint/mp_rank_00_model_states.pt", "epoch=2.ckpt/latest")
    assert taken(*older, *deepspeed) == deepspeed[0]
    assert taken(*older, deepspeed[0]) == older[-1]


def test_folders_of_that_name_by_other_tools_count() -> None:
    assert taken("step=5.ckpt/weights/__0_0.distcp", "step=5.ckpt/weights/.metadata") == "step=5.ckpt/weights/.metadata"
    assert taken("step=5.ckpt/custom") == "step=5.ckpt/custom"


def test_a_pattern_is_the_users_word_on_what_a_checkpoint_is() -> None:
    keys = ("checkpoint-1/metrics.csv", "other/model.pt", "checkpoint-2/runs/log.json")
    assert taken(*keys) == "other/model.pt"
    assert taken(*keys, pattern="checkpoint-*/**") == "checkpoint-2/runs/log.json"
    assert taken(*keys, pattern="checkpoint-*/*") == "checkpoint-1/metrics.csv"
    assert find_newest("churn/", listing(*keys), "none/*") == CheckpointSearch(None, 3)


def test_markers_count_under_no_pattern() -> None:
    markers = ("a/", "a/x.sagemaker-uploaded", "a/y", "a/y.sagemaker-uploading", "a/z.tmp")
    assert find_newest("churn/", listing(*markers), "**") == CheckpointSearch(None, 5)


def test_a_checkpoint_with_missing_parts_does_not_count_under_a_pattern_either() -> None:
    newer = [key.replace("500", "1000") for key in WHOLE[:-1]]
    assert taken(*WHOLE, *newer, pattern="checkpoint-*/**") == WHOLE[-1]
    assert taken(*WHOLE, *newer, pattern="**/*.safetensors") == "checkpoint-500/model.safetensors"


def copied(*keys: str | tuple[str, float]) -> list[str]:
    """The keys of the objects that a copy of the checkpoints consists of, in their order."""
    return [found.key for found in list_copied(listing(*keys))]


def test_a_copy_has_every_file_that_the_training_code_may_read_and_the_oldest_comes_first() -> None:
    assert copied(("model.10", 5), ("model.9", 5), ("config.json", 3), ("logs/events.out.tfevents.1.a", 9)) == [
        *("config.json", "model.9", "model.10", "logs/events.out.tfevents.1.a")
    ]


def test_a_copy_has_no_markers_no_file_that_is_being_written_and_no_checkpoint_that_lacks_parts() -> None:
    whole = ("model.1", "model.2", "model.2.sagemaker-uploaded")
    unwritten = ("model.3", "model.3.sagemaker-uploading", "model.4.tmp", "a/", "a_$folder$", "")
    incomplete = (*SHARDS[:2], "step_10/__0_0.distcp", "step-5/model.pt", "step-5/spot-relay-2-files.json")
    assert copied(*whole, *unwritten, *incomplete) == ["model.1", "model.2"]


def test_an_empty_file_is_copied_but_is_no_part_that_completes_a_checkpoint() -> None:
    empty = StoredObject("checkpoint-5/__init__.py", at(9), 0)
    metadata = StoredObject("step_10/.metadata", at(9), 0)
    shards = listing("model.1", "step_10/__0_0.distcp")
    assert [found.key for found in list_copied([*shards, metadata, empty])] == ["model.1", metadata.key, empty.key]


def test_names_that_are_hard_to_match_are_judged_in_bounded_time() -> None:
    deep = [f"{'a/' * 500}{number}" for number in range(100)]
    hard = [
        "x.log" + ".1" * 500 + "!",
        "log." + "1" * 1000 + "!",
        "_" * 1000,
        "x-00001-of-" * 90,
        "tmp" * 300,
        "~" * 999 + "a",
    ]
    start = time.process_time()
    found = find_newest("churn/", listing(*deep, *hard), "**/*a*/**/*a*/**/*?*[!b]*/*")
    assert found.ignored
    assert time.process_time() - start < 2
