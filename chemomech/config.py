"""Configs: TOML tables whose `kind` names a class of chemomech and whose other keys are its constructor's arguments.

There is no schema besides the Python API. Text such as "11.2 kJ/mol" is a quantity, "material:D" an attribute of the
config's material, "cell_data:angle" a cell array of the mesh.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from . import density, design, fields, materials, protocol
from .density import AbstractFreeEnergy, AbstractPotential, Host, Local, PerCell
from .design import AbstractGoal, AbstractShape
from .equilibrium import solve_equilibrium
from .errors import ChemomechError, ConfigError, FileError
from .fem.constraints import AbstractConstraint
from .fem.mesh import Mesh, box, elevate, rectangle
from .geometry import kinds as geometries
from .images.maps import Map
from .physics import bending, kinematics
from .physics.eigenstrain import AbstractEigenstrain
from .physics.interface import AbstractExchangeCurrent
from .physics.plane_stress import Relaxed
from .physics.stored import summed
from .physics.swelling import AbstractSwelling
from .physics.transport import AbstractMobility, Amount
from .problem import CURVATURES, Problem, State, expand, restrict
from .protocol import AbstractStep, Protocol
from .run import Cursor, Observer, Solution
from .simulate import simulate
from .solve.linear import AbstractLinearSolver
from .solve.newton import AbstractTest, Newton
from .solve.step import AbstractStepper, ErrorControl
from .tensors import Tensor, Vector
from .units import FIELD_UNITS, Scales, parse

MESHES = {"Rectangle": rectangle, "Box": box}
TOP = (
    "title", "material", "mesh", "host", "kinematics", "fields", "potentials", "constraints", "initial", "protocol",
    "stepper", "control", "newton", "output", "quadrature", "two_phase", "scales",
)  # fmt: skip
EXPECTED: dict[str, type] = {
    "psi": AbstractFreeEnergy, "eigenstrain": AbstractEigenstrain, "exchange": AbstractExchangeCurrent,
    "mobility": AbstractMobility, "swelling": AbstractSwelling, "linear": AbstractLinearSolver, "test": AbstractTest,
    "shape": AbstractShape, "goal": AbstractGoal,
}  # fmt: skip
NO_KINDS = (Local, PerCell, Problem, State, Tensor, Vector, Relaxed, design.Experiment)  # modules that no config makes
# Units of arguments that are no declared parameters.
UNITS = {
    **dict.fromkeys(("E", "G", "K", "c11", "c22", "c33", "c44", "c55", "c66", "c12", "c13", "c23"), "Pa"),
    **dict.fromkeys(("lx", "ly", "lz", "origin", "correlation", "length", "base", "centres"), "m"),
    **dict.fromkeys(("dt_min", "dt_max", "dt_start"), "s"),
    **{"nu": "1", "current": "A", "voltage": "V", "U": "V", "angle": "rad", "gamma": "J/m^2", "tau": "N/m"},
    **{"omega": "m^3/mol", "c_max": "mol/m^3"},
}
OWN_UNITS = {("GradientEnergy", "kappa")} | {  # the constructor takes two units and decides, or the word "free"
    (kind, name) for kind in ("Bending", "WireBending") for name in ("axial", "twist", *CURVATURES)
}
FILES = {"Map.read": ("path", "outline"), "Movie": ("path",)}  # arguments that name files, from the config's folder
PLAIN = {"float": (int, float), "int": int, "bool": bool, "str": str}


class Simulation(eqx.Module):
    """Everything that a config says: the problem, its initial state, what is done to it, and how."""

    problem: Problem
    state: State
    protocol: Protocol
    stepper: AbstractStepper
    control: ErrorControl
    newton: Newton
    frames: int = eqx.field(static=True)
    title: str = eqx.field(static=True)
    two_phase: bool = eqx.field(static=True)
    tree: dict[str, Any] = eqx.field(static=True)  # the config with its defaults written out
    source: Path = eqx.field(static=True)
    material: Any = None

    def check_protocol(self) -> None:
        """Refuse a protocol that the problem cannot follow from its initial state.

        Raises:
            ConfigError: what is impossible, and in which step.
        """
        self.protocol.check(volume_mean(self.problem, self.state.c), has_voltage="V" in self.problem.scalars)

    def run(self, observer: Observer | None = None, cursor: Cursor | None = None, keep: bool = True) -> Solution:
        """Simulate the protocol."""
        return simulate(
            self.problem, self.state, self.protocol, stepper=self.stepper, control=self.control, newton=self.newton,
            frames=self.frames, observer=observer, cursor=cursor, keep=keep,
        )  # fmt: skip


def load(path: str | os.PathLike) -> Simulation:
    """Build what a config file says.

    Raises:
        ConfigError: the file cannot be read or contradicts itself; the message names the key.
    """
    return build(read(path), path)


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The tables of a config file.

    Raises:
        ConfigError: the file cannot be read or is no TOML.
    """
    import tomllib

    path = Path(path)
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"Cannot read the config {path}: {error.strerror or error}. Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Check quotes, brackets and commas there.") from None


