"""What a sweep goes through: keys of a config by dotted path, their values, and the combinations of these."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..config import TOP
from ..errors import ChemomechError, ConfigError
from ..units import parse

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER}):({NUMBER}):(\d+)(:log)?(?:\s+(\D.*))?")
QUANTITY = re.compile(rf"\s*{NUMBER}\s*\*?\s*(.*?)\s*")
MODES = ("grid", "zip")
DIGITS = 12  # significant digits kept of a range, so that 0.3 stays 0.3


class Axis(NamedTuple):
    """One swept key of a config, such as `protocol.0.c_rate`, and its values."""

    path: str
    values: tuple[Any, ...]


# --- reading ------------------------------------------------------------------------------------------------------


def parse_axis(text: str) -> Axis:
    """The axis of `PATH=VALUE,VALUE,...`, where a value is TOML, bare text, or a range `start:stop:count[:log] [unit]`.

    Raises:
        ConfigError: there is no path or no value, or a range is none.
    """
    path, sign, values = text.partition("=")
    if not sign or not path.strip() or not values.strip():
        raise ConfigError(f'"{text}" is no axis of a sweep. Write PATH=VALUES, such as protocol.0.c_rate=0.1,1.')
    return Axis(path.strip(), tuple(v for part in _split(values) for v in _expanded(_value(part, path), path)))


def table_axes(table: Any) -> tuple[list[Axis], str]:
    """Axes and mode of a `[sweep]` table: `"protocol.0.c_rate" = [0.1, 1]`, or the path without quotes.

    Raises:
        ConfigError: it is no table, or its mode is unknown.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f'`sweep` = {table!r} must be a table: write [sweep], then "protocol.0.c_rate" = [0.1, 1].')
    mode = table.get("mode", "grid")
    if mode not in MODES:
        raise ConfigError(f"sweep.mode = {mode!r} is unknown. Write one of {', '.join(MODES)}.")
    return list(_flattened({k: v for k, v in table.items() if k != "mode"}, "")), mode


def _flattened(table: Mapping[str, Any], above: str) -> Iterable[Axis]:
    """TOML reads protocol.0.c_rate without quotes as tables in tables."""
    for key, given in table.items():
        path = f"{above}.{key}".lstrip(".")
        if isinstance(given, Mapping):
            yield from _flattened(given, path)
        else:
            values = given if isinstance(given, list) else [given]
            yield Axis(path, tuple(v for value in values for v in _expanded(value, path)))


def _split(text: str) -> list[str]:
    """Parts between the commas that stand outside quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _value(text: str, path: str) -> Any:
    """A TOML value, or bare text: 5 kJ/mol needs no quotes."""
    import tomllib

    if not text:
        raise ConfigError(f"The sweep of {path} has an empty value. Write values between commas, such as 0.1,1.")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text[0] in "\"'[{" or "\n" in text:
            raise ConfigError(f"The sweep of {path}: {text} is no TOML value ({error}). Check its brackets.") from None
    return float(text) if re.fullmatch(NUMBER, text) else text  # TOML knows no .5


def _expanded(value: Any, path: str) -> list[Any]:
    """The values of a range; any other value is itself."""
    found = RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return [value]
    start, stop, count, log, unit = found.groups()
    ends, number = (float(start), float(stop)), int(count)
    if number < 2 or (log and not min(ends) > 0):
        raise ConfigError(
            f'The sweep of {path}: "{value}" is no range. Write start:stop:count or start:stop:count:log '
            "with a count of at least 2, and ends above 0 for a log."
        )
    points = np.geomspace(*ends, number) if log else np.linspace(*ends, number)
    numbers = [float(f"{point:.{DIGITS}g}") for point in points]
    if all(re.fullmatch(r"[-+]?\d+", end) for end in (start, stop)) and all(n.is_integer() for n in numbers):
        numbers = [int(n) for n in numbers]
    return [f"{n} {unit}" for n in numbers] if unit else list(numbers)


# --- combining ----------------------------------------------------------------------------------------------------


def combinations(axes: Sequence[Axis], mode: str = "grid") -> list[tuple[Any, ...]]:
    """The values of each case, in the order of the axes: every combination, or with "zip" the first of each, ...

    Raises:
        ConfigError: nothing is swept, a path or a case comes twice, or zipped axes have different lengths.
    """
    if not axes:
        raise ConfigError(
            "Nothing is swept. Give --set PATH=VALUES, such as --set protocol.0.c_rate=0.1,1, or a [sweep] table."
        )
    paths = [axis.path for axis in axes]
    twice = {path for path in paths if paths.count(path) > 1}
    if twice:
        raise ConfigError(f"{', '.join(sorted(twice))} is swept twice. Write all its values in one place.")
    empty = [axis.path for axis in axes if not axis.values]
    if empty:
        raise ConfigError(f"The sweep of {empty[0]} has no values. Give at least one.")
    lengths = {len(axis.values) for axis in axes}
    if mode == "zip" and len(lengths) > 1:
        counts = ", ".join(f"{axis.path} has {len(axis.values)}" for axis in axes)
        raise ConfigError(f"Axes that are zipped need as many values each, but {counts}. Add values, or use a grid.")
    values = [axis.values for axis in axes]
    cases = list(zip(*values, strict=True)) if mode == "zip" else list(itertools.product(*values))
    for number, case in enumerate(cases):
        if case in cases[:number]:
            raise ConfigError(f"Cases {cases.index(case) + 1} and {number + 1} are the same. Leave one of them out.")
    return cases


# --- placing ------------------------------------------------------------------------------------------------------


def placed(tree: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the tables of a config with one value at a dotted path.

    The last key may be new, as any key that the config leaves to its default; the way to it must exist.

    Raises:
        ConfigError: the path leads nowhere; the message lists what is there.
    """
    head, *rest = path.split(".")
    if head not in tree and head in TOP and not any(part.isdigit() for part in rest):
        for part in reversed(rest):
            value = {part: value}
        return {**tree, head: value}
    return _placed(tree, [head, *rest], value, path, [])


