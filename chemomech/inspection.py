"""A problem in words: sets, unknowns, interface width against mesh size, time scales, values and their sources."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .courses import Course
from .density import AbstractFreeEnergy, Host, Local, PerCell, Sum
from .errors import ConfigError
from .evolution import linear_solver
from .fem.mesh import Mesh
from .physics.bending import Load, conjugate
from .physics.kinematics import PlaneStress
from .physics.plane_stress import Relaxed
from .problem import Problem
from .protocol import one_c_current
from .tensors import Tensor, Vector
from .thermo import coherency, phase_diagram
from .units import AbstractQuantity, declared_parameters

Simulation = Any  # a `config.Simulation`, which lies above this layer
FEWEST, ENOUGH = 2.0, 4.0  # cells across an interface
GAPS = 4  # of which the widest is taken


class Interface(NamedTuple):
    """A flat interface between the two phases."""

    poor: float
    rich: float
    width: float  # (rich - poor) over the steepest slope [m]


class Value(NamedTuple):
    """One material value of a problem."""

    path: str
    value: str
    unit: str
    source: str


def blocks_of(simulation: Simulation) -> dict[str, list[tuple[str, str]]]:
    """Titled blocks of (name, text) rows: the problem as it was built."""
    return {
        "mesh": _mesh_rows(simulation.problem.mesh),
        "unknowns": [*_unknown_rows(simulation.problem), ("linear solver", solver_of(simulation))],
        "phases": _phase_rows(simulation),
        "time scales": _time_rows(simulation),
    }


def solver_of(simulation: Simulation) -> str:
    """The linear solver that a run takes, and why."""
    linear, reason = linear_solver(simulation.problem, simulation.newton)
    return f"{type(linear).__name__}: {reason}"


def warnings_of(simulation: Simulation) -> list[str]:
    """What is doubtful about a simulation, one line each.

    Raises:
        ConfigError: a phase-separating problem whose mesh has fewer than 2 cells across the interface.
    """
    problem, found = simulation.problem, []
    if not simulation.two_phase:
        return found
    chi = effective_interaction(problem)
    if chi is not None and chi < 2.0:
        bare, B = interaction(problem), softest_coherency(problem)[0]
        found.append(
            f"chi_eff = {chi:.3g} is below 2 (chi = {bare:.3g} less {bare - chi:.3g} for the coherency modulus "
            f"B_min = {B:.3g} J/m^3): coherent phases will not separate. Lower the misfit, or set two_phase = false."
        )
    wall = interface(problem)
    if wall is None or wall.width <= 0:
        return found
    size = cell_size(problem.mesh)
    cells = wall.width / size
    text = f"the interface is {_length(wall.width)} wide and the largest cell {_length(size)}: {cells:.2g} cells across"
    if cells < FEWEST:
        raise ConfigError(
            f"The mesh is too coarse: {text}, but at least {FEWEST:g} are needed (better {ENOUGH:g}). "
            f"Try cells of {_length(wall.width / ENOUGH)}, a larger kappa, or two_phase = false if c stays uniform."
        )
    if cells < ENOUGH:
        found.append(f"{text}; {ENOUGH:g} or more (cells of {_length(wall.width / ENOUGH)}) resolve it better.")
    return found


# --- phases -------------------------------------------------------------------------------------------------------


def energies(problem: Problem, name: str | None = None) -> AbstractFreeEnergy | None:
    """The sum of the energies of one name that act where phases separate most easily; None if there are none.

    Per-cell parameters are averaged; energies of a cell set add to those of every cell. Those of plane stress are given
    as of a solid: what is minimised over strains out of the plane has no stiffness there.
    """
    return _named(_leading_parts(problem), name)


def _named(parts: tuple[AbstractFreeEnergy, ...], name: str | None) -> AbstractFreeEnergy | None:
    chosen = tuple(part for part in parts if name in (None, part.name))
    return Sum(_averaged(chosen)) if chosen else None


def _leading_parts(problem: Problem) -> tuple[AbstractFreeEnergy, ...]:
    regions = [tuple(map(_solid, parts)) for parts in problem.regions()]
    if len(regions) == 1:
        return regions[0]

    def excess(parts):
        chi = _interaction(problem, _named(parts, "chemical"))
        B = _softest(problem, _named(parts, "elastic"))[0]
        return -np.inf if chi is None else chi - np.nan_to_num(B) / (2 * _thermal(problem))

    return max(regions, key=excess)


def _solid(energy: AbstractFreeEnergy) -> AbstractFreeEnergy:
    return (energy.part or energy.psi) if isinstance(energy, Relaxed) else energy


def _averaged(tree: Any) -> Any:
    def is_per_cell(value):
        return isinstance(value, PerCell)

    return jax.tree.map(lambda v: v.values.mean(axis=0) if is_per_cell(v) else v, tree, is_leaf=is_per_cell)


def interaction(problem: Problem) -> float | None:
    """chi of a regular solution with the same least curvature: 2 - min f'' / (2 R T c_max)."""
    return _interaction(problem, energies(problem, "chemical"))


def _interaction(problem: Problem, chemical: AbstractFreeEnergy | None) -> float | None:
    if chemical is None:
        return None
    curvature = _chemical_curvatures(chemical, problem.host, np.linspace(0.02, 0.98, 97))
    return float(2.0 - jnp.min(curvature) / (2.0 * _thermal(problem)))


def softest_coherency(problem: Problem) -> tuple[float, Float[np.ndarray, "3"]]:
    """Least coherency modulus B over the normals of the problem [J/m^3], and that normal; NaN where it is not known."""
    return _softest(problem, energies(problem, "elastic"))


def _softest(problem: Problem, elastic: AbstractFreeEnergy | None) -> tuple[float, Float[np.ndarray, "3"]]:
    if elastic is None or "u.x" not in problem.fields:
        return 0.0, np.array([1.0, 0.0, 0.0])
    k = coherency.curvatures(elastic, 0.5, problem.host)
    sheet = isinstance(problem.kinematics, PlaneStress)
    B, normal = coherency.softest(k, jnp.asarray(coherency.normals(problem.mesh.dim)), sheet)
    return float(np.maximum(B, 0.0)), np.asarray(normal)


def effective_interaction(problem: Problem) -> float | None:
    """chi_eff = chi - B_min / (2 R T c_max); None where one of the two is not known."""
    chi, B = interaction(problem), softest_coherency(problem)[0]
    return None if chi is None or np.isnan(B) else chi - B / (2.0 * _thermal(problem))


def interface(problem: Problem) -> Interface | None:
    """The flat coherent interface: c' = sqrt(2 g/kappa), g the energy f + B c^2/2 above its common tangent.

    Where B is not known, that of the chemical energy alone.
    """
    chemical, gradient = energies(problem, "chemical"), energies(problem, "gradient")
    if chemical is None or gradient is None:
        return None
    B, n = softest_coherency(problem)
    B = np.nan_to_num(B)
    kappa = float(n @ np.asarray(coherency.curvatures(gradient, 0.5, problem.host).kappa) @ n)
    c = _grid(problem)
    f = np.asarray(_chemical_energies(chemical, problem.host, c)) + 0.5 * B * c**2
    first, last, _ = (np.asarray(v) for v in _chords(c, f, GAPS))
    widest = int(np.argmax(last - first))
    i, j = int(first[widest]), int(last[widest])
    if j - i <= 3 or kappa <= 0:  # an edge of the hull that skips so few points is round-off
        return None
    tangent = f[i] + (f[j] - f[i]) / (c[j] - c[i]) * (c[i : j + 1] - c[i])
    steepest = np.sqrt(2 * np.max(f[i : j + 1] - tangent) / kappa)
    return Interface(float(c[i]), float(c[j]), float((c[j] - c[i]) / steepest))


def _grid(problem: Problem) -> Float[np.ndarray, " n"]:
    if problem.domain == (0.0, 1.0):
        return 1 / (1 + np.exp(-np.linspace(-16, 16, 4001)))
    low, high = problem.domain or (-0.5, 1.5)
    return np.linspace(low, high, 4003)[1:-1]


_chords = eqx.filter_jit(phase_diagram.chords)


@eqx.filter_jit
def _chemical_energies(psi: AbstractFreeEnergy, host: Host, c: Any) -> Any:
    return jax.vmap(lambda v: _homogeneous(psi, host, v))(c)


@eqx.filter_jit
def _chemical_curvatures(psi: AbstractFreeEnergy, host: Host, c: Any) -> Any:
    return jax.vmap(jax.grad(jax.grad(lambda v: _homogeneous(psi, host, v))))(c)


def _homogeneous(psi: AbstractFreeEnergy, host: Host, c: Any) -> Any:
    zero = jnp.zeros(())
    still = Vector(zero, zero, zero)
    return psi(Local({"c": c, "grad_c": still, "H": Tensor(*(zero,) * 9)}, host, still, zero, zero))


def _thermal(problem: Problem) -> float:
    return float(problem.host.RT * problem.host.c_max)


# --- mesh and times -----------------------------------------------------------------------------------------------


def cell_size(mesh: Mesh) -> float:
    """Size of the largest cell: side of the square or cube of which it is the half, the sixth or the whole [m]."""
    parts = {"triangle": 2, "tetra": 6}.get(mesh.cell_type.rstrip("0123456789"), 1)
    return float((parts * mesh.cell_measures().max()) ** (1.0 / mesh.dim)) / mesh.order


def _mesh_rows(mesh: Mesh) -> list[tuple[str, str]]:
    smallest, mean, largest = mesh.edge_lengths()
    facets = [f"{name} ({len(s)} facets)" for name, s in mesh.facet_sets.items()]
    cells = [f"{name} ({len(s)} cells)" for name, s in mesh.cell_sets.items()]
    extent = " x ".join(_length(v) for v in np.ptp(mesh.points, axis=0))
    return [
        ("cells", f"{len(mesh.cells)} {mesh.cell_type}, {len(mesh.points)} nodes, {extent}"),
        ("edges", f"{_length(smallest)} to {_length(largest)}, mean {_length(mean)}"),
        ("sets", ", ".join([*cells, *facets]) or "none; `boundary` is the whole boundary"),
    ]


def _unknown_rows(problem: Problem) -> list[tuple[str, str]]:
    rows = [
        ("fields", ", ".join(problem.fields)),
        ("global scalars", ", ".join(_scalar(problem, name) for name in problem.scalars) or "none"),
        ("free unknowns", str(problem.unknowns)),
        ("kinematics", type(problem.kinematics).__name__),
        ("potentials", ", ".join(type(p).__name__ + (f" on {p.on}" if p.on else "") for p in problem.potentials)),
        ("constraints", ", ".join(_constraint(c) for c in problem.constraints) or "none"),
    ]
    return rows + [("note", note) for note in problem.notes]


def _scalar(problem: Problem, name: str) -> str:
    """A global scalar, and whether it is no unknown or loaded."""
    kinds = {"given": problem.kinematics.values(), "loaded": problem.kinematics.loads()}
    return next((f"{name} ({kind})" for kind, names in kinds.items() if name in names), name)


def _constraint(constraint: Any) -> str:
    words = [getattr(constraint, key, None) for key in ("field", "axis", "on", "node")]
    return f"{type(constraint).__name__}({', '.join(str(w) for w in words if w is not None)})"


def _phase_rows(simulation: Simulation) -> list[tuple[str, str]]:
    problem = simulation.problem
    chi = interaction(problem)
    if chi is None:
        return [("chemical energy", "none")]
    B, n = softest_coherency(problem)
    rows = [("two-phase", "yes" if simulation.two_phase else "no"), ("chi", f"{chi:.4g}")]
    if np.isnan(B):
        rows.append(("B_min", "not known: the elastic energy has no stress-free shape; left out below"))
    else:
        effective = chi - B / (2.0 * _thermal(problem))
        rows.append(("B_min", f"{B:.4g} J/m^3 for a wave along ({', '.join(f'{v:.2f}' for v in n)})"))
        rows.append(("chi_eff", f"{effective:.4g} = chi - B_min/(2 R T c_max); phases separate above 2"))
    wall = interface(problem)
    if wall is not None:
        size = cell_size(problem.mesh)
        rows.append(("coherent phases", f"c = {wall.poor:.4g} and {wall.rich:.4g}"))
        rows.append(("interface width", f"{_length(wall.width)}: {wall.width / size:.3g} cells of {_length(size)}"))
    return rows


def _time_rows(simulation: Simulation) -> list[tuple[str, str]]:
    problem, rows = simulation.problem, []
    size = float(np.ptp(problem.mesh.points, axis=0).max())
    for path, value, _, _ in declared_parameters(problem.potentials):
        name = path.rsplit(".", 1)[-1]
        if name not in ("D", "k0", "i0"):
            continue
        largest = _largest(value)
        if name == "D" and largest > 0:
            rows.append(("diffusion", f"{_time(size**2 / largest)} over {_length(size)} at D = {largest:.3g} m^2/s"))
        elif name != "D" and largest > 0:
            depth = _depth(problem)
            seconds = float(problem.host.c_max * problem.host.faraday) * depth / largest
            rows.append(("reaction", f"{_time(seconds)} to fill at {largest:.3g} A/m^2, {_length(depth)} per face"))
    sites = float(problem.host.c_max) * _volume(problem)
    if "V" in problem.scalars:
        rows.append(("1 C current", f"{one_c_current(float(problem.host.faraday), sites):.4g} A"))
    for number, step in enumerate(simulation.protocol.steps, 1):
        stops = ", ".join(f"{k} = {v:g}" for k, v in step.until)
        rate = f" at {step.c_rate:g} C, {_time(3600 / step.c_rate)} for all" if getattr(step, "c_rate", None) else ""
        volts = f" at {step.voltage:g} V" if getattr(step, "voltage", None) is not None else ""
        rows.append((f"step {number}", f"{step.kind}{rate}{volts}, until {stops}"))
    return rows


def _volume(problem: Problem) -> float:
    from .analysis.stress import integrals

    return float(integrals(problem, jnp.zeros(len(problem.mesh.points)))[1]) * problem.scales.of("m^3")


def _depth(problem: Problem) -> float:
    """Volume behind each area of reacting face [m]."""
    for p in problem.potentials:
        if getattr(p, "thickness", None) is not None:
            return float(p.thickness) / 2
    return problem.mesh.measure() ** (1 / problem.mesh.dim) / (2 * problem.mesh.dim)


# --- values -------------------------------------------------------------------------------------------------------


def values_of(simulation: Simulation) -> list[Value]:
    """Every declared number of a simulation and where it comes from."""
    problem = simulation.problem
    tables = {"host": problem.host, "potentials": problem.potentials, "kinematics": problem.kinematics}
    return [
        Value(path, _written(value), _unit(value, unit), _source(simulation.material, path, value))
        for head, tree in tables.items() for path, value, unit, _ in _rows(head, tree)
    ]  # fmt: skip


def _rows(head: str, tree: Any) -> list[tuple[str, Any, str, str]]:
    return [(f"{head}.{path}", value, unit, doc) for path, value, unit, doc in declared_parameters(tree)]


def _unit(value: Any, unit: str) -> str:
    unit = conjugate(unit) if isinstance(value, Load) else unit
    return "" if unit == "1" else unit


def _source(material: Any, path: str, value: Any) -> str:
    """Where a number comes from: the row of the material's table if it is the material's, else the config."""
    name = path.rsplit(".", 1)[-1]
    if name in ("gas_constant", "faraday"):
        return "CODATA"
    known = {p.rsplit(".", 1)[-1]: v for p, v, _, _ in declared_parameters(material)} if material is not None else {}
    if isinstance(value, PerCell) or name not in known or np.shape(known[name]) != np.shape(value):
        return "config or default"
    if not np.allclose(np.asarray(known[name]), np.asarray(value), rtol=1e-12):
        return "config or default"
    row = next((r for r in material.table if r.symbol == name), None)
    return f"{material.name}: {row.source} [{row.mark}]" if row else f"{material.name}"


def _written(value: Any) -> str:
    if isinstance(value, PerCell):
        v = np.asarray(value.values)
        return f"{v.min():.4g} to {v.max():.4g}, mean {v.mean():.4g}, by cell"
    if isinstance(value, AbstractQuantity):
        return _in_words(value)
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{float(array):.6g}"
    if array.shape == (6, 6):
        pairs = [(i, j) for i in range(6) for j in range(i, 6) if array[i, j] != 0]
        return ", ".join(f"c{i + 1}{j + 1} = {array[i, j]:.4g}" for i, j in pairs)
    return ", ".join(f"{v:.4g}" for v in array.ravel())


def _in_words(value: AbstractQuantity) -> str:
    if isinstance(value, Course):
        moments = zip(np.asarray(value.values), np.asarray(value.times), strict=True)
        return "; ".join(f"{_written(v)} at {float(t):.6g} s" for v, t in moments)
    return f"load {_written(value.value)}" if isinstance(value, Load) else "free"


def _largest(value: Any) -> float:
    return float(np.max(np.asarray(value.values if isinstance(value, PerCell) else value)))


def _length(metres: float) -> str:
    for unit, size in (("m", 1.0), ("mm", 1e-3), ("um", 1e-6), ("nm", 1e-9)):
        if metres >= size or unit == "nm":
            return f"{metres / size:.3g} {unit}"
    return ""


def _time(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            return f"{seconds / size:.3g} {unit}"
    return ""