def build(tree: Mapping[str, Any], source: str | os.PathLike = "config.toml") -> Simulation:
    """A simulation from the tables of a config; `source` is the file that relative paths start from.

    Raises:
        ConfigError: a key is unknown, missing or unsuitable; the message names it and what to try.
    """
    source = Path(source)
    if "sweep" in tree:
        raise ConfigError(f"{source} has a [sweep] table. Run all its cases with chemomech sweep, or take it out.")
    if "optimize" in tree:
        raise ConfigError(f"{source} has an [optimize] table. Run it with chemomech optimize, or take it out.")
    _known_keys(tree, TOP, "")
    for key in ("mesh", "potentials", "initial", "protocol"):
        if key not in tree:
            raise ConfigError(f"The config has no `{key}`. Add it; a config needs mesh, potentials, initial, protocol.")
    title = _text(tree, "title", source.stem)
    material = materials.load(_text(tree, "material", "")) if "material" in tree else None
    bare = tree.get("host") == "dimensionless"
    mesh = _mesh(tree["mesh"], source.parent, bare)
    make = _Maker(material, mesh, bare, folder=source.parent)
    problem = _problem(tree, make)
    control = make.one(tree.get("control", {}), "control", ErrorControl, default="ErrorControl")
    newton = make.one(tree.get("newton", {}), "newton", Newton, default="Newton")
    stepper = make.one(tree.get("stepper", "BDF2"), "stepper", AbstractStepper, default="BDF2")
    steps = Protocol(tuple(make.many(tree["protocol"], "protocol", AbstractStep)))
    frames = _frames(tree.get("output", {}))
    initial = make.one(_uniform(tree["initial"]), "initial", fields.AbstractField)
    state = _initial(problem, initial)
    if isinstance(initial, fields.Equilibrium):
        state = _equilibrium(tree, make, problem, initial)
    two_phase = _flag(tree, "two_phase", separates(problem))
    _number(tree, "quadrature")
    resolved = _resolved(tree, title, problem, stepper, control, newton, frames, two_phase)
    return Simulation(
        problem, state, steps, stepper, control, newton, frames, title, two_phase, resolved, source, material
    )  # fmt: skip


def made(simulation: Simulation, table: Any, where: str, base: type) -> Any:
    """An object of a family, for what a config has built: tables may refer to its material and mesh."""
    bare = simulation.tree.get("host") == "dimensionless"
    make = _Maker(simulation.material, simulation.problem.mesh, bare, folder=simulation.source.parent)
    return make.one(table, where, base)


def separates(problem: Problem) -> bool:
    """Whether the chemical energy has a region of negative curvature: chi > 2 of a regular solution."""
    from .inspection import interaction

    chi = interaction(problem)
    return chi is not None and chi > 2.0


