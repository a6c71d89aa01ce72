"""Keep secrets out of everything that is stored, shown and logged."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from itertools import pairwise
from os.path import commonprefix
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.text import MAX_TEXT_BYTES, clean_text, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The values of these members may be secrets, wherever in a training job they appear.
SECRET_MEMBERS = frozenset(
    {
        "CollectionParameters",
        "ContainerArguments",
        "ContainerEntrypoint",
        "Environment",
        "HookParameters",
        "HyperParameters",
        "ProfilingParameters",
        "RuleParameters",
    }
)
HIDDEN = "[hidden]"
# Shorter values, such as a depth of 5, are not secret, and hiding them would make any text unreadable.
_SHORTEST = 8
# JSON in JSON in JSON: the SageMaker Python SDK encodes a text even if it is JSON already.
_DEEPEST = 3
# How truncated text ends: the training toolkit puts it between quotes.
_CUTS = ("...", "…", '"')

# Words of a name whose value is a secret, whatever it looks like.
_SECRET_WORD = compile_later(
    r"[a-z]*(?:password|passwd|passphrase|secret|apikey|accesskey|secretkey|privatekey)|passcode|secrets|credentials?|"
    r"webhook|jwt"
)
# Words of a name whose value is a secret unless it is a number, or the name has one of the next words, too.
_LIKELY_WORD = compile_later(r"[a-z]*token|key|auth|authorization|bearer|cookie|pwd")
_HARMLESS_WORD = compile_later(
    r"begin|bos|cls|col|column|eos|end|feature|foreign|group|image|join|kms|label|mask|max|min|n|num|number|object|pad|"
    r"partition|per|primary|public|s3|sep|sort|special|start|stop|target|total|type|unk"
)
# The last word of a name that describes a secret, or says where it is, and is not the secret itself.
_ABOUT = compile_later(
    r"arn|count|dim|dir|directory|enabled|endpoint|expiry|file|folder|format|host|ids?|index|length|limit|method|mode|"
    r"names?|parallel|path|port|prefix|provider|rate|region|size|suffix|ttl|type|uri|url|version"
)
_WORD = compile_later(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NOT_SECRET = compile_later(r"(?i:true|false|yes|no|on|off|none|null|)|s3://.*|arn:aws.*", re.DOTALL)
_NUMBER = compile_later(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")
_SECRET_VALUE = compile_later(
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS access keys
    r"|-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
    r"|[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/@:]*:[^\s/@]+@"  # a URL with a password
    r"|X-Amz-(?:Signature|Security-Token)=|AccountKey=|hooks\.slack\.com/services/"
    r"|(?<![A-Za-z0-9])(?:gh[opsur]_|hf_|npm_|sk-(?:[a-z]{3,5}-)?)[A-Za-z0-9]{20}"
    r"|(?<![A-Za-z0-9])(?:github_pat_|glpat-|pypi-AgE|xox[abeoprs]-)[A-Za-z0-9_-]{16}"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."  # a JSON web token
    r"|(?i:\bbearer) +[A-Za-z0-9._~+/=-]{16}"
)
# AWS secret access keys, and others of their form.
_RANDOM = compile_later(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_CLASSES = tuple(map(compile_later, ("[a-z]", "[A-Z]", "[0-9]")))
# What names a value within a text: an option of a command, and an assignment.
_OPTION = compile_later(r"--?(?P<name>[A-Za-z][A-Za-z0-9_-]*)")
_GIVEN = compile_later(
    r"(?<![A-Za-z0-9_-])(?:--?([A-Za-z][A-Za-z0-9_-]*)(?:=| +(?=[^\s-]))|([A-Za-z][A-Za-z0-9_]*)=)([^\s'\"&;,]+)"
)


def hide_secrets(text: str, training_job: dict[str, Any]) -> str:
    """Return a text from SageMaker with the values of the job's SECRET_MEMBERS hidden, cleaned and shortened.

    A value is found as it was given, decoded or escaped, as a single line or part of it, and where it was truncated.
    """
    return hide_secrets_in([text], training_job)[text]


def hide_secrets_in(texts: Iterable[str], training_job: dict[str, Any]) -> dict[str, str]:
    """Return each of these texts as `hide_secrets` does, by the text as it was: several at the price of one."""
    secrets = {form for value in _secret_values(training_job) for form in _forms(value) if len(form) >= _SHORTEST}
    return {text: _hide_and_clean(secrets, text) for text in texts}


def _hide_and_clean(secrets: Iterable[str], text: str) -> str:
    hidden = _hide(secrets, text)
    clean = clean_text(hidden)
    # What was between the characters of a secret is gone by now.
    return shorten(_hide(secrets, clean) if clean != hidden else hidden, MAX_TEXT_BYTES)


def _hide(secrets: Iterable[str], text: str) -> str:
    shown, end = "", 0
    # Sorted, so that overlapping spans are merged.
    for first, last in sorted(span for secret in secrets for span in _spans(secret, text)):
        shown += text[end:first] + HIDDEN if first >= end else ""
        end = max(end, last)
    return shown + text[end:]


def _secret_values(training_job: dict[str, Any]) -> Iterator[str]:
    """Yield all values that may be secrets."""
    open_values: list[tuple[Any, bool]] = [(training_job, False)]
    while open_values:
        match open_values.pop():
            case str() as text, True:
                yield text
            case list() as items, secret:
                open_values += ((item, secret) for item in items)
            case dict() as members, secret:
                open_values += ((item, secret or key in SECRET_MEMBERS) for key, item in members.items())


def _forms(value: str) -> Iterator[str]:
    """Yield the ways in which a value may be printed."""
    # The SageMaker Python SDK writes hyperparameters as JSON, and the training prints them decoded.
    decoded, newest = {value}, {value}
    for _ in range(_DEEPEST):
        newest = {inner for outer in newest for inner in _texts(outer)} - decoded
        decoded |= newest
    for text in {part for whole in decoded for part in _parts(whole)}:
        yield text
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
        data = text.encode(errors="replace")
        yield from (quote(data, safe=""), quote(data), b64encode(data).decode())


def _parts(text: str) -> Iterator[str]:
    """Yield a text and what programs extract from it: lines, the value of an option, the secret parts of a URL."""
    yield from (text, text.strip(), *text.splitlines())
    option, is_option, value = text.partition("=")
    if is_option and option.startswith("-"):
        yield value
    scheme, is_address, rest = text.partition("://")
    if is_address and scheme.isalnum() and scheme != "s3":
        place, slash, path = rest.partition("/")
        yield slash + path
        yield place.rpartition("@")[0].partition(":")[2]


def _texts(value: str) -> list[str]:
    """Return the texts and numbers in a value that is JSON."""
    found, open_values = [], [_parse(value)]
    while open_values:
        match open_values.pop():
            case str() as text:
                found.append(text)
            case list() as items:
                open_values += items
            case dict() as members:
                open_values += members.values()
    return found


def _spans(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text that hold a secret, or the part of it that was not cut off."""
    at = text.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = text.find(secret, at + 1)
    yield from _beginnings(secret, text)
    yield from ((len(text) - last, len(text) - first) for first, last in _beginnings(secret[::-1], text[::-1]))


