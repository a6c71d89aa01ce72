"""Which files are checkpoints, by their names alone. A name that nothing here knows is a checkpoint.

Both mistakes cost something. A log taken for a checkpoint makes lost training look saved, once. A checkpoint taken for
a log makes the run look as if it had no progress, until it fails. So a file is only left out if its name or its folder
is one that a well-known tool uses for something else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from string import digits

from spot_relay.domain.expressions import compile_later

_SAGEMAKER_MARKER = ".sagemaker-"

# Nothing in these folders is a checkpoint: trackers keep copies of artifacts there, and tools keep code and caches.
_FOREIGN_FOLDERS = frozenset(
    {
        *("wandb", "mlruns", "mlartifacts", ".aim", ".neptune", ".comet", ".clearml", ".guild", ".dvc", ".hydra"),
        *("__pycache__", ".git", ".ipynb_checkpoints", ".cache", ".venv", "venv", "site-packages", "node_modules"),
        *("__macosx", ".mypy_cache", ".pytest_cache", "debug-output", "profiler-output", "rule-output", "mlflow"),
    }
)
# Nothing in these is a checkpoint either, unless it lies in a folder for checkpoints again, as in data/checkpoints/.
_DATA_FOLDERS = frozenset(
    {
        *("data", "dataset", "datasets", "input", "inputs", "inputdata", "channels", "raw", "processed"),
        *("preprocessed", "code", "src", "source", "sources", "script", "scripts", "sourcedir", "image", "images"),
        *("video", "videos", "sample", "samples", "prediction", "predictions", "preds", "inference", "embedding"),
        *("embeddings", "features", "figures", "plots", "tokenizer", "tokenizers", "vocab", "config", "configs"),
        *("traces", "profiles", "training_data", "training-data", "train_data", "train-data", "test_data"),
        *("test-data", "validation_data"),
    }
)
# In these folders, only files count whose extension is used for checkpoints alone, or whose names say what they are.
_EVALUATION_FOLDERS = frozenset({"eval", "evals", "evaluation", "evaluations", "val", "validation", "test", "tests"})
# In these folders, only files count that are checkpoints by their extension: some tools keep both there.
_LOG_FOLDERS = frozenset(
    {
        *("runs", "log", "logs", "tb", "tb_logs", "tb-logs", "tensorboard", "tensorboard_logs", "tensorboard-logs"),
        *("lightning_logs", "csv_logs", "plugins", "profile", "profiler", "summaries", "events", "metrics"),
    }
)
# A folder like these inside a folder of logs holds checkpoints again, as in lightning_logs/version_0/checkpoints/.
_CHECKPOINT_FOLDER = compile_later(
    r"((best|last|latest|final|saved|my|training)[-_.])?(checkpoint|ckpt|weight|model|snapshot)s?"
    r"([-_.=]?\d+|[-_.=](best|last|latest|final))?|.*\.ckpt"
)
# A checkpoint may be a folder with folders of its own, by any name: checkpoint-500/data/.
_NUMBERED_CHECKPOINT = compile_later(
    r"(.*[-_.=])?(checkpoint|ckpt|model|snapshot|epoch|step|iter)s?[-_.=]?\d+|.*\.ckpt"
)

_TEMPORARY = compile_later(
    r"\.?tmp|\.?tmp[-_.].*|tmp[a-z0-9_]{8}|\.?temp([-_]?(checkpoint|ckpt|model|weights|state).*|\..*)?|.*~|#.*#"
    r"|.*[-_.](tmp|temp|incomplete|inprogress|in_progress|unfinished)|.*\.(part|partial|lock|swp|swo)"
    r"|.*\.(tmp|tempstate)[-_.]?[0-9a-f]+|.*_temp_[0-9a-f]{32}|.*checkpoint-tmp-.*|\._.*|\.nfs[0-9a-f]+"
)

_LOG_NAME = compile_later(
    r".*tfevents.*|core\.\d+|.*mem(ory)?[-_.]?(snapshot|dump|profile).*|.*\.(log|out|err)([.-]?\d+)?([.-]\d+)*|.*\.pt\.trace\..*|.*\.xplane\.pb"
)
_NOT_CHECKPOINTS = frozenset(
    {
        # Markers, and what is written once beside a model.
        *("_success", "_started", "_committed", "commit_success", "success", "failure", "done"),
        *("heartbeat", "_heartbeat", "mlflow.db", "thumbs.db"),
        *("readme", "license", "notice", "makefile", "dockerfile", "stdout", "stderr", "nohup", "log", "latest-run"),
        # Hugging Face: arguments and tokenizers.
        *("training_args.bin", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.bpe"),
        # TensorFlow: parts of a SavedModel, and graphs.
        *("saved_model.pb", "keras_metadata.pb", "fingerprint.pb", "graph.pb", "frozen_inference_graph.pb"),
        # What Detectron2, Stable Baselines3 and Ray write beside: predictions, scores and arguments.
        *("instances_predictions.pth", "evaluations.npz", "params.pkl"),
        # SageMaker: the code of a script, and the hooks of its debugger.
        *("sourcedir.tar.gz", "source.tar.gz", "code.tar.gz", "claim.smd", "end_of_job.ts", "training_job_end.ts"),
    }
)
# Small files that only name the newest checkpoint, by TensorFlow, DeepSpeed, Megatron and Detectron2.
_POINTERS = frozenset({"checkpoint", "latest", "latest_universal", "last_checkpoint", "latest-checkpoint"})
_MAX_POINTER_BYTES = 64 * 1024

_TEXT = frozenset({"json", "txt"})
_NOT_CHECKPOINT_EXTENSIONS = frozenset(
    {
        *("jsonl", "ndjson", "yaml", "yml", "md", "rst", "html", "htm", "xml", "toml", "ini", "cfg", "conf", "pdf"),
        *("csv", "tsv", "parquet", "arrow", "feather", "orc", "avro", "tfrecord", "tfrecords", "recordio", "rec"),
        *("idx", "lst", "jpg", "jpeg", "png", "gif", "bmp", "svg", "webp", "tif", "tiff", "wav", "mp3", "flac", "mp4"),
        *("py", "pyc", "pyi", "pyo", "ipynb", "sh", "c", "cc", "cpp", "h", "hpp", "cu", "js", "css", "java", "go"),
        *("rs", "sql", "whl", "so", "pbtxt", "meta", "wandb", "smd", "trace", "pid", "nsys-rep", "symlink"),
        *("flag", "md5", "sha1", "sha256", "sha512", "crc32", "etag", "sig", "asc", "mdb", "lmdb", "prof", "pstats"),
        *("db", "sqlite", "sqlite3", "nvprof", "ncu-rep"),
    }
)
_CHECKPOINT_EXTENSIONS = frozenset(
    {
        *("ckpt", "pt", "pth", "bin", "safetensors", "h5", "hdf5", "keras", "pkl", "pickle", "joblib", "npz", "npy"),
        *("index", "data", "distcp", "params", "states", "msgpack", "onnx", "ubj", "cbm", "zip", "tar", "weights"),
        *("pdparams", "pdopt", "t7", "caffemodel", "solverstate", "gguf", "model", "snapshot"),
    }
)
# These are used for checkpoints alone, whatever the file is called: loss=0.12.ckpt.
_OWN_EXTENSIONS = _CHECKPOINT_EXTENSIONS - {
    *("pt", "bin", "h5", "hdf5", "pkl", "pickle", "joblib", "npz", "npy", "data", "msgpack", "zip", "tar"),
}
# Of what a file is if its name consists of such words: data, code, and what evaluations and profilers leave.
_BY_PRODUCTS = frozenset(
    {
        *("metric", "metrics", "losses", "prediction", "predictions", "preds", "pred", "probs", "logits"),
        *("probabilities", "embedding", "embeddings", "vocab", "vocabulary", "tokenizer", "tokens", "code"),
        *("source", "sourcedir", "src", "scripts", "dataset", "datasets", "data", "images", "labels", "label"),
        *("features", "targets", "inputs", "input", "outputs", "samples", "confusion", "history", "results"),
        *("result", "report", "reports", "summary", "stats", "statistics", "evaluation", "evaluations", "config"),
        *("configuration", "args", "arguments", "hparams", "hyperparameters", "profile", "profiler", "profiling"),
        *("trace", "traces", "logs", "log", "curves", "plots", "scores", "score", "accuracies", "gradients"),
        *("activations", "timings", "requirements", "artifacts"),
    }
)
# As above, but checkpoints are named for these as well: train.pt, loss-0.12-epoch-3.npz.
_OF_TRAINING = frozenset(
    {
        *("train", "training", "valid", "validation", "val", "test", "testing", "dev", "eval", "loss", "accuracy"),
        *("acc",),
    }
)
_COUNTED = frozenset({"epoch", "epochs", "step", "steps", "iter", "batch", "rank", "worker", "host", "algo", "fold"})
_QUALIFIERS = frozenset(
    {
        *("x", "y", "set", "split", "all", "raw", "full", "true", "matrix", "per", "class", "part", "shard", "file"),
        *("processed", "preprocessed", "cached", "cache", "clean", "normalized", "cpu", "gpu", "cuda", "my"),
        *("of", "the", "and"),
    }
)
# A text file is a checkpoint if its name says so, as XGBoost's model_10.json and LightGBM's model.txt do.
_NAMES_OF_TEXTS = frozenset({"checkpoint", "ckpt", "snapshot", "model", "booster", "weights", "state"})
_NAMES_OF_OTHER_TEXTS = frozenset(
    {
        *("config", "configuration", "args", "params", "hparams", "hyperparameters", "index", "metadata", "meta"),
        *("metrics", "history", "log", "logs", "report", "summary", "results", "result", "eval", "info", "stats"),
        *("card", "symbol", "architecture", "signature", "schema", "shapes", "vocab", "tokenizer", "list", "names"),
        *("trainer", "experiment", "trial", "variant", "searcher", "dataset", "iteration"),
    }
)
_WORDS_OF_BY_PRODUCTS = _BY_PRODUCTS | _OF_TRAINING | _COUNTED | _QUALIFIERS
_WORDS_OF_TRAINING = _OF_TRAINING | _QUALIFIERS
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
# These words say nothing about what a file is.
_PACKED = frozenset({"tar", "gz", "bz", "xz", "zst", ""})
SHARD = compile_later(r"(?P<stem>.+?)[-_.](?P<index>\d{5,9})-of-(?P<count>\d{5,9})(?P<rest>.*)", re.DOTALL)


def is_checkpoint_file(key: str, size: int) -> bool:
    """Whether a file, by its key below the prefix, is a checkpoint or a part of one. Its size tells pointers apart."""
    folder, _, name = key.rpartition("/")
    rule = _judge_folder(folder)
    name = name.lower()
    if rule in {"foreign", "data"} or name.startswith(".") or name in _NOT_CHECKPOINTS or _LOG_NAME.fullmatch(name):
        return False
    if name in _POINTERS and size <= _MAX_POINTER_BYTES:
        return False
    extension = _find_extension(name)
    if extension in _NOT_CHECKPOINT_EXTENSIONS:
        return False
    if extension in _TEXT or rule == "evaluation":
        return extension in _OWN_EXTENSIONS or _is_named_checkpoint(name)
    if extension not in _OWN_EXTENSIONS and _is_by_product(name, extension):
        return False
    return rule != "log" or extension in _CHECKPOINT_EXTENSIONS or _is_named_checkpoint(name)


def is_unfinished(key: str) -> bool:
    """Whether a file, or a folder that it is in, has the name of something temporary that is renamed when it is whole.

    SageMaker's own markers, and the files that it is told to leave out, are of this kind.
    """
    folder, _, name = key.rpartition("/")
    return _SAGEMAKER_MARKER in name or _is_temporary(name.lower()) or _is_temporary_folder(folder)


@lru_cache(maxsize=4096)
def _is_temporary_folder(folder: str) -> bool:
    return any(_is_temporary(segment) for segment in folder.lower().split("/"))


def _is_temporary(segment: str) -> bool:
    return _TEMPORARY.fullmatch(segment) is not None


@lru_cache(maxsize=4096)
def _judge_folder(folder: str) -> str:
    """Return whether files in a folder count never, by extension or name, or unless known ("any").

    Never is "foreign", or "data" if a deeper folder may hold checkpoints again. By extension or name is "log", or
    "evaluation" where an extension that others use as well is not enough.
    """
    rule, is_checkpoint = "any", False
    for segment in folder.lower().split("/"):
        if segment in _FOREIGN_FOLDERS:
            return "foreign"
        if segment in _LOG_FOLDERS:
            rule = "log"
        elif segment in _DATA_FOLDERS:
            rule = rule if is_checkpoint else "data"
        elif segment in _EVALUATION_FOLDERS and rule != "data":
            rule = rule if is_checkpoint else "evaluation"
        elif _CHECKPOINT_FOLDER.fullmatch(segment):
            rule = "any"
        is_checkpoint = rule == "any" and (is_checkpoint or _NUMBERED_CHECKPOINT.fullmatch(segment) is not None)
    return rule


def _find_extension(name: str) -> str:
    """Return a lower-case name's extension, without that of a compression and without the number of a shard."""
    for compression in _COMPRESSED:
        name = name.removesuffix(compression)
    if "-of-" in name and (shard := SHARD.fullmatch(name)):
        name = shard["stem"] + shard["rest"]
    return name.rpartition(".")[2] if "." in name else ""


def _is_by_product(name: str, extension: str) -> bool:
    words = _split_words(name) - _PACKED - {extension.rstrip(digits)}
    if extension == "pt":  # PyTorch's own extension is that of checkpoints first
        words = {f"{word}-" if word in _OF_TRAINING else word for word in words}
    if words & _BY_PRODUCTS:
        return _WORDS_OF_BY_PRODUCTS.issuperset(words)
    return bool(words & _OF_TRAINING) and _WORDS_OF_TRAINING.issuperset(words)


def _split_words(name: str) -> set[str]:
    """Return the words of a lower-case name, without digits at their ends."""
    return {word.rstrip(digits) for word in re.split(r"[^a-z0-9]+", name)}


def _is_named_checkpoint(name: str) -> bool:
    words = _split_words(name)
    return bool(words & _NAMES_OF_TEXTS) and not words & _NAMES_OF_OTHER_TEXTS