# --- parts of a config --------------------------------------------------------------------------------------------


def _problem(tree: Mapping[str, Any], make: _Maker, *, at_rest: float | None = None) -> Problem:
    """The problem of a config, or with `at_rest` that of its equilibrium at a mean composition."""
    host = _host(tree, make)
    potentials = make.many(tree["potentials"], "potentials", AbstractPotential)
    if at_rest is not None:
        potentials = [*(p for p in potentials if p.stored()), Amount(at_rest)]
    options: dict[str, Any] = {}
    if "kinematics" in tree:
        options["kinematics"] = make.one(tree["kinematics"], "kinematics", kinematics.AbstractKinematics)
    if "fields" in tree:
        options["fields"] = tuple(tree["fields"])
    if "scales" in tree:
        if tree["scales"] != "unit":
            raise ConfigError(f'scales = {tree["scales"]!r} is unknown. Write scales = "unit", or leave it out.')
        options["scales"] = Scales.unit()
    return Problem.build(
        make.mesh, host=host, potentials=potentials, quadrature=_number(tree, "quadrature"),
        constraints=make.many(tree.get("constraints", []), "constraints", AbstractConstraint), **options,
    )  # fmt: skip


def _host(tree: Mapping[str, Any], make: _Maker) -> Host:
    given = tree.get("host")
    if given == "dimensionless":
        return Host.dimensionless()
    if given is not None:
        return make.one(given, "host", Host, default="Host")
    if make.material is None:
        raise ConfigError(
            'The config has no `host`. Add host = {c_max = "22904 mol/m^3"}, a `material`, or host = "dimensionless".'
        )
    return make.material.host


def _mesh(given: Any, folder: Path, bare: bool) -> Mesh:
    table = {"path": given} if isinstance(given, str) else dict(_table(given, "mesh"))
    order = table.pop("order", 1)
    if "path" in table:
        _known_keys(table, ("path", "scale", "order"), "mesh")
        mesh = Mesh.read(folder / table["path"], table.get("scale", 1.0))
    else:
        mesh = meshed(table.pop("kind", None), table, bare=bare)
    if order not in (1, 2):
        raise ConfigError(f"mesh.order = {order!r} must be 1 or 2.")
    return elevate(mesh) if order == 2 and mesh.order == 1 else mesh


def meshed(kind: Any, table: Mapping[str, Any], *, bare: bool = False, save: Path | None = None) -> Mesh:
    """The mesh of a kind: Rectangle, Box or a geometry of gmsh, whose file is kept if asked to.

    Raises:
        ConfigError: the kind or a key is unknown, or a key is missing or unsuitable.
        MeshError: such a geometry cannot be, or gmsh fails.
    """
    known = MESHES | geometries.kinds()
    if kind not in known:
        raise ConfigError(
            f"mesh.kind = {kind!r} is unknown.{_nearest(kind, known)} Give a path, or one of {', '.join(known)}."
        )
    return _Maker(None, None, bare, save).call(known[kind], table, "mesh", kind)


def _uniform(given: Any) -> Any:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return {"kind": "Uniform", "c": given} if is_number else given


def _initial(problem: Problem, field: Any) -> State:
    """The state of an initial composition that respects the constraints; noise keeps its mean over the volume."""
    state = _constrained(problem, problem.state(c=field))
    if isinstance(field, fields.Noise):
        state = _constrained(problem, state.replace(c=state.c + (field.c - volume_mean(problem, state.c))))
    low, high = problem.domain or (-np.inf, np.inf)
    worst = float(state.c.min() if state.c.min() <= low else state.c.max())
    if not np.all((state.c > low) & (state.c < high)):
        raise ConfigError(
            f"initial: the composition {worst:.6g} lies outside ({low:g}, {high:g}), where the free energy is defined. "
            "Choose another composition, such as 0.02, or a smaller amplitude."
        )
    return state


