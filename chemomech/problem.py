"""Space + potentials + constraints + scales: the residual, tangent and energy ledger of one electrode."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .courses import Course, moments, value_at
from .density import AbstractFreeEnergy, AbstractPotential, Host, Local, PerCell
from .errors import ChemomechError
from .fem import assembly, domain
from .fem.assembly import Border, Pattern, Term
from .fem.constraints import AbstractConstraint, Fixed, Lift, build_lift, values_taken
from .fem.elements import DEFAULT_DEGREE
from .fem.mesh import Mesh
from .fem.slices import Slicing, chunks, over_chunks, over_slices, summed
from .physics.interface import ButlerVolmer
from .physics.kinematics import AXES, AbstractKinematics, PlaneStrain, Solid
from .physics.stored import Stored
from .physics.together import check_together
from .tensors import IDENTITY, Sym, Tensor, Vector
from .units import FIELD_UNITS, Scales

CURVATURES = ("curvature", "curvature_x", "curvature_y", "curvature_z", "twist")
SCALAR_UNITS = {"V": "V", "mu_mean": "J/mol", **dict.fromkeys(CURVATURES, "1/m")}
MOTION = "fixed_"  # how the global scalar of a `Fixed` that moves is called, before its number among the constraints
Packed = tuple[Float[Array, "fields n"], Float[Array, " m"]]


class State(eqx.Module):
    """Nodal fields and global scalars in SI: `state.c`, `state.mu` [J/mol], `state.u` [m], `state.V` [V]."""

    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "values":
            raise AttributeError(name)
        try:
            return self.values[name]
        except KeyError:
            raise ChemomechError(f"The state has no '{name}'; it has {', '.join(self.values)}.") from None

    def replace(self, **values: Any) -> State:
        """A copy with some values exchanged."""
        return State({**self.values, **values})


class Drive(eqx.Module):
    """What acts on the global scalars: a prescribed value, or a load (current [A] for V, force [N] for a strain)."""

    prescribed: Array  # bool, one per scalar
    value: Float[Array, " m"]  # scaled: the value where prescribed, else the load


class Motion(eqx.Module):
    """The course that the values of a `Fixed` follow: a global scalar, prescribed at every time."""

    course: Course  # SI
    name: str = eqx.field(static=True)
    size: float = eqx.field(static=True)  # of one scaled unit, in SI


class Density(eqx.Module):
    """The sum of some potentials as a function of plain point values, in scaled numbers."""

    fields: tuple[str, ...] = eqx.field(static=True)
    scalars: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, now, frozen, rate, prev, x, normal, t, dt, parameters):
        """Density times the kinematics' weight."""
        potentials, host, kinematics = parameters
        states = [self.local(s, x, normal, t, dt, host, kinematics) for s in (now, frozen, rate, prev)]
        total = sum(p.density(*states) for p in potentials)
        return kinematics.weight(Vector(*x)) * total

    def local(self, point, x, normal, t, dt, host, kinematics) -> Local:
        """One point's values as densities see them."""
        position = Vector(*x)
        values = kinematics.embed(
            dict(zip(self.fields, point[0], strict=True)), dict(zip(self.scalars, point[1], strict=True)), position
        )
        if normal is not None:
            values["normal"] = Vector(*normal)
        return Local(values, host, position, t, dt)


