"""Checkpoints of several files whose names show whether parts are missing.

Each rule is about the files of one framework, or of the helper for training code, and judges only those. Every other
file is a checkpoint by itself, so that a format that nobody here knows is never taken for an incomplete one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.rules.checkpoint_files import SHARD, is_checkpoint_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    # The sizes of the files in one folder, by name.
    Names = Mapping[str, int]
    # Whether the checkpoint that a file is part of is complete, by name or key. Files of no known kind are absent.
    Verdicts = dict[str, bool]

# Hugging Face saves the shards of these with an index beside them, such as model.safetensors.index.json.
_INDEXED = compile_later(r"(model|pytorch_model|adapter_model|diffusion_pytorch_model)(\.\w+)?")
_INDEXED_EXTENSIONS = frozenset({".safetensors", ".bin"})
_INDEX = compile_later(r".+\.index(\.\w+)?\.json")
_DATA = ".data"
_TENSORFLOW_INDEX = ".index"
_TENSORFLOW_GRAPH = ".meta"
_SAVED_MODEL = "saved_model.pb"
_VARIABLES = "variables"
_DISTRIBUTED = ".distcp"
_DISTRIBUTED_METADATA = ".metadata"
_DEEPSPEED = compile_later(r".*(?P<kind>model|optim)_states\.pt")
_DEEPSPEED_RANK = compile_later(r".*zero_pp_rank_(?P<rank>\d{1,6})_mp_rank_\d+_optim_states\.pt")
_LIGHTNING_FOLDER = compile_later(r".+\.ckpt")
_LIGHTNING_META = "meta.pt"
_DEEPSPEED_LATEST = "latest"
_TRAINER_STATE = "trainer_state.json"
_TRAINER_PARTS = compile_later(r"trainer_state\.json|training_args\.bin|rng_state(_\d+)?\.pth")
_TRAINER_WEIGHTS = compile_later(r"(model|pytorch_model|adapter_model)(-\d+-of-\d+)?\.(safetensors|bin)")
_TRAINER_CORE = frozenset({"optimizer.pt", "scheduler.pt"})
_NOT_WEIGHTS = compile_later(
    r"(optimizer|scheduler|scaler|sampler|rng_state|random_states|training_args|trainer_state).*"
)
_TRAINER_FOLDER = compile_later(r"checkpoint-\d+")
# Of the helper for training code (spot_relay_client.checkpoints): what it keeps beside its checkpoints, and the list of
# files that it puts into those that are folders. The name of the list says how many there are.
_HELPER_HISTORY = "spot-relay-history.json"
_HELPER_LIST = compile_later(r"spot-relay-(\d{1,9})-files\.json")
_SAGEMAKER_MARKER = ".sagemaker-"


def judge_parts(sizes: Mapping[str, int]) -> Verdicts:
    """Return, for each file that is part of a checkpoint of a known kind, whether that checkpoint is complete."""
    folders: dict[str, dict[str, int]] = defaultdict(dict)
    for key, size in sizes.items():
        folder, slash, name = key.rpartition("/")
        folders[folder + slash][name] = size
    verdicts: Verdicts = {}
    for folder, names in folders.items():
        judged = _judge_shards(names) | _judge_tensorflow(names) | _judge_distributed(names) | _judge_deepspeed(names)
        verdicts |= {folder + name: verdict for name, verdict in judged.items()}
    _judge_saved_models(folders, verdicts)
    _judge_lightning(folders, verdicts)
    _judge_trainer(folders, verdicts)
    return verdicts


def find_partial_folders(sizes: Mapping[str, int]) -> set[str]:
    """Return the folders of the helper for training code that lack files, or the list that says how many there are.

    Beside the helper's history, each folder with a number in its name is a checkpoint of the helper's.
    """
    histories: set[str] = set()
    counts: dict[str, set[int]] = defaultdict(set)
    for key in sizes:
        folder, _, name = key.rpartition("/")
        if name == _HELPER_HISTORY:
            histories.add(folder)
        elif listed := _HELPER_LIST.fullmatch(name):
            counts[folder].add(int(listed[1]))
    if not histories and not counts:
        return set()
    files: Counter[str] = Counter()
    for key, size in sizes.items():
        name = key.rpartition("/")[2]
        if size > 0 and _SAGEMAKER_MARKER not in name and not _HELPER_LIST.fullmatch(name):
            files.update(key[: slash.start()] for slash in re.finditer("/", key))
    beside = {folder for folder in files if folder.rpartition("/")[0] in histories}
    own = {folder for folder in beside if re.search(r"\d", folder.rpartition("/")[2])}
    return {folder for folder in own | counts.keys() if all(count > files[folder] for count in counts[folder])}


def _judge_shards(names: Names) -> Verdicts:
    """Judge files that are numbered k of n: all n have to be there, and the index if Hugging Face writes one."""
    groups: dict[tuple[str, int, str], dict[str, str]] = defaultdict(dict)
    for name, size in names.items():
        if "-of-" in name and (shard := SHARD.fullmatch(name)) and is_checkpoint_file(name, size):
            groups[shard["stem"], int(shard["count"]), shard["rest"]][name] = shard["index"]
    indexes = [name for name in names if _INDEX.fullmatch(name)] if groups else []
    verdicts: Verdicts = {}
    for (stem, count, rest), members in groups.items():
        is_indexed = rest in _INDEXED_EXTENSIONS and _INDEXED.fullmatch(stem) is not None
        own = [name for name in indexes if is_indexed and name.startswith(stem.partition(".")[0] + ".")]
        is_complete = len(set(members.values())) >= count and (bool(own) or not is_indexed)
        verdicts |= dict.fromkeys([*members, *own], is_complete)
    return verdicts


def _judge_tensorflow(names: Names) -> Verdicts:
    """Judge TensorFlow's checkpoints: an index and its data need each other."""
    data: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        if f"{_DATA}-" in name and (shard := SHARD.fullmatch(name)) and shard["stem"].endswith(_DATA):
            data[shard["stem"].removesuffix(_DATA)][int(shard["count"])][name] = shard["index"]
    indexes = {name.removesuffix(_TENSORFLOW_INDEX) for name in names if name.endswith(_TENSORFLOW_INDEX)}
    verdicts: Verdicts = {}
    for stem in data.keys() | indexes:
        has_data = any(len(set(shards.values())) >= count for count, shards in data[stem].items())
        shards = [name for members in data[stem].values() for name in members]
        others = [stem + suffix for suffix in (_TENSORFLOW_INDEX, _TENSORFLOW_GRAPH) if stem + suffix in names]
        verdicts |= dict.fromkeys([*shards, *others], stem in indexes and has_data)
    return verdicts


