"""A study that goes on with new cells: when a design has moved its nodes so far that cells get poor, it is remeshed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ..analysis.stress import integrals
from ..errors import ConfigError, MeshError
from ..fem.mesh import Mesh
from ..problem import Problem, State
from .minimise import Constraint, Evaluation, Optimum, best
from .shapes import quality
from .study import Study
from .variables import Experiment, Shape

POOR = 0.3  # least quality of a cell at which a design is remeshed
Rebuild = Callable[[Mesh], Problem]


class _Poor(Exception):
    """The best design so far has poor cells."""


class Continued(NamedTuple):
    """Where a study that was remeshed has come to.

    Args:
        study: the last one: its experiment is the design at the last remeshing.
        optimum: of it.
        optima: of all of them, the last one included.
    """

    study: Study
    optimum: Optimum
    optima: tuple[Optimum, ...]


def optimise_with_remeshing(
    study: Study, rebuild: Rebuild, *, poor: float = POOR, iterations: int = 50, most: int = 10, **options: Any
) -> Continued:  # fmt: skip
    """The best design of a study of one shape; each time that its cells get poor it goes on with new ones.

    Args:
        study: what is sought.
        rebuild: the problem on another mesh of the body.
        poor: quality of the worst cell below which a design is remeshed.
        iterations: at most, each time.
        most: how often at most.
        options: of `Study.optimise`.

    Raises:
        ConfigError: the study has no shape among its variables, or several.
        MeshError: the new mesh is as poor.
    """
    heard, optima = options.pop("heard", lambda evaluation: None), []
    limits = [Constraint(limit.lower, limit.upper) for limit in study.limits]
    for _ in range(most + 1):
        seen: list[Evaluation] = []

        def listen(e: Evaluation, study=study, seen=seen) -> None:
            heard(e)
            seen.append(e)
            if e.failure or best(seen, limits, maximise=study.maximise) is not e:
                return
            if quality(study.at(e.x).problem.mesh) < poor:
                raise _Poor

        try:
            optimum = study.optimise(heard=listen, iterations=iterations, **options)
        except _Poor:
            e = seen[-1]
            optima.append(Optimum(e.x, float(e.values[0]), e.values, tuple(seen), "its cells got poor: remeshed"))
            study = remeshed_study(study, e.x, rebuild)
            found = quality(study.experiment.problem.mesh)
            if found < poor:
                raise MeshError(
                    f"New cells have a quality of {found:.2g}, below {poor:g}, as the boundary asks for them. Try: "
                    "a finer mesh, bounds that keep the shape smoother, or a smaller `poor`."
                ) from None
        else:
            return Continued(study, optimum, (*optima, optimum))
    return Continued(study, optima[-1], tuple(optima))


def remeshed_study(study: Study, x: Float[np.ndarray, " p"], rebuild: Rebuild) -> Study:
    """The study from a design on, on a new mesh of its body, with the state carried over.

    Raises:
        ConfigError: there is no shape among its variables, or several.
        MeshError: the body cannot be remeshed.
    """
    from ..geometry import remeshed

    shapes = [k for k, variable in enumerate(study.variables) if isinstance(variable, Shape)]
    if len(shapes) != 1:
        raise ConfigError(f"A study with {len(shapes)} shapes cannot be remeshed: it needs exactly one.")
    made, place = study.at(x), shapes[0]
    mesh = remeshed(made.problem.mesh)
    problem = rebuild(mesh)
    before = sum(len(variable.lower) for variable in study.variables[:place])
    variable = study.variables[place]
    own = np.asarray(x)[before : before + len(variable.lower)]
    shape = variable.shape.on(mesh, own)
    lower, upper = variable.lower, variable.upper
    if not np.allclose(shape.initial, own, atol=1e-6 * np.max(upper - lower)):  # displacements start anew
        lower, upper = lower + shape.initial - own, upper + shape.initial - own
    variables = [*study.variables]
    variables[place] = Shape(shape, np.minimum(lower, shape.initial), np.maximum(upper, shape.initial))
    experiment = Experiment(problem, transferred(made.problem, problem, made.state), made.protocol)
    return dataclasses.replace(study, experiment=experiment, variables=variables)


def transferred(old: Problem, new: Problem, state: State) -> State:
    """A state on another mesh of the same body: linear between the old nodes, with as much lithium to round-off.

    For that, the composition is scaled towards 0 or towards 1: it stays between them.
    """
    made = {
        name: _interpolated(old.mesh, new.mesh.points, np.asarray(value)) if np.ndim(value) else value
        for name, value in state.values.items()
    }
    if "c" in made:
        (held, volume), (amount, whole) = integrals(old, state.values["c"]), integrals(new, made["c"])
        wanted, mean = float(held / volume), float(amount / whole)
        if mean > wanted:
            made["c"] = made["c"] * (wanted / mean)
        elif mean < wanted:
            made["c"] = 1.0 - (1.0 - made["c"]) * ((1.0 - wanted) / (1.0 - mean))
    return State(made)


def _interpolated(mesh: Mesh, points: Float[np.ndarray, "n dim"], values: np.ndarray) -> np.ndarray:
    """Linear in the corners of the cell that a point lies in, or comes closest to."""
    from scipy.spatial import cKDTree

    corners = mesh.points[mesh.cells[:, : mesh.dim + 1]]
    near = cKDTree(corners.mean(axis=1)).query(points, k=min(24, len(corners)))[1].reshape(len(points), -1)
    inverse = np.linalg.inv(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
    local = np.einsum("pkij,pkj->pki", inverse[near], points[:, None] - corners[near, 0])
    shares = np.concatenate([1.0 - local.sum(axis=2, keepdims=True), local], axis=2)
    owner = np.argmax(shares.min(axis=2), axis=1)
    rows = np.arange(len(points))
    share = np.maximum(shares[rows, owner], 0.0)
    share = share / share.sum(axis=1, keepdims=True)
    return np.einsum("pk,pk...->p...", share, values[mesh.cells[near[rows, owner], : mesh.dim + 1]])