class Problem(eqx.Module):
    """A discretised electrode: everything that a time step needs, with materials as SI leaves.

    Build it with `Problem.build`. Unknowns are nodal fields and a few global scalars (cell voltage, mean strains).
    """

    mesh: Mesh
    host: Host
    potentials: tuple[AbstractPotential, ...]
    kinematics: AbstractKinematics
    constraints: tuple[AbstractConstraint, ...]
    scales: Scales
    fields: tuple[str, ...] = eqx.field(static=True)
    scalars: tuple[str, ...] = eqx.field(static=True)
    terms: tuple[Term, ...]
    members: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    lift: Lift
    pattern: Pattern
    notes: tuple[str, ...] = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    slicing: Slicing = eqx.field(static=True, default=Slicing())
    motions: tuple[Motion, ...] = ()
    length: Any = None  # along the axis that the body is bent about [m]

    @classmethod
    def build(
        cls, mesh: Mesh, *, host: Host, potentials: Sequence[AbstractPotential],
        kinematics: AbstractKinematics | None = None, constraints: Sequence[AbstractConstraint] = (),
        fields: Sequence[str] = ("c", "mu", "u"), scales: Scales | None = None, quadrature: int | None = None,
    ) -> Problem:  # fmt: skip
        """Discretise potentials on a mesh.

        Args:
            mesh: cells and named sets; its order is the order of the fields.
            host: site density and temperature.
            potentials: terms of the incremental potential of a step.
            kinematics: default `PlaneStrain()` in two dimensions, `Solid()` in three.
            constraints: Dirichlet, tied and periodic conditions.
            fields: candidates; a field that no potential varies is left out.
            scales: default: lengths over the mesh size, time over an hour, energies over R T c_max.
            quadrature: polynomial degree integrated exactly; default 2 for linear, 4 or 5 for quadratic simplices.

        Raises:
            ChemomechError: float64 is off, a set is missing, constraints clash, an energy is not homogeneous, or a
                number is being differentiated.
            ConfigError: parts do not go together (`check_together`).
        """
        if not jax.config.jax_enable_x64:
            raise ChemomechError(
                "chemomech computes in float64, which JAX has switched off. "
                'Call jax.config.update("jax_enable_x64", True) before building a problem, or set JAX_ENABLE_X64=1.'
            )
        if any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves((host, potentials, kinematics, constraints))):
            raise ChemomechError(
                "A problem is built from plain numbers, not within what is differentiated. Build it before and "
                "exchange its numbers there: eqx.tree_at(lambda p: p.host.T, problem, value), values of Fixed by "
                "`problem.with_fixed(which, value)`, places of nodes by `problem.moved(points)`."
            )
        kinematics = kinematics or (PlaneStrain() if mesh.dim == 2 else Solid())
        if kinematics.dim != mesh.dim:
            raise ChemomechError(
                f"{type(kinematics).__name__} is for {kinematics.dim}-D meshes; this mesh is {mesh.dim}-D."
            )
        _check_places(mesh, potentials)
        check_together(mesh.dim, potentials, kinematics)
        potentials = tuple(_relaxed(p, kinematics) for p in _merged(potentials))
        size = float(np.ptp(mesh.points, axis=0).max())
        scales = scales or Scales.natural(size, 3600.0, host)
        degree = DEFAULT_DEGREE[mesh.cell_type] if quadrature is None else quadrature
        _check_homogeneous(potentials, host, scales)
        names = _components(fields, mesh.dim)
        scalars = tuple(dict.fromkeys((*(s for p in potentials for s in p.scalars()), *kinematics.scalars)))
        motions = tuple(
            Motion(c.motion()[0], f"{MOTION}{k}", scales.of(c.motion()[1]))
            for k, c in enumerate(constraints) if isinstance(c, Fixed) and c.moves
        )  # fmt: skip
        moving = tuple(m.name for m in motions)
        scalars = (*scalars, *moving)
        domains, members = _domains(mesh, potentials, scales, degree)
        raw = (potentials, host, kinematics)
        while True:
            terms = _analyse(raw, scales, domains, members, names, scalars)
            kept, kept_scalars = _used(terms, names, scalars, mesh.dim, moving)
            if (kept, kept_scalars) == (names, scalars):
                break
            names, scalars = kept, kept_scalars
        rows = {name: k for k, name in enumerate(names)}
        sizes = np.array([_field_scale(name, scales) for name in names])
        rigid = {"modes": kinematics.rigid_modes} if "u.x" in rows else None
        lift, notes = build_lift(mesh, rows, tuple(constraints), sizes, rigid)
        lift = _over_scales(lift, constraints, sizes)
        if kinematics.bending is not None and set(kinematics.bending.parts) & set(scalars):
            _check_ends(mesh, lift, rows, kinematics.bending)
        pairs = sorted({pair for term in terms for pair in _coupled(term, len(names))})
        pattern = assembly.build_pattern(mesh, lift, pairs)
        arrays = jax.tree.map(jnp.asarray, (host, potentials, kinematics))
        return cls(
            mesh, arrays[0], arrays[1], arrays[2], tuple(constraints), scales, names, scalars, terms, members, lift,
            pattern, tuple(notes), degree, motions=jax.tree.map(jnp.asarray, motions),
            length=_length(kinematics, jnp.asarray(mesh.points)),
        )  # fmt: skip

    def kernel(self, budget: float | None = None) -> Problem:
        """A copy with what compiled functions need, and nothing else: all its leaves are arrays on the device.

        Args:
            budget: what such a function may hold at quadrature points and in element matrices; default:
                `slices.default_budget()` [byte].
        """
        slicing = Slicing(chunks(self.terms, budget))
        lean = dataclasses.replace(self, mesh=None, constraints=(), slicing=slicing)  # pyright: ignore
        return jax.tree.map(jnp.asarray, lean)

    def moved(self, points: Float[Array, "n dim"]) -> Problem:
        """The same problem with its nodes elsewhere; differentiable with respect to them.

        Cells, unknowns and constraints stay what they are: values that were given as functions of the points too.

        Args:
            points: new coordinates of all nodes [m].

        Raises:
            ChemomechError: there are more or fewer points than nodes.
            MeshError: a cell is turned inside out.
        """
        if jnp.shape(points) != self.mesh.points.shape:
            raise ChemomechError(f"moved: {jnp.shape(points)} coordinates for nodes of {self.mesh.points.shape}.")
        mesh = self.mesh.moved(np.asarray(jax.lax.stop_gradient(points)))
        places = _domains(mesh, self.potentials, self.scales, self.degree, points)[0]
        terms = tuple(
            eqx.tree_at(lambda t: t.domain, term, made) for term, made in zip(self.terms, places, strict=True)
        )
        length = _length(self.kinematics, jnp.asarray(points))
        return dataclasses.replace(self, mesh=mesh, terms=terms, length=length)

    def with_fixed(self, which: int, value: float | str | Callable | Course | Float[Array, " nodes"]) -> Problem:
        """The same problem with another value of one `Fixed`; differentiable with respect to it.

        Args:
            which: its number among the constraints that the problem was built with.
            value: one number, or one for each node of its set [SI]; text with a unit, or a function of the points [m].
                Of a `Fixed` that follows a `Course` another one of these.

        Raises:
            ChemomechError: there is no such `Fixed`, another constraint holds its nodes too, or the number of values is
                not that of its nodes.
        """
        if not (0 <= which < len(self.constraints) and isinstance(self.constraints[which], Fixed)):
            known = [k for k, c in enumerate(self.constraints) if isinstance(c, Fixed)]
            raise ChemomechError(
                f"with_fixed: constraint {which} is no Fixed. Use one of {known or 'none: build some'}."
            )
        moves = self.constraints[which].moves
        if moves != isinstance(value, Course):
            raise ChemomechError(
                f"with_fixed: constraint {which} {'follows' if moves else 'does not follow'} a Course, what it is to "
                f"have {'does not' if moves else 'does'}. Build the problem with the kind that it is to have."
            )
        if isinstance(value, Course):
            return self._with_course(which, value)
        rows = {name: k for k, name in enumerate(self.fields)}
        concrete = isinstance(value, str) or callable(value)
        now = value if concrete else np.asarray(jax.lax.stop_gradient(value))
        held = dataclasses.replace(self.constraints[which], value=now)
        links = held.links(self.mesh, rows)
        constraints = (*self.constraints[:which], held, *self.constraints[which + 1 :])
        number = values_taken(self.mesh, rows, constraints, which)
        every = links.values if concrete else jnp.asarray(value, float)
        if every.ndim:  # the same for all components
            every = jnp.tile(every, len(links.values) // len(every))
        sizes = np.repeat([_field_scale(name, self.scales) for name in self.fields], len(self.mesh.points))
        values = jnp.broadcast_to(every, links.values.shape)[number] / sizes
        offset = jnp.where(number >= 0, values, self.lift.offset)
        return dataclasses.replace(self, constraints=constraints, lift=dataclasses.replace(self.lift, offset=offset))

    def _with_course(self, which: int, course: Course) -> Problem:
        held = self.constraints[which]
        part = "value" if held.course is None else "course"
        course = course.parsed(held.motion()[1], "with_fixed")
        plain = jax.tree.map(lambda v: np.asarray(jax.lax.stop_gradient(v)), course)
        constraints = list(self.constraints)
        constraints[which] = dataclasses.replace(held, **{part: plain})
        motions = [
            dataclasses.replace(m, course=course) if m.name == f"{MOTION}{which}" else m for m in self.motions
        ]  # fmt: skip
        return dataclasses.replace(self, constraints=tuple(constraints), motions=tuple(motions))

    def backward(self) -> Problem:
        """For a function that is differentiated in reverse, and only so: cheaper there."""
        domains = [dataclasses.replace(term.domain, backward=True) for term in self.terms]
        terms = [eqx.tree_at(lambda t: t.domain, t, made) for t, made in zip(self.terms, domains, strict=True)]
        return dataclasses.replace(self, terms=tuple(terms))

    def window(self, k: Any) -> Problem:
        """The k-th chunk of its cells."""
        terms = [eqx.tree_at(lambda t: t.domain, t, t.domain.window(k, self.slicing.chunks)) for t in self.terms]
        return dataclasses.replace(self, terms=tuple(terms), slicing=Slicing())

    @property
    def unknowns(self) -> int:
        """Number of free unknowns, global scalars included."""
        return self.lift.size + len(self.scalars)

    def balance(self) -> tuple[Any, Any] | None:
        """Uniform composition and voltage, against total lithium and total current: rows (k, unknowns) of 0 and 1.

        An iterative solve that leaves no residual there conserves lithium to round-off.
        """
        if not {"c", "mu"} <= set(self.fields):
            return None
        n, index = len(self.mesh.points), np.asarray(self.lift.index)
        trial, test = np.zeros((2, self.unknowns)), np.zeros((2, self.unknowns))
        for row, name in ((trial[0], "c"), (test[0], "mu")):
            k = self.fields.index(name)
            free = index[k * n : (k + 1) * n]
            row[free[free < self.lift.size]] = 1.0
        if "V" in self.scalars:
            trial[1, self.lift.size + self.scalars.index("V")] = 1.0
            test[1] = trial[1]
        kept = 2 if "V" in self.scalars else 1
        return (trial[:kept], test[:kept]) if trial[0].any() else None

    def regions(self) -> list[tuple[AbstractFreeEnergy, ...]]:
        """Stored energies of each region: those of every cell, with those of each cell set that has its own."""
        on_cells = [p for p in self.potentials if p.on is None or p.on in self.mesh.cell_sets]
        names = dict.fromkeys(p.on for p in on_cells if p.on is not None and p.stored())
        return [
            tuple(energy for p in on_cells if p.on in (None, name) for energy in p.stored()) for name in names or [None]
        ]

    @property
    def domain(self) -> tuple[float, float] | None:
        """Open interval that c must stay in, from the free energies."""
        bounds = [t.domain for p in self.potentials for t in p.stored() if t.domain is not None]
        return (max(b[0] for b in bounds), min(b[1] for b in bounds)) if bounds else None

    # --- states -------------------------------------------------------------------------------------------------

    def uniform(self, c: float = 0.0) -> State:
        """A state of uniform composition, with every other unknown zero."""
        return self.state(c=c) if "c" in self.fields else self.state()

    def state(self, **values: Any) -> State:
        """A state from SI values: numbers, nodal arrays, or functions of the points [m]; the rest is zero."""
        n, out = len(self.mesh.points), {}
        for name in dict.fromkeys(f.split(".")[0] for f in self.fields):
            shape = (n, self.mesh.dim) if name == "u" else (n,)
            value = values.pop(name, 0.0)
            value = value(self.mesh.points) if callable(value) else value
            out[name] = np.array(np.broadcast_to(np.asarray(value, float), shape))
        out.update({name: np.float64(values.pop(name, 0.0)) for name in self.scalars})
        if values:
            raise ChemomechError(f"The problem has no {', '.join(values)}; its unknowns are {', '.join(out)}.")
        return State(out)

    def pack(self, state: State) -> Packed:
        """Scaled arrays of a state, as the residual takes them."""
        columns = [state.values[f] if "." not in f else state.u[:, AXES.index(f[-1])] for f in self.fields]
        Z = jnp.stack(
            [jnp.asarray(v) / _field_scale(f, self.scales) for f, v in zip(self.fields, columns, strict=True)]
        )
        s = [jnp.asarray(state.values[name]) / self._scalar_scale(name) for name in self.scalars]
        return Z, jnp.stack(s) if s else jnp.zeros(0)

    def unpack(self, packed: Packed) -> State:
        """The SI state of scaled arrays: NumPy's, and plain numbers."""
        values = self.in_SI((np.asarray(packed[0]), np.asarray(packed[1]))).values
        return State({name: float(v) if name in self.scalars else v for name, v in values.items()})

    def in_SI(self, packed: Packed) -> State:
        """The same of the arrays that are given, JAX's too: differentiable."""
        Z, s = packed
        rows = {f: Z[k] * _field_scale(f, self.scales) for k, f in enumerate(self.fields)}
        out: dict[str, Any] = {f: v for f, v in rows.items() if "." not in f}
        if "u.x" in rows:
            xp = np if isinstance(Z, np.ndarray) else jnp
            out["u"] = xp.stack([v for f, v in rows.items() if f.startswith("u.")], axis=1)
        return State(out | {name: s[k] * self._scalar_scale(name) for k, name in enumerate(self.scalars)})

    def drive(self, **given: tuple[str, float]) -> Drive:
        """What acts on the global scalars, e.g. drive(V=("load", current [A])) or drive(V=("value", 3.4)).

        What kinematics and constraints give or load comes on top.
        """
        given = dict.fromkeys((*self.kinematics.values(), *(m.name for m in self.motions)), ("value", 0.0)) | given
        prescribed = np.array([given.get(name, ("load", 0.0))[0] == "value" for name in self.scalars], bool)
        sizes = [
            self._scalar_scale(name) if fix else self.load_scale(name)
            for name, fix in zip(self.scalars, prescribed, strict=True)
        ]
        value = [given.get(name, ("load", 0.0))[1] / size for name, size in zip(self.scalars, sizes, strict=True)]
        return Drive(jnp.asarray(prescribed), jnp.asarray(value, dtype=float))

    def _scalar_scale(self, name: str) -> float:
        sizes = {m.name: m.size for m in self.motions}
        return sizes[name] if name in sizes else self.scales.of(SCALAR_UNITS.get(name, "1"))

    def load_scale(self, name: str) -> float:
        """Size of what is conjugate to a global scalar, in SI: a current to a voltage, a work to a strain."""
        return self.scales.of("A") if name == "V" else self.scales.of("J") / self._scalar_scale(name)

    @property
    def acted(self) -> tuple[str, ...]:
        """Global scalars that kinematics or constraints give a value to, or a load."""
        named = {*self.kinematics.values(), *self.kinematics.loads(), *(m.name for m in self.motions)}
        return tuple(name for name in self.scalars if name in named)

    def acting(self, t: Any) -> Float[Array, " m"]:
        """What kinematics and constraints give to the global scalars, or load them with, at a scaled time; scaled."""
        kinematics = self.scales.apply(self.kinematics)
        found = {name: value_at(value, t) for name, value in kinematics.values().items()}
        for name, load in kinematics.loads().items():
            found[name] = value_at(load, t) * self.length / self.scales.length
        found |= {m.name: m.course(t * self.scales.of("s")) / m.size for m in self.motions}
        return jnp.stack([jnp.asarray(found.get(name, 0.0), float) for name in self.scalars])

    def moments(self) -> Float[np.ndarray, " n"]:
        """When courses of time have a kink [s]."""
        return moments((self.potentials, self.kinematics, self.motions))

    # --- residual and tangent -----------------------------------------------------------------------------------

    def parameters(self) -> list[Any]:
        """Scaled parameters of each term, per-cell values sliced to its domain."""
        raw = self.scales.apply((self.potentials, self.host, self.kinematics))
        return [per_domain(raw, member, term.domain) for term, member in zip(self.terms, self.members, strict=True)]

    def energy(self, state: State) -> dict[str, float]:
        """Stored energy by name [J]; no multipliers, no lagged terms."""
        scale = self.scales.of("J")
        return {name: float(v) * scale for name, v in evaluated(self, ledger, self.pack(state)).items()}


@functools.lru_cache(maxsize=128)
def compiled(function: Callable, structure: Any) -> Callable:
    """A jitted kernel whose problem arrives as a flat list of arrays: the cheapest call that JAX has."""

    @functools.wraps(function)  # profiles and logs of compilation show its name
    def kernel(leaves, *args):
        return function(jax.tree.unflatten(structure, leaves), *args)

    return jax.jit(kernel)


def evaluated(problem: Problem, function: Callable, *args: Any) -> Any:
    """function(problem, *args), compiled once for all problems of the same structure."""
    leaves, structure = jax.tree.flatten(problem.kernel())
    return compiled(function, structure)(leaves, *args)


def residual(problem: Problem, x, rate: Packed, prev: Packed, t, dt, drive: Drive) -> Float[Array, " N"]:
    """Reduced residual: nodal rows, then one row for each global scalar."""
    now = expand(problem, x)

    def add(part, total):
        return assembly.residual(part.terms, part.parameters(), now, rate, prev, t, dt, total)

    fields, n = now[0].shape
    R, r = over_slices(problem, add, assembly.no_residual(fields, n, len(now[1])))
    value = acting(problem, drive, t)
    loaded = r - value * jnp.where(_rated(problem), dt, 1.0)
    r = jnp.where(drive.prescribed, now[1] - value, loaded)
    return jnp.concatenate([problem.lift.reduce(jnp.concatenate(R)), r])


def action(
    problem: Problem, x, multiplier: Float[Array, " N"], rate: Packed, prev: Packed, t, dt, drive: Drive
) -> Float[Array, ""]:  # fmt: skip
    """The multiplier times the residual, as a derivative of the potential along it: a scalar with a cheap gradient."""
    now, n = expand(problem, x), problem.lift.size
    shape, along = now[0].shape, multiplier[n:]
    moved = problem.lift.increment(multiplier[:n]).reshape(shape), jnp.where(drive.prescribed, 0.0, along)

    def part_of(part):
        return assembly.directional(part.terms, part.parameters(), now, moved, rate, prev, t, dt)

    value = acting(problem, drive, t)
    load = value * jnp.where(_rated(problem), dt, 1.0)
    row = jnp.where(drive.prescribed, now[1] - value, -load)
    return summed(problem, part_of) + jnp.sum(along * row)


def acting(problem: Problem, drive: Drive, t) -> Float[Array, " m"]:
    """The values of prescribed global scalars and the loads on the others, at a scaled time."""
    return drive.value + problem.acting(t) if problem.acted else drive.value


def constants(problem: Problem, now: Packed) -> tuple[assembly.Values, assembly.Values]:
    """The parts A and B of the tangent A + dt B + varying."""

    def add(part, total):
        return assembly.constant(part.terms, part.parameters(), problem.pattern, problem.lift, now, total)

    zero = assembly.no_values(problem.pattern, len(now[1]))
    return over_slices(problem, add, (zero, zero))


def tangent(problem: Problem, parts, x, rate: Packed, prev: Packed, t, dt, drive: Drive) -> assembly.Values:
    """Its derivative, both slots differentiated, from the constant parts: values of the pattern and the border."""
    now = expand(problem, x)

    def add(part, total):
        lift = problem.lift
        return assembly.varying(part.terms, part.parameters(), part.pattern, lift, now, rate, prev, t, dt, total)

    C = over_slices(problem, add, assembly.no_values(problem.pattern, len(now[1])))
    A, B = parts
    data, border = assembly.combine(A, B, C, dt)
    return data, driven(border, drive)


def driven(border: Border, drive: Drive) -> Border:
    """The border where the residual's row of a prescribed scalar is its distance from the given value."""
    fixed = drive.prescribed[:, None]
    row = jnp.where(fixed, 0.0, border.row)
    return Border(border.column, row, jnp.where(fixed, jnp.eye(len(drive.value)), border.corner))


def expand(problem: Problem, x: Float[Array, " N"]) -> Packed:
    """Reduced unknowns to all nodal values and scalars."""
    n = problem.lift.size
    motions = x[x.shape[0] - len(problem.motions) :]  # the last of the scalars
    Z = problem.lift.expand(x[:n], motions).reshape(len(problem.fields), -1)
    return Z, x[n:]


def restrict(problem: Problem, packed: Packed) -> Float[Array, " N"]:
    """All nodal values and scalars to reduced unknowns."""
    return jnp.concatenate([problem.lift.restrict(packed[0].ravel()), packed[1]])


def ledger(problem: Problem, now: Packed) -> dict[str, Any]:
    """Scaled stored energy of each named part, summed over domains."""

    def add(part, total):
        for term, params in zip(part.terms, part.parameters(), strict=True):
            total = with_energies(total, term, params, densities_and_stress(part, term, params, now)[0])
        return total

    return over_slices(problem, add, no_energy(problem))


def no_energy(problem: Problem) -> dict[str, Any]:
    """Zeros to add to."""
    return {energy.name: jnp.zeros(()) for p in problem.potentials for energy in p.stored()}


def with_energies(total: dict[str, Any], term: Term, params: Any, densities) -> dict[str, Any]:
    """A ledger with the (name, density) pairs of a term integrated and added."""
    weight, out = term.domain.weight * params[2].weight(Vector(*term.domain.x)), dict(total)
    for name, density in densities:
        out[name] = out[name] + jnp.sum(weight * density)
    return out


def densities_and_stress(problem: Problem, term: Term, params: Any, now: Packed):
    """Stored energies of a term at its points, (name, density), and its part of Cauchy's stress, if any."""
    s, shape = _local(problem, term, params, now), term.domain.weight.shape
    energies = [energy for p in params[0] for energy in p.stored()]

    if not has_stress(problem, term, params[0]):
        return [(energy.name, jnp.broadcast_to(energy(s), shape)) for energy in energies], None
    H = jax.tree.map(lambda a: jnp.broadcast_to(jnp.asarray(a, float), shape), _dense(s.H))

    def total(small, finite):
        at = {False: s.replace(H=small), True: s.replace(H=finite)}
        found = [jnp.broadcast_to(energy(at[energy.finite]), shape) for energy in energies]
        return sum(map(jnp.sum, found)), found

    (slope, piola), found = jax.grad(total, argnums=(0, 1), has_aux=True)(H, H)
    sigma = slope.sym
    if any(energy.finite for energy in energies):
        sigma = sigma + _cauchy(piola, H)
    stress = (sigma.xx, sigma.yy, sigma.zz, sigma.yz, sigma.xz, sigma.xy)
    return [(energy.name, density) for energy, density in zip(energies, found, strict=True)], stress


def _cauchy(P: Tensor, H: Tensor) -> Sym:
    """P F^T / det F, the force per deformed area of Piola's P = d psi / d F."""
    F = H + IDENTITY.full
    product = [[sum(a * b for a, b in zip(p, f, strict=True)) for f in F.rows()] for p in P.rows()]
    return Tensor(*(v for row in product for v in row)).sym / F.det


def has_stress(problem: Problem, term: Term, potentials: Sequence[AbstractPotential]) -> bool:
    """Whether a term with these potentials stores energy in cells that deform."""
    return "u.x" in problem.fields and term.domain.normal is None and any(p.stored() for p in potentials)


def stress_at_points(problem: Problem, now: Packed) -> Float[Array, "6 q cells"]:
    """Scaled Cauchy stress at the quadrature points of all cells (xx yy zz yz xz xy); parts of terms add up."""

    def add(part, total):
        for term, params in zip(part.terms, part.parameters(), strict=True):
            stress = densities_and_stress(part, term, params, now)[1]
            if stress is not None:
                fresh = jnp.where(term.domain.weight > 0, jnp.stack(stress), 0.0)
                total = total.at[:, :, term.domain.cell].add(fresh)
        return total

    start = jnp.zeros((6, len(_cell_term(problem).domain.x[0]), problem.pattern.node_pair.shape[2]))
    return over_chunks(problem, add, start)


def _cell_term(problem: Problem) -> Term:
    return next(term for term in problem.terms if term.domain.normal is None)


def _dense(H: Tensor) -> Tensor:
    return Tensor(*(getattr(H, a + b) for a in AXES for b in AXES))


def _local(problem, term, params, now) -> Local:
    point = assembly.evaluate(term, *now)
    x = list(term.domain.x)
    normal = None if term.domain.normal is None else list(term.domain.normal)
    zero = jnp.zeros(())
    return term.density.local(point, x, normal, zero, zero, params[1], params[2])


# --- construction -------------------------------------------------------------------------------------------------


def _check_places(mesh: Mesh, potentials) -> None:
    """A density per area acts on facets, one per volume on cells: the wrong place is wrong by a length."""
    for p in potentials:
        on_cells = p.on is None or p.on in mesh.cell_sets
        known = on_cells or p.on in mesh.facet_sets or p.on == "boundary"
        if known and on_cells == p.per_area:
            sets = ", ".join([*mesh.facet_sets, "boundary"]) if p.per_area else "all cells, a cell set"
            advice = " or give a `thickness`" if isinstance(p, ButlerVolmer) and p.per_area else ""
            place = "every cell" if p.on is None else f"'{p.on}'"
            raise ChemomechError(
                f"{type(p).__name__} is a density per {'area' if p.per_area else 'volume'}, but acts on {place}. "
                f"Set `on` to one of: {sets}{advice}."
            )


def _merged(potentials):
    """Stored energies of the same place added up: what is minimised out must see them together."""
    sums: dict[Any, AbstractFreeEnergy] = {}
    for p in potentials:
        if isinstance(p, Stored):
            sums[p.on] = sums[p.on] + p.psi if p.on in sums else p.psi
    others = [p for p in potentials if not isinstance(p, Stored)]
    return [*(Stored(psi, on=on) for on, psi in sums.items()), *others]


def _relaxed(potential, kinematics):
    if isinstance(potential, Stored):
        return Stored(kinematics.relaxed(potential.psi), on=potential.on)
    return potential


def _components(fields: Sequence[str], dim: int) -> tuple[str, ...]:
    unknown = [f for f in fields if f not in FIELD_UNITS]
    if unknown:
        raise ChemomechError(f"Unknown fields {unknown}; the fields are {', '.join(FIELD_UNITS)}.")
    return tuple(name for f in fields for name in ([f"u.{a}" for a in AXES[:dim]] if f == "u" else [f]))


def _domains(mesh, potentials, scales, degree, points=None):
    points = jnp.asarray((mesh.points if points is None else points) / scales.length)
    names = dict.fromkeys((None, *(p.on for p in potentials)))
    domains, members = [], []
    for on in names:
        if on is None or on in mesh.cell_sets:
            cells = np.asarray(mesh.cells_of(on))
            domains.append(domain.over_cells(mesh, points, cells, degree))
        else:
            domains.append(domain.over_facets(mesh, points, mesh.facets(on), max(degree, 3)))
        members.append(tuple(k for k, p in enumerate(potentials) if p.on == on))
    used = [k for k, member in enumerate(members) if member]
    return [domains[k] for k in used], tuple(members[k] for k in used)


def per_domain(raw: Any, member: tuple[int, ...], dom: Any) -> Any:
    """Scaled parameters of some potentials, per-cell values sliced to a domain."""
    potentials, host, kinematics = raw

    def pick(leaf):
        if not isinstance(leaf, PerCell):
            return leaf
        return jnp.moveaxis(jnp.asarray(leaf.values)[dom.cell], 0, -1)[..., None, :]

    chosen = tuple(potentials[k] for k in member)
    return jax.tree.map(pick, (chosen, host, kinematics), is_leaf=lambda v: isinstance(v, PerCell))


def _analyse(raw, scales, domains, members, names, scalars) -> tuple[Term, ...]:
    potentials, host, kinematics = scales.apply(raw)
    thin = jax.tree.map(
        lambda v: jnp.asarray(v.values)[0] if isinstance(v, PerCell) else jnp.asarray(v),
        (potentials, host, kinematics), is_leaf=lambda v: isinstance(v, PerCell),
    )  # fmt: skip
    density = Density(names, scalars)
    return tuple(
        Term.analyse(density, dom, (tuple(thin[0][k] for k in member), thin[1], thin[2]), len(names), len(scalars))
        for dom, member in zip(domains, members, strict=True)
    )


def _over_scales(lift: Lift, constraints, sizes) -> Lift:
    """The values of motions in scaled units: those of a course with a unit are pure numbers already."""
    courses = [c for c in constraints if isinstance(c, Fixed) and c.moves]
    every = np.repeat(sizes, len(lift.index) // len(sizes))
    moving = [shape if c.course is None else shape / every for shape, c in zip(lift.moving, courses, strict=True)]
    return dataclasses.replace(lift, moving=tuple(moving))


def _length(kinematics: AbstractKinematics, points: Float[Array, "n dim"]) -> Any:
    """Of the body along the axis that it is bent about [m]."""
    return None if kinematics.bending is None else jnp.ptp(points[:, kinematics.bending.along])


def _check_ends(mesh, lift: Lift, rows, bending) -> None:
    """A nodal displacement that may stretch along the axis would undo what the global scalars do."""
    k, n = bending.along, len(mesh.points)
    x = mesh.points[:, k] / np.ptp(mesh.points[:, k])
    index = np.asarray(lift.index)[rows[f"u.{AXES[k]}"] * n :][:n]
    _, first, group = np.unique(index, return_index=True, return_inverse=True)
    if np.allclose(x, x[first][group], atol=1e-9):
        raise ChemomechError(
            f"A body bent about {AXES[k]} has free ends there: its displacements would undo every stretch. Add "
            f'Periodic("{AXES[k]}"), or hold both ends along it: Fixed("u.{AXES[k]}", on=...).'
        )


def _used(terms, names, scalars, dim, always=()):
    touched = {index for term in terms for (p, q), _ in term.entries for index in (p, q)}
    width = dim + 1
    fields = {k // width for k in touched if k < len(names) * width}
    kept = tuple(name for k, name in enumerate(names) if k in fields)
    if any(name.startswith("u.") for name in kept):
        kept = tuple(name for name in names if name in kept or name.startswith("u."))
    return kept, tuple(s for k, s in enumerate(scalars) if s in always or len(names) * width + k in touched)


def _coupled(term: Term, fields: int) -> set[tuple[int, int]]:
    width = term.domain.dim + 1
    nodal = fields * width
    return {(p // width, q // width) for (p, q), _ in term.entries if p < nodal and q < nodal}


def _rated(problem: Problem) -> np.ndarray:
    return np.array([name == "V" for name in problem.scalars], bool)


def _field_scale(name: str, scales: Scales) -> float:
    return scales.of(FIELD_UNITS[name.split(".")[0]])


def _check_homogeneous(potentials, host, scales) -> None:
    """An energy that hides a number with a unit changes its value with the scales: refuse it by name."""
    for part in (e for p in potentials for e in p.stored()):
        if any(isinstance(v, PerCell) for v in jax.tree.leaves(part, is_leaf=lambda v: isinstance(v, PerCell))):
            continue
        values = [_sample(part, host, s, np.random.default_rng(0)) for s in (Scales.unit(), scales)]
        if not np.isclose(values[0], values[1], rtol=1e-6, atol=0):
            raise ChemomechError(
                f"{type(part).__name__} is not homogeneous in its units: {values[0]:g} J/m^3 in SI but {values[1]:g} "
                "in scaled numbers. Declare every number that has a unit with `param(unit=...)`, or take c_max, RT "
                "and F from `s.host`."
            )


def _sample(part: AbstractFreeEnergy, host: Host, scales: Scales, rng: np.random.Generator) -> float:
    def draw():
        return float(rng.uniform(0.2, 0.8))

    length = scales.length
    values: dict[str, Any] = {"c": draw(), "mu": draw() * 1e3 / scales.of("J/mol"), "V": draw() / scales.of("V")}
    values |= {f"grad_{k}": Vector(*(draw() * 1e8 * length * v for _ in range(3))) for k, v in
               (("c", 1.0), ("mu", 1e3 / scales.of("J/mol")))}  # fmt: skip
    values |= {"H": Tensor(*(draw() * 0.01 for _ in range(9))), "normal": Vector(0.6, 0.8, 0.0)}
    values |= {"u": Vector(*(draw() * 1e-9 / length for _ in range(3)))}
    x = Vector(*(draw() * 1e-8 / length for _ in range(3)))
    scaled, scaled_host = scales.apply(part), scales.apply(host)
    psi = scaled(Local(values, scaled_host, x, 0.0, 1.0))
    size = scales.of("J/m^2") if part.name == "surface" else scales.energy_density
    return float(psi) * size