def _judge_distributed(names: Names) -> Verdicts:
    """Judge PyTorch's distributed checkpoints, which FSDP uses: the metadata is written last."""
    shards = [name for name in names if name.endswith(_DISTRIBUTED)]
    if not shards:
        return {}
    metadata = [name for name in (_DISTRIBUTED_METADATA,) if name in names]
    return dict.fromkeys([*shards, *metadata], bool(metadata))


def _judge_deepspeed(names: Names) -> Verdicts:
    """Judge DeepSpeed's checkpoints: states of the model, and of the optimizer's ranks without a gap."""
    members = {name: found["kind"] for name in names if (found := _DEEPSPEED.fullmatch(name))}
    ranks = {int(found["rank"]) for name in members if (found := _DEEPSPEED_RANK.fullmatch(name))}
    has_gap = bool(ranks) and max(ranks) + 1 != len(ranks)
    return dict.fromkeys(members, "model" in members.values() and not has_gap)


def _judge_saved_models(folders: Mapping[str, Names], verdicts: Verdicts) -> None:
    """Judge TensorFlow's saved models: the model is written after its variables, and both are needed."""
    for folder, names in folders.items():
        if not folder.endswith(f"{_VARIABLES}/") or _VARIABLES + _TENSORFLOW_INDEX not in names:
            continue
        model = folder.removesuffix(f"{_VARIABLES}/") + _SAVED_MODEL
        has_model = _SAVED_MODEL in folders.get(folder.removesuffix(f"{_VARIABLES}/"), {})
        is_complete = has_model and verdicts[folder + _VARIABLES + _TENSORFLOW_INDEX]
        members = [folder + name for name in names if name.startswith(f"{_VARIABLES}.")]
        verdicts |= dict.fromkeys([*members, model] if has_model else members, is_complete)


