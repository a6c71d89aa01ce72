"""Translate the ``estimator`` of a spec: the options of the SageMaker Python SDK into the request that it would send.

The options of one generation of the SDK are placed where `sdk_options` says. What is left out takes that generation's
default, unless the spec's ``training_job`` has it. Each path in the request is traced back to its option, so that every
later problem is reported where the user wrote it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spot_relay.request.option_values import (
    InvalidOptionError,
    convert_algorithm,
    convert_inputs,
    convert_model,
    convert_value,
)
from spot_relay.request.problem import describe, format_key, join_path
from spot_relay.request.request_model import list_request_keys
from spot_relay.request.sdk_options import ALGORITHM, DEFAULTS, GROUPS, NOT_EXPRESSIBLE, OPTIONS, Generation
from spot_relay.request.suggestion import find_nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems
    from spot_relay.request.sdk_options import Option

ESTIMATOR = "estimator"
_JOB = "training_job"
# Version 2 comes first: where names do not tell the generations apart, their defaults are its.
_GENERATIONS = (Generation.V2, Generation.V1, Generation.V3)
_NAMES = frozenset({"base_job_name", "job_name"})
_MODEL = frozenset({"model_uri", "model_channel_name"})
_MODEL_CHANNEL = "model"
_IMAGES = frozenset({"AlgorithmSpecification.TrainingImage", "AlgorithmSpecification.AlgorithmName"})
_OF_NAME = {name: option for option in OPTIONS for name in option[1:] if name is not None}


@dataclass
class Translation:
    """The request that the options stand for, and where each part of it came from."""

    job: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)
    """Paths in the document by paths of the request; a path stands for all that is below it."""
    name: tuple[str, Any] | None = None
    """The path and the value of the option that names the run."""


def translate(
    document: Mapping[str, Any], region: str | None, role_arns: tuple[str, ...], problems: Problems
) -> Translation:
    """Return the training job of a document with an ``estimator``, after adding every problem with the options.

    Images of built-in algorithms are those of ``region``; a role that is given by its name is one of ``role_arns``.
    """
    options = document[ESTIMATOR]
    job = document.get(_JOB, {})
    translation = Translation(copy.deepcopy(job) if isinstance(job, dict) else {})
    if not isinstance(options, dict):
        found = describe(options, secret=True)
        problems.add(ESTIMATOR, f"Expected options of the SageMaker Python SDK, but found {found}. Write a mapping.")
        problems.raise_if_any()
    given = _flatten(options, problems)
    known = {name: value for name, value in given.items() if name in _OF_NAME}
    for name in given:
        if name not in known:
            problems.add(_path(name), _explain_unknown(name, problems))
    generation = _find_generation(known)
    own = {name: value for name, value in known.items() if _OF_NAME[name].name_in(generation) == name}
    for name in known:
        if name not in own:
            problems.add(_path(name), _explain_mix(name, generation, own, problems))
    _Placing(translation, generation, (region, role_arns), problems).place(own)
    return translation


def _path(name: str) -> str:
    return f"{ESTIMATOR}.{name}" if "." in name else join_path(ESTIMATOR, name)


def _flatten(options: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return the options by name, those of v3's objects as ``object.option``; null is the SDK's None, for no value."""
    given: dict[str, Any] = {}
    for key, value in options.items():
        if value is None:
            continue
        if key not in GROUPS:
            given[key] = value
        elif isinstance(value, dict):
            given |= {f"{key}.{format_key(name)}": item for name, item in value.items() if item is not None}
        else:
            problems.add(_path(key), f"Expected a mapping of options, but found {describe(value)}. Write its options.")
    return given


def _find_generation(known: Mapping[str, Any]) -> Generation:
    """Return the generation that has the most of the options, the newest estimator's if that is not clear."""
    count = {each: sum(_OF_NAME[name].name_in(each) == name for name in known) for each in _GENERATIONS}
    return max(_GENERATIONS, key=lambda each: count[each])


def _explain_mix(name: str, generation: Generation, own: Mapping[str, Any], problems: Problems) -> str:
    option = _OF_NAME[name]
    has = next(each for each in Generation if option.name_in(each) == name)
    example = next((one for one in own if _OF_NAME[one].name_in(has) != one), None)
    beside = f"{example} is" if example else "the others are"
    same = next((other.name_in(generation) for other in OPTIONS if other.place == option.place), None)
    problems.note_intended(f"{_JOB}.{option.place}")
    advice = f"Use {same}" if same else f"Remove it, or write training_job.{option.place}"
    return f"This is an option of version {has} of the SDK, but {beside} of version {generation}. {advice}."


def _explain_unknown(name: str, problems: Problems) -> str:
    if name in NOT_EXPRESSIBLE:
        return NOT_EXPRESSIBLE[name]
    if name in list_request_keys():
        problems.note_intended(f"{_JOB}.{name}")
        return f"This is a key of CreateTrainingJob, not an option of the SDK. Move it to training_job.{name}."
    by_leaf = {known.rpartition(".")[2]: known for known in _OF_NAME if "." in known}
    nearest = "inputs" if name == "channels" else by_leaf.get(name) or find_nearest(name, _OF_NAME)
    if nearest is None:
        return "Unknown option. The spec reference lists the options that a spec may have."
    problems.note_intended(f"{_JOB}.{_OF_NAME[nearest].place}")
    return f'Unknown option. Did you mean "{nearest}"?'