def _equilibrium(tree: Mapping[str, Any], make: _Maker, problem: Problem, initial: fields.Equilibrium) -> State:
    """The composition in which the stored energy is stationary at a given amount of lithium."""
    at_rest = _problem(tree, make, at_rest=initial.c)
    rest = solve_equilibrium(at_rest, at_rest.state(c=initial))
    return _constrained(problem, problem.state(c=rest.c))


def _constrained(problem: Problem, state: State) -> State:
    return problem.unpack(expand(problem, restrict(problem, problem.pack(state))))


def volume_mean(problem: Problem, c: Any) -> float:
    """Mean of a nodal field over the body."""
    from .analysis.stress import integrals

    amount, volume = integrals(problem, jnp.asarray(c))
    return float(amount / volume)


def _frames(output: Any) -> int:
    table = _table(output, "output")
    _known_keys(table, ("frames",), "output")
    frames = table.get("frames", 40)
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 1:
        raise ConfigError(f"output.frames = {frames!r} must be a whole number of at least 1.")
    return frames


def _resolved(tree, title, problem, stepper, control, newton, frames, two_phase) -> dict[str, Any]:
    """The config with defaults written out."""
    return {
        **tree,
        "title": title,
        "kinematics": tree.get("kinematics", {"kind": type(problem.kinematics).__name__}),
        "stepper": tree.get("stepper", {"kind": type(stepper).__name__}),
        "control": tree.get("control", {}) | _plain(control),
        "newton": tree.get("newton", {"linear": _plain(newton.linear)}) | _plain(newton),
        "output": {**tree.get("output", {}), "frames": frames},
        "quadrature": problem.degree,
        "two_phase": two_phase,
    }


def _plain(module: eqx.Module) -> dict[str, Any]:
    """Kind and arguments of a module of plain numbers; times get their unit back."""
    values = {f.name: getattr(module, f.name) for f in dataclasses.fields(module)}
    kept = {k: v for k, v in values.items() if isinstance(v, bool | int | float | str)}
    return {"kind": type(module).__name__} | {
        k: f"{v!r} {UNITS[k]}" if k in UNITS and v != float("inf") else v
        for k, v in kept.items() if v != float("inf")
    }  # fmt: skip


# --- from tables to objects ---------------------------------------------------------------------------------------