def _judge_lightning(folders: Mapping[str, Names], verdicts: Verdicts) -> None:
    """Judge Lightning's checkpoints that are folders, which FSDP and DeepSpeed write: the last file is known.

    Other tools write folders of the same name without meta.pt, so it is only missed beside one that has it.
    """
    groups = _group_by(_LIGHTNING_FOLDER, folders)
    with_meta = {parent for parent, folder in groups if _LIGHTNING_META in folders.get(f"{parent}{folder}/", {})}
    for (parent, folder), members in groups.items():
        root = folders.get(f"{parent}{folder}/", {})
        states = [key for key in members if key in verdicts]
        has_meta = _LIGHTNING_META in root
        is_distributed = any(key.endswith(_DISTRIBUTED) for key in members)
        is_deepspeed = any(_DEEPSPEED.fullmatch(key) for key in members)
        if not is_distributed and not is_deepspeed and not has_meta:
            continue
        is_whole = bool(states) and all(verdicts[key] for key in states)
        lacks_meta = parent in with_meta and not has_meta and not is_deepspeed
        lacks_latest = is_deepspeed and _DEEPSPEED_LATEST not in root
        last = [f"{parent}{folder}/{_LIGHTNING_META}"] if has_meta else []
        is_complete = is_whole and not lacks_meta and not lacks_latest
        verdicts |= dict.fromkeys([*states, *last] if is_complete else members, is_complete)


def _judge_trainer(folders: Mapping[str, Names], verdicts: Verdicts) -> None:
    """Judge the folders checkpoint-N of Hugging Face's Trainer, which writes trainer_state.json last.

    Accelerate and scripts of one's own use folders of that name without it. So it is only missed beside other files
    that nothing but the Trainer writes, or beside another checkpoint that has it; and so are its optimizer's files.
    What only the optimizer and the like have left is incomplete in any case: it has no weights.
    """
    groups = _group_by(_TRAINER_FOLDER, folders)
    roots = {(parent, folder): folders.get(f"{parent}{folder}/", {}) for parent, folder in groups}
    known: dict[str, set[str]] = defaultdict(set)
    for (parent, _), root in roots.items():
        if _TRAINER_STATE in root:
            known[parent] |= root.keys() & _TRAINER_CORE
    for (parent, folder), members in groups.items():
        root = roots[parent, folder]
        by_trainer = any(_TRAINER_PARTS.fullmatch(name) for name in root)
        looks_so = any(_TRAINER_WEIGHTS.fullmatch(name) for name in root) and _TRAINER_CORE.issubset(root)
        files = [key for key, size in members.items() if key in verdicts or is_checkpoint_file(key, size)]
        weights = [key for key in files if not _NOT_WEIGHTS.fullmatch(key.rpartition("/")[2])]
        if parent not in known and not by_trainer and not looks_so and (weights or not files):
            continue
        is_whole = bool(weights) and all(verdicts.get(key, True) for key in files)
        is_complete = is_whole and _TRAINER_STATE in root and known[parent].issubset(root)
        own = [f"{parent}{folder}/{name}" for name in root if _TRAINER_PARTS.fullmatch(name)]
        verdicts |= dict.fromkeys([*files, *own] if is_complete else members, is_complete)


def _group_by(expression: re.Pattern[str], folders: Mapping[str, Names]) -> dict[tuple[str, str], dict[str, int]]:
    """Return the files, with their sizes, in and below each of the outermost folders that the expression matches."""
    groups: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for folder, names in folders.items():
        parent = ""
        for segment in folder.split("/")[:-1]:
            if expression.fullmatch(segment):
                groups[parent, segment] |= {folder + name: size for name, size in names.items()}
                break
            parent += segment + "/"
    return groups