class _Placing:
    """Places the options of one generation in a request."""

    def __init__(
        self,
        translation: Translation,
        generation: Generation,
        stack: tuple[str | None, tuple[str, ...]],
        problems: Problems,
    ) -> None:
        self._translation = translation
        self._generation = generation
        self._region, self._role_arns = stack
        self._problems = problems
        self._names: dict[str, str] = {}

    def place(self, own: Mapping[str, Any]) -> None:
        own = dict(own)
        self._name_run(own)
        model = {name: own.pop(name) for name in _MODEL & set(own)}
        for name, value in own.items():
            option = _OF_NAME[name]
            if option.place == "InputDataConfig":
                self._place_inputs(option, name, value)
            else:
                self._place_value(option, name, value)
        self._place_model(model)
        self._add_defaults()
        self._trace_missing()

    def _name_run(self, own: dict[str, Any]) -> None:
        named = {name: own.pop(name) for name in _NAMES & set(own)}
        if named:
            # As in the SDK, the name of the job precedes its base.
            name = max(named)
            self._translation.name = (_path(name), named[name])

    def _place_value(self, option: Option, name: str, value: Any) -> None:
        try:
            if name == ALGORITHM:
                converted: Any = convert_algorithm(value, self._region)
            else:
                converted = convert_value(option.place, value, self._generation, self._role_arns)
        except InvalidOptionError as error:
            self._problems.add(_path(name) + error.below, str(error))
            self._problems.note_intended(f"{_JOB}.{option.place}")
            return
        if converted is not None and self._claim(option.place, name):
            self._put(option.place, converted)

    def _place_inputs(self, option: Option, name: str, value: Any) -> None:
        if not self._claim(option.place, name):
            return
        try:
            inputs = convert_inputs(value, self._generation)
        except InvalidOptionError as error:
            self._problems.add(_path(name) + error.below, str(error))
            return
        self._translation.job["InputDataConfig"] = inputs.channels
        if inputs.input_mode is not None:
            self._put("AlgorithmSpecification.TrainingInputMode", inputs.input_mode)
        for index, origins in enumerate(inputs.origins):
            for below, origin in origins.items():
                self._translation.origins[f"{_JOB}.InputDataConfig[{index}]{below}"] = _path(name) + origin

    def _place_model(self, model: Mapping[str, Any]) -> None:
        if "model_uri" not in model:
            if model:
                message = "This key names the channel of model_uri, which is not there. Add that, or remove this."
                self._problems.add(_path("model_channel_name"), message)
            return
        channels = self._translation.job.setdefault("InputDataConfig", [])
        if not isinstance(channels, list):
            return
        self._translation.origins[f"{_JOB}.InputDataConfig[{len(channels)}]"] = _path("model_uri")
        try:
            channels.append(convert_model(model["model_uri"], model.get("model_channel_name", _MODEL_CHANNEL)))
        except InvalidOptionError as error:
            self._problems.add(_path("model_uri"), str(error))

    def _claim(self, place: str, name: str) -> bool:
        """Whether an option may set a place; what else sets it is reported."""
        purpose = "the image" if place in _IMAGES else place
        earlier = self._names.setdefault(purpose, name)
        if earlier != name:
            self._problems.add(_path(name), f"{earlier} sets {purpose}, too. Remove one of the two.")
            return False
        if self._find(place) is not None:
            message = f"This option and training_job.{place} mean the same. Remove one of the two."
            self._problems.add(_path(name), message)
            return False
        self._translation.origins[f"{_JOB}.{place}"] = _path(name)
        return True

    def _find(self, place: str) -> Any:
        value: Any = self._translation.job
        for part in place.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _put(self, place: str, value: Any) -> None:
        *parents, last = place.split(".")
        target = self._translation.job
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                # `check_request` reports that the job has something else here.
                return
        target[last] = value

    def _add_defaults(self) -> None:
        resources = self._translation.job.get("ResourceConfig")
        is_mixed = isinstance(resources, dict) and {"InstanceGroups", "InstancePreferences"} & set(resources)
        for place, default in DEFAULTS[self._generation].items():
            if place.startswith("ResourceConfig.Instance") and is_mixed:
                continue
            if self._find(place) is None:
                self._put(place, default)

    def _trace_missing(self) -> None:
        """Trace what is missing to the option that would set it, so that it is reported in the user's terms."""
        for option in OPTIONS:
            name = option.name_in(self._generation)
            if name is None or "[" in option.place or self._find(option.place) is not None:
                continue
            place = option.place
            while place and self._find(place) is None:
                self._translation.origins.setdefault(f"{_JOB}.{place}", _path(name))
                place = place.rpartition(".")[0]
