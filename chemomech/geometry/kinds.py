"""The geometries by name, and what each takes: read off the functions that `chemomech.geometry` exports."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chemomech.errors import ConfigError
from chemomech.fem.mesh import Mesh

NOT_GIVEN = ("save",)  # arguments that no config and no command line gives as a value


@dataclass(frozen=True)
class Parameter:
    """One argument of a geometry: its unit ("" if it has none of its own), its default if any, and what it is."""

    name: str
    unit: str
    default: Any
    text: str
    hint: Any

    @property
    def needed(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty


def kinds() -> dict[str, Callable[..., Mesh]]:
    """Every public function of `chemomech.geometry` that makes a mesh of numbers alone, by its name."""
    from chemomech import geometry

    public = {name: getattr(geometry, name) for name in sorted(geometry.__all__)}
    return {name: made for name, made in public.items() if inspect.isfunction(made) and _makes_mesh(made)}


def _makes_mesh(made: Callable) -> bool:
    hints = typing.get_type_hints(made)
    return hints.pop("return", None) is Mesh and Mesh not in hints.values()


def parameters(made: Callable[..., Mesh]) -> list[Parameter]:
    """The arguments of a geometry, from its signature and the lines of its docstring: "name: what it is [unit]."."""
    hints, lines = typing.get_type_hints(made), _described(made)
    found = []
    for name, given in inspect.signature(made).parameters.items():
        if name not in NOT_GIVEN:
            text = lines.get(name, "")
            units = re.findall(r"\[([^\]]+)\]", text)
            unit = units[0] if len(units) == 1 else ""
            found.append(Parameter(name, unit, given.default, text, hints[name]))
    return found


def units(made: Callable) -> dict[str, str]:
    """Units of those arguments whose description names one."""
    return {p.name: p.unit for p in parameters(made) if p.unit}


def summary(made: Callable[..., Mesh]) -> str:
    """The first line of a geometry's docstring."""
    return (inspect.getdoc(made) or "").partition("\n")[0]


def _described(made: Callable) -> dict[str, str]:
    """Lines of the docstring's list of arguments, by name."""
    listed = (inspect.getdoc(made) or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", listed, flags=re.M)
    return {name.strip(): " ".join(text.split()) for names, text in found for name in names.split(",")}


def read(parameter: Parameter, text: str) -> Any:
    """The value that a text of the command line stands for.

    Lists are separated by commas, "1 nm, 2 nm"; tables too, with colons, "010: 0.6, 100: 0.7".

    Raises:
        ConfigError: the text is no such value.
    """
    wanted = [kind for kind in _alternatives(parameter.hint) if kind is not type(None)]
    for kind in wanted:
        if typing.get_origin(kind) in (Mapping, dict):
            pairs = [pair.partition(":") for pair in text.split(",")]
            if not all(sign for _, sign, _ in pairs):
                raise ConfigError(f'{parameter.name} = "{text}" is no table. Write "010: 1.0, 100: 1.2".')
            entry = typing.get_args(kind)[1]
            return {key.strip(): _single(parameter, _alternatives(entry), value) for key, _, value in pairs}
        if typing.get_origin(kind) in (Sequence, list, tuple) and ("," in text or len(wanted) == 1):
            entries = _alternatives(typing.get_args(kind)[0])
            return [_single(parameter, entries, part) for part in text.split(",")]
    return _single(parameter, wanted, text)


def _alternatives(hint: Any) -> list[Any]:
    """The types that a hint allows: of `float | str` both, else the type alone."""
    return list(typing.get_args(hint)) if typing.get_origin(hint) in (types.UnionType, typing.Union) else [hint]


def _single(parameter: Parameter, wanted: list[Any], text: str) -> Any:
    """A number, true or false, or text; a number that needs a unit stays text, which is refused where it is parsed."""
    text = text.strip()
    if bool in wanted:
        if text not in ("true", "false"):
            raise ConfigError(f'{parameter.name} = "{text}" must be true or false.')
        return text == "true"
    if parameter.unit and str in wanted:
        return text
    for kind in (int, float):
        if kind in wanted:
            try:
                return kind(text)
            except ValueError:
                if str not in wanted:
                    word = "a whole number" if kind is int else "a number"
                    raise ConfigError(f'{parameter.name} = "{text}" must be {word}.') from None
    return text


def table(made: Callable[..., Mesh], arguments: Sequence[str]) -> dict[str, Any]:
    """Values of "key=value" texts of the command line, by key; an unknown key stays, for whoever makes the mesh.

    Raises:
        ConfigError: a text has no "=", a key comes twice, or a value is of another type.
    """
    known, found = {p.name: p for p in parameters(made)}, {}
    for argument in arguments:
        key, sign, text = argument.partition("=")
        key = key.strip()
        if not sign or not key or not text.strip():
            raise ConfigError(
                f'"{argument}" is no argument. Write key=value; {made.__name__} takes {", ".join(known)}.'
            )
        if key in found:
            raise ConfigError(f'"{key}" is given twice. Give it once.')
        found[key] = read(known[key], text) if key in known else text
    return found