class _Maker:
    """Makes objects from tables, with the material and the mesh that texts may refer to, and the folder of files."""

    def __init__(
        self, material: Any, mesh: Mesh | None, bare: bool = False, save: Path | None = None, folder: Path = Path()
    ):
        self.material, self.mesh, self.bare, self.save, self.folder = material, mesh, bare, save, folder

    def many(self, tables: Any, where: str, base: type) -> list[Any]:
        """A list of objects of one family."""
        if isinstance(tables, Mapping):
            raise ConfigError(f"`{where}` is one table; write [[{where}]], with double brackets, once for each.")
        if not isinstance(tables, Sequence) or isinstance(tables, str):
            raise ConfigError(f"`{where}` = {tables!r} must be a list of tables: write [[{where}]].")
        return [self.one(table, f"{where}[{k}]", base) for k, table in enumerate(tables)]

    def one(self, given: Any, where: str, base: type, default: str | None = None) -> Any:
        """One object of a family: a table with `kind`, or the bare name of a class without arguments."""
        given = {"kind": given} if isinstance(given, str) and given in kinds() else given
        if isinstance(given, str) and ":" in given:
            made = self.value(given, where, None)
        else:
            table = dict(_table(given, where))
            kind = table.pop("kind", default)
            made = self.make(kind, table, where, base)
        if not isinstance(made, base):
            raise ConfigError(f"{where} is a {type(made).__name__}, which does not belong there. Use {_family(base)}.")
        return made

    def make(self, kind: Any, table: Mapping[str, Any], where: str, base: type | None = None) -> Any:
        """The object of a kind such as "RegularSolution" or "LinearElastic.isotropic"."""
        if kind is None:
            raise ConfigError(f"{where} has no `kind`. Add one of {_family(base)}.")
        name, _, constructor = str(kind).partition(".")
        if name not in kinds():
            raise ConfigError(f'{where}.kind = "{kind}" is unknown.{_nearest(name, kinds())} Use {_family(base)}.')
        target = kinds()[name]
        if constructor:
            choices = [n for n, v in vars(target).items() if isinstance(v, classmethod) and n[0] != "_"]
            if constructor not in choices:
                raise ConfigError(
                    f'{where}.kind = "{kind}" is unknown.{_nearest(constructor, choices)} '
                    f"{name} can be made by: {', '.join([name, *(f'{name}.{c}' for c in choices)])}."
                )
            target = getattr(target, constructor)
        return self.call(target, table, where, str(kind))

    def call(self, target: Any, table: Mapping[str, Any], where: str, kind: str) -> Any:
        """target(**table) with values made from their text; every failure names the place in the config."""
        parameters = inspect.signature(target).parameters
        # shapes belong to the config's mesh; files of geometries are kept only by the command line
        own = {name: v for name, v in {"mesh": self.mesh, "save": self.save}.items() if name in parameters}
        named = tuple(name for name in parameters if name not in own)
        _known_keys(table, named, where, kind)
        missing = [name for name in named if parameters[name].default is inspect.Parameter.empty and name not in table]
        if missing:
            raise ConfigError(f"{where} ({kind}) lacks `{'`, `'.join(missing)}`. It takes {', '.join(named)}.")
        arguments = own | {
            key: self.argument(value, f"{where}.{key}", key, kind, target, parameters[key], table)
            for key, value in table.items()
        }
        try:
            return target(**arguments)
        except ChemomechError as error:
            raise type(error)(f"{where}: {error}") from None
        except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            raise ConfigError(f"{where} ({kind}) cannot be made: {error}. Check the values of its keys.") from error

    def argument(self, value, where, key, kind, target, parameter, table) -> Any:
        """One constructor argument."""
        if key == "until":
            return self.stops(value, where)
        if key == "psi" and isinstance(value, list):
            return summed([self.one(v, f"{where}[{k}]", AbstractFreeEnergy) for k, v in enumerate(value)])
        if key in EXPECTED and not inspect.isfunction(target):  # the `shape` of a geometry is a word
            return self.one(value, where, EXPECTED[key])
        unit = _unit(target, key, kind, table)
        made = self.value(value, where, unit, keep_text=(kind, key) in OWN_UNITS)
        if key in FILES.get(kind, ()) and isinstance(made, str):
            return str(self.folder / made)
        if unit is None:
            _check_plain(made, parameter, where)
        return float(made) if unit is not None and np.ndim(made) == 0 and isinstance(made, np.generic) else made

    def stops(self, value: Any, where: str) -> dict[str, Any]:
        """Stop events: bare numbers only for those without a unit."""
        table = _table(value, where)
        _known_keys(table, tuple(protocol.STOPS), where)
        return {key: self.value(v, f"{where}.{key}", protocol.STOPS[key]) for key, v in table.items()}

    def value(self, value: Any, where: str, unit: str | None, keep_text: bool = False) -> Any:
        """A plain value: quantities in SI, references resolved, nested tables made."""
        if isinstance(value, str):
            return self.text(value, where, unit, keep_text)
        if isinstance(value, Mapping):
            return self.table(value, where, unit)
        if isinstance(value, list):
            made = [self.value(v, f"{where}[{k}]", unit, keep_text) for k, v in enumerate(value)]
            return made if unit is None or keep_text else np.array(made, dtype=float)
        if unit not in (None, "1") and not self.bare and not isinstance(value, bool):
            raise ConfigError(f'{where} = {value} has a missing unit. Write "{value} {unit}", or another unit of it.')
        return parse(value, unit, name=where) if unit is not None and not keep_text else value

    def text(self, value: str, where: str, unit: str | None, keep_text: bool) -> Any:
        """A reference, a quantity, or just text."""
        head, _, name = value.partition(":")
        if head == "material":
            return self.of_material(name, where)
        if head == "cell_data":
            known = self.mesh.cell_data if self.mesh is not None else {}
            if name not in known:
                raise ConfigError(
                    f"{where}: the mesh has no cell data '{name}'.{_nearest(name, known)} It has: "
                    f"{', '.join(known) or 'none'}."
                )
            return PerCell(np.asarray(known[name], dtype=float))
        return value if unit is None or keep_text else parse(value, unit, name=where)

    def table(self, value: Mapping[str, Any], where: str, unit: str | None) -> Any:
        """A nested table: an object where it has a kind, else a dictionary."""
        if value.get("kind") == "RandomField":
            given = dict(value, mean=float(self.value(value.get("mean", 1.0), f"{where}.mean", unit or "1")))
            field = self.make("RandomField", {k: v for k, v in given.items() if k != "kind"}, where)
            return PerCell(field(self.mesh.centroids()))
        if "kind" in value:
            given = {k: v for k, v in value.items() if k != "kind"}
            inner = {"Course": ("values", unit), "Load": ("value", bending.CONJUGATE.get(unit or ""))}
            key, own = inner.get(value["kind"], ("", None))
            if own is not None and key in given:  # in the unit of what it stands for
                given[key] = self.value(given[key], f"{where}.{key}", own)
                if isinstance(given[key], np.ndarray):
                    given[key] = given[key].tolist()
            return self.make(value["kind"], given, where)
        return {key: self.value(v, f"{where}.{key}", unit) for key, v in value.items()}

    def of_material(self, name: str, where: str) -> Any:
        """An attribute of the config's material."""
        if self.material is None:
            raise ConfigError(f'{where} = "material:{name}", but no material is chosen. Add material = "LiFePO4".')
        try:
            found = getattr(self.material, name)
        except AttributeError as error:
            raise ConfigError(f"{where}: {error}") from None
        if found is None:
            raise ConfigError(f"{where}: no value of `{name}` is known for {self.material.name}. Give your own.")
        return found


