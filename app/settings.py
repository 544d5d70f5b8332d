"""`--set stage.key=value`: words from the command line become a checked, typed configuration."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadInputError

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def configs_from(pairs: Sequence[str], config_types: Mapping[str, type[Any]]) -> dict[str, Any]:
    """``["slam.max_lost_s=0.5"]`` -> {"slam": SlamConfig(max_lost_s=0.5)}; only the stages named.

    Raises BadInputError that lists what could have been meant.
    """
    given: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        stage, key, value = _split(pair, config_types)
        config_type = config_types[stage]
        kinds = typing.get_type_hints(config_type)
        names = [field.name for field in dataclasses.fields(config_type)]
        if key not in names:
            known = ", ".join(names) or "nothing"
            raise BadInputError(f"--set {pair}: {stage} has no field {key!r}; it has {known}")
        given.setdefault(stage, {})[key] = _typed(value, kinds[key], pair=pair)
    return {stage: config_types[stage](**fields) for stage, fields in given.items()}


def _split(pair: str, config_types: Mapping[str, type[Any]]) -> tuple[str, str, str]:
    name, equals, value = pair.partition("=")
    stage, dot, key = name.strip().partition(".")
    if not equals or not dot:
        raise BadInputError(f"--set {pair}: write stage.key=value, as in slam.max_lost_s=0.5")
    if stage not in config_types:
        raise BadInputError(f"--set {pair}: no stage {stage!r}; use {', '.join(config_types)}")
    return stage, key, value.strip()


def _typed(text: str, kind: Any, *, pair: str) -> Any:
    """The value in the type that the configuration declares."""
    options = typing.get_args(kind) if _is_union(kind) else (kind,)
    if type(None) in options and text.lower() in {"", "none", "null"}:
        return None
    for option in options:
        try:
            return _one(text, option)
        except ValueError:
            continue
    raise BadInputError(f"--set {pair}: {text!r} is not {_name(kind)}")


def _one(text: str, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return _literal(text, typing.get_args(kind))
    if origin in {tuple, list}:
        parts = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
        return _sequence(parts, kind)
    if kind is bool:
        if text.lower() not in _WORDS:
            raise ValueError(text)
        return _WORDS[text.lower()]
    if kind in {int, float, str}:
        return kind(text)
    raise ValueError(text)


def _literal(text: str, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise ValueError(text)


def _sequence(parts: list[str], kind: Any) -> Any:
    inner = typing.get_args(kind)
    if len(inner) == 2 and inner[1] is Ellipsis:
        inner = (inner[0],) * len(parts)
    elif typing.get_origin(kind) is list:
        inner = inner * len(parts)
    values = [_one(part, item) for part, item in zip(parts, inner, strict=True)]
    return values if typing.get_origin(kind) is list else tuple(values)


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in {typing.Union, types.UnionType}


def _name(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in typing.get_args(kind))
    return kind.__name__ if isinstance(kind, type) else str(kind)