def _placed(node: Any, parts: list[str], value: Any, path: str, above: list[str]) -> Any:
    if not parts:
        return value
    key, *rest = parts
    if isinstance(node, Mapping):
        if key not in node and (rest or not above):
            raise _lost(path, key, above, f"It has: {', '.join(node)}." if above else f"Valid: {', '.join(TOP)}.")
        return {**node, key: _placed(node.get(key), rest, value, path, [*above, key])}
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            entries = ", ".join(f"{k} ({_named(entry)})" for k, entry in enumerate(node))
            raise _lost(path, key, above, f"It is a list; its entries are {entries}.")
        new = _placed(node[int(key)], rest, value, path, [*above, key])
        return [*node[: int(key)], new, *node[int(key) + 1 :]]
    raise _lost(path, key, above, f"It is {node!r} there, no table: sweep it whole, or write it out as a table.")


def _lost(path: str, key: str, above: list[str], known: str) -> ConfigError:
    place = f"in `{'.'.join(above)}`" if above else "at the top of the config"
    return ConfigError(f"The sweep of {path}: there is no `{key}` {place}. {known}")


def _named(entry: Any) -> str:
    return str(entry.get("kind", "a table")) if isinstance(entry, Mapping) else str(entry)


# --- showing ------------------------------------------------------------------------------------------------------


def short_names(paths: Sequence[str]) -> list[str]:
    """The fewest last parts that tell each path from the others: chi for potentials.0.psi.chi."""
    return [_short(path, [other for other in paths if other != path]) for path in paths]


def _short(path: str, others: list[str]) -> str:
    parts = path.split(".")
    for count in range(1, len(parts)):
        name = ".".join(parts[-count:])
        if not name[0].isdigit() and not any(f".{other}".endswith(f".{name}") for other in others):
            return name
    return path


def columns(axes: Sequence[Axis], cases: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Swept values by heading; quantities as numbers in the unit of the first, as the heading says: thickness [nm]."""
    out: dict[str, list[Any]] = {}
    for name, values in zip(short_names([axis.path for axis in axes]), zip(*cases, strict=True), strict=True):
        unit, numbers = _in_one_unit(values)
        out[f"{name} [{unit}]" if unit else name] = [shown(v) for v in values] if numbers is None else numbers
    return out


def _in_one_unit(values: Sequence[Any]) -> tuple[str, list[float] | None]:
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return "-", list(values)
    found = QUANTITY.fullmatch(values[0]) if all(isinstance(v, str) for v in values) else None
    if found is None or not found[1]:
        return "", None
    try:
        return found[1], [float(f"{parse(v, found[1]):.{DIGITS}g}") for v in values]
    except (ChemomechError, ValueError):
        return "", None


def shown(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{k} = {shown(v)}" for k, v in value.items() if k != "kind")
        return str(value["kind"]) + (f" ({inner})" if inner else "") if "kind" in value else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(shown(v) for v in value)}]"
    return str(value)