@functools.cache
def kinds() -> dict[str, Any]:
    """Every class that a config can name."""
    import chemomech

    exported = {name: getattr(chemomech, name) for name in chemomech.__all__}
    public = {**vars(density), **vars(kinematics), **vars(design), **exported, **vars(fields), "Map": Map}
    return {
        name: v for name, v in public.items()
        if inspect.isclass(v) and issubclass(v, eqx.Module) and not inspect.isabstract(v) and name[0] != "_"
        and not issubclass(v, NO_KINDS)
    }  # fmt: skip


def _family(base: type | None) -> str:
    members = [name for name, v in kinds().items() if base is None or issubclass(v, base)]
    return "one of " + ", ".join(sorted(members)) if len(members) > 1 else "".join(members) or "another kind"


def _known_keys(table: Mapping[str, Any], valid: Sequence[str], where: str, kind: str = "") -> None:
    for key in table:
        if key not in valid:
            place = f"in {where}" + (f" ({kind})" if kind else "") if where else "at the top of the config"
            raise ConfigError(f"Unknown key `{key}` {place}.{_nearest(key, valid)} Valid: {', '.join(valid)}.")


def _nearest(name: Any, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f' Did you mean "{near[0]}"?' if near else ""


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} = {value!r} must be a table: write {where.split('.')[-1]} = {{kind = ...}}.")
    return value