def _beginnings(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans that hold the beginning of a secret: most of it, or the part before a mark of truncation."""
    head = secret[:_SHORTEST]
    at = text.find(head)
    while at >= 0:
        alike = len(commonprefix((secret, text[at:])))  # noqa: RUF071 (character by character, on purpose)
        end = at + alike
        if 4 * alike >= 3 * len(secret) or end == len(text) or text.startswith(_CUTS, end):
            yield at, end
        at = text.find(head, end - _SHORTEST + 1)


def looks_secret(name: str, value: str) -> bool:
    """Whether a value of Environment or HyperParameters looks like a secret, by its name or by itself.

    A value in JSON is taken apart: it looks like a secret if anything in it does.
    """
    open_values: list[tuple[str, Any]] = [(name, value)]
    while open_values:
        match open_values.pop():
            case inner, dict() as members:
                open_values += members.items()
            case inner, list() as items:
                open_values += _name_arguments(items, inner)
            case inner, str() as text if (document := _parse(text)) is not None:
                open_values.append((inner, document))
            case inner, str() as text if _is_secret(inner, text):
                return True
    return False


def redact_job(training_job: dict[str, Any]) -> dict[str, Any]:
    """Return a training job with the values of its SECRET_MEMBERS hidden, as far as they look like secrets."""
    return _redact_members(training_job)


def _redact_members(members: dict[str, Any], may_be_secret: bool = False) -> dict[str, Any]:
    return {key: _redact(key, value, may_be_secret or key in SECRET_MEMBERS) for key, value in members.items()}


def _name_arguments(arguments: list[Any], name: str) -> list[tuple[str, Any]]:
    """Return the arguments of a command, each with the name of the option before it or else with ``name``."""
    return [(_name_option(before) or name, one) for before, one in pairwise([None, *arguments])]


def _name_option(argument: Any) -> str | None:
    found = _OPTION.fullmatch(argument) if isinstance(argument, str) else None
    return found and found["name"]


def _redact(name: str, value: Any, may_be_secret: bool) -> Any:
    match value:
        case dict():
            return _redact_members(value, may_be_secret)
        case list():
            return [_redact(option, one, may_be_secret) for option, one in _name_arguments(value, name)]
        case str() if may_be_secret and looks_secret(name, value):
            return HIDDEN
        case _:
            return value


def _is_secret(name: str, text: str) -> bool:
    """Whether a text that is not JSON is a secret under this name, has the form of one, or assigns one to a name."""
    text = text.strip()
    if _NOT_SECRET.fullmatch(text):
        return False
    if _names_secret(name, text) or _SECRET_VALUE.search(text):
        return True
    if any(all(kind.search(word) for kind in _CLASSES) for word in _RANDOM.findall(text)):
        return True
    given = ((option or variable, inner) for option, variable, inner in _GIVEN.findall(text))
    return any(_names_secret(inner_name, inner) for inner_name, inner in given if not _NOT_SECRET.fullmatch(inner))


def _names_secret(name: str, text: str) -> bool:
    """Whether a name says that this text is a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if {"access", "key"} <= set(words):
        return True
    if not words or _ABOUT.fullmatch(words[-1]):
        return False
    if any(map(_SECRET_WORD.fullmatch, words)):
        return True
    is_directory = words[-1] == "pwd" and text.startswith("/")
    is_harmless = is_directory or _NUMBER.fullmatch(text) or any(map(_HARMLESS_WORD.fullmatch, words))
    return any(map(_LIKELY_WORD.fullmatch, words)) and not is_harmless


def _parse(text: str) -> Any:
    """Return the text, list or mapping in a text that is JSON, with its numbers as texts; None if it is not JSON."""
    try:
        return json.loads(text, parse_int=str, parse_float=str) if text.lstrip()[:1] in {'"', "[", "{"} else None
    except (ValueError, RecursionError):
        return None