def _unit(target: Any, key: str, kind: str, table: Mapping[str, Any]) -> str | None:
    """The unit of a constructor argument: declared by its class, or known by its name."""
    if kind in ("Fixed", "Pinned") and key == "value":
        return FIELD_UNITS.get(str(table.get("field", "")).split(".")[0])
    if inspect.isfunction(target):
        return geometries.units(target).get(key)
    owner = getattr(target, "__self__", target)
    if dataclasses.is_dataclass(owner):
        declared = {f.name: f.metadata["unit"] for f in dataclasses.fields(owner) if "unit" in f.metadata}
        if key in declared:
            return declared[key]
    return UNITS.get(key)


def _check_plain(value: Any, parameter: inspect.Parameter, where: str) -> None:
    """Plain numbers, flags and words must be of the annotated type."""
    note = parameter.annotation
    note = (note if isinstance(note, str) else getattr(note, "__name__", "")).removesuffix(" | None")
    wanted = PLAIN.get(note)
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
        words = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "text"}
        raise ConfigError(f"{where} = {value!r} must be {words[note]}.")


def _text(tree: Mapping[str, Any], key: str, default: str) -> str:
    value = tree.get(key, default)
    if not isinstance(value, str):
        raise ConfigError(f"{key} = {value!r} must be text in quotes.")
    return value


def _flag(tree: Mapping[str, Any], key: str, default: bool) -> bool:
    value = tree.get(key, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{key} = {value!r} must be true or false.")
    return value


def _number(tree: Mapping[str, Any], key: str) -> int | None:
    value = tree.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(f"{key} = {value!r} must be a positive whole number.")
    return value


def mesh_path(tree: Mapping[str, Any], source: Path) -> Path | None:
    """The mesh file that a config names, if it names one."""
    given = tree["mesh"]
    name = given if isinstance(given, str) else given.get("path")
    return None if name is None else source.parent / name


def relocated(tree: Mapping[str, Any], source: Path, folder: Path) -> dict[str, Any]:
    """The tables of a config with the paths of files relative to the folder that they are written to."""
    tree = {key: _with_files(value, source, folder) for key, value in tree.items()}
    path = mesh_path(tree, source) if "mesh" in tree else None
    if path is None:
        return tree
    relative = _relative(path, folder)
    return {**tree, "mesh": relative if isinstance(tree["mesh"], str) else {**tree["mesh"], "path": relative}}


def _with_files(value: Any, source: Path, folder: Path) -> Any:
    if isinstance(value, list):
        return [_with_files(v, source, folder) for v in value]
    if not isinstance(value, Mapping):
        return value
    files = [key for key in FILES.get(str(value.get("kind")), ()) if isinstance(value.get(key), str)]
    return {
        key: _relative(source.parent / v, folder) if key in files else _with_files(v, source, folder)
        for key, v in value.items()
    }


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def text_for(simulation: Simulation, folder: Path) -> str:
    """The resolved config as TOML, with the paths of files relative to the folder that it is written to."""
    import tomli_w

    return tomli_w.dumps(relocated(simulation.tree, simulation.source, folder))


def require_same_tree(text: str, folder: Path) -> None:
    """An optimisation that goes on must have the config that its folder was started with (but for the title).

    Raises:
        FileError: keys differ.
    """
    import tomllib

    old, new = read(folder / "config.toml"), tomllib.loads(text)
    _refuse([key for key in {*old, *new} if key not in ("title", "output") and old.get(key) != new.get(key)], folder)


def require_same(simulation: Simulation, folder: Path) -> None:
    """A resumed run must have the config that the folder was started with (title and output may differ).

    Raises:
        FileError: keys differ.
    """
    old, new = read(folder / "config.toml"), relocated(simulation.tree, simulation.source, folder)
    free = ("title", "output") if mesh_path(new, simulation.source) is None else ("title", "output", "mesh")
    _refuse([key for key in TOP if key not in free and old.get(key) != new.get(key)], folder)


def _refuse(changed: Sequence[str], folder: Path) -> None:
    if changed:
        raise FileError(
            f"{folder} was started with another config: {', '.join(changed)} differ. "
            "Resume with the config of that folder, or start in a new folder with --out."
        )
