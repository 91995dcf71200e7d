"""Shapes: a few numbers, or many, to coordinates of all nodes, differentiably.

    points = shape(parameters);      problem.moved(points)

`shape.initial` are the parameters of the mesh as it is; `shape.names` say what each one is, where they are few.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import MeshError
from ..fem.domain import over_cells, over_facets
from ..fem.mesh import Mesh
from .motion import HarmonicMotion, HelmholtzFilter, plane_axis


class AbstractShape(eqx.Module):
    """Parameters -> coordinates of all nodes [m]."""

    initial: eqx.AbstractVar[Float[np.ndarray, " p"]]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Of the parameters; none where they are values at nodes."""

    @abstractmethod
    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""

    @abstractmethod
    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> AbstractShape:
        """The same kind of shape of another mesh of the body that the parameters gave; its `initial` are that body.

        Raises:
            MeshError: there is none.
        """


class Superellipsoid(AbstractShape):
    """|x/a|^n + |y/b|^n + |z/c|^n = 1 of fixed volume, around the origin.

    Parameters: ln(a/b), in three dimensions ln(b/c) too, and n (2: an ellipsoid; larger: towards a box). Nodes keep
    their direction in (x/a, y/b, z/c); the inside follows by `HarmonicMotion`; then all is scaled such that the volume
    of the mesh is what it was.

    Args:
        mesh: an ellipse or ellipsoid around the origin, or a part of one that is cut along planes of symmetry.
        surface: its curved facets.
        sliding: the planes of symmetry.
        axisymmetric: x is the radius; the volume is that of the body of revolution.
        exponent: n of the mesh as it is.

    Raises:
        MeshError: the surface does not go around the origin.
    """

    mesh: Mesh
    motion: HarmonicMotion = eqx.field(static=True)
    half_axes: Float[np.ndarray, " dim"]
    directions: Float[np.ndarray, "b dim"]  # unit vectors
    initial: Float[np.ndarray, " p"]
    axisymmetric: bool = eqx.field(static=True)

    def __init__(
        self, mesh: Mesh, surface: str = "boundary", sliding: tuple[str, ...] = (), *, axisymmetric: bool = False,
        exponent: float = 2.0,
    ):  # fmt: skip
        self.mesh, self.motion, self.axisymmetric = mesh, HarmonicMotion(mesh, surface, sliding), axisymmetric
        at = mesh.points[self.motion.surface]
        self.half_axes = np.abs(at).max(axis=0)
        stretched = at / self.half_axes
        size = np.linalg.norm(stretched, axis=1)
        if size.min() < 0.3:
            raise MeshError("The surface of a Superellipsoid must go around the origin: shift the mesh.")
        self.directions = stretched / size[:, None]
        logs = np.log(self.half_axes)
        self.initial = np.append(logs[:-1] - logs[1:], exponent)

    @property
    def names(self) -> tuple[str, ...]:
        """ln(a/b), ln(b/c), n."""
        return ("log_ab", "log_bc", "exponent")[: self.mesh.dim - 1] + ("exponent",)

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""
        parameters = jnp.asarray(parameters)
        ratios, n = parameters[:-1], parameters[-1]
        logs = jnp.append(jnp.cumsum(ratios[::-1])[::-1], 0.0)
        axes = jnp.exp(logs + jnp.mean(np.log(self.half_axes) - logs))
        size = np.abs(self.directions)
        powers = jnp.where(size > 0, jnp.where(size > 0, size, 1.0) ** n, 0.0)
        on_surface = axes * self.directions * jnp.sum(powers, axis=1, keepdims=True) ** (-1.0 / n)
        points = self.mesh.points + self.motion(on_surface - self.mesh.points[self.motion.surface])
        return with_volume(self.mesh, points, axisymmetric=self.axisymmetric)

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> Superellipsoid:
        """Its parameters mean the same."""
        exponent = float(parameters[-1])
        return Superellipsoid(mesh, *self.motion.names, axisymmetric=self.axisymmetric, exponent=exponent)


class FreeSurface(AbstractShape):
    """Every node of a surface moves along its normal, smoothly: parameters are p at its nodes [m].

        f - l^2 div grad f = p on the surface,      x = X + f n there

    Args:
        mesh: where it starts from.
        length: l; details that are shorter are smoothed away [m].
        surface: the facets that move.
        sliding: planes of symmetry.
        fixed_volume: scale all such that the volume stays what it was; only of bodies around the origin or cut there.
        axisymmetric: as in `Superellipsoid`.
    """

    mesh: Mesh
    motion: HarmonicMotion = eqx.field(static=True)
    smooth: HelmholtzFilter = eqx.field(static=True)
    normals: Float[np.ndarray, "b dim"]
    initial: Float[np.ndarray, " p"]
    fixed_volume: bool = eqx.field(static=True)
    axisymmetric: bool = eqx.field(static=True)

    def __init__(
        self, mesh: Mesh, length: float, surface: str = "boundary", sliding: tuple[str, ...] = (), *,
        fixed_volume: bool = True, axisymmetric: bool = False,
    ):  # fmt: skip
        self.mesh, self.motion = mesh, HarmonicMotion(mesh, surface, sliding)
        self.smooth = HelmholtzFilter(mesh, length, surface)
        self.normals = surface_normals(mesh, surface, sliding)
        self.initial = np.zeros(len(self.motion.surface))
        self.fixed_volume, self.axisymmetric = fixed_volume, axisymmetric

    @property
    def names(self) -> tuple[str, ...]:
        """None."""
        return ()

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""
        moved = self.smooth(jnp.asarray(parameters))[:, None] * self.normals
        points = jnp.asarray(self.mesh.points) + self.motion(moved)
        return (
            with_volume(self.mesh, points, axisymmetric=self.axisymmetric) if self.fixed_volume else jnp.asarray(points)
        )

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> FreeSurface:
        """From no displacement again."""
        options = {"fixed_volume": self.fixed_volume, "axisymmetric": self.axisymmetric}
        return FreeSurface(mesh, self.smooth.length, *self.motion.names, **options)


class Thickness(AbstractShape):
    """A film of another thickness [m]: nodes above its base move in proportion.

    Args:
        mesh: of the film, or of film and substrate.
        axis: normal to the film; default: the last.
        base: where the film begins on that axis; default: at the lowest node [m].
    """

    mesh: Mesh
    axis: int = eqx.field(static=True)
    base: float
    initial: Float[np.ndarray, " p"]

    def __init__(self, mesh: Mesh, axis: int = -1, base: float | None = None):
        along = mesh.points[:, axis]
        self.mesh, self.axis = mesh, axis % mesh.dim
        self.base = float(along.min() if base is None else base)
        self.initial = np.array([along.max() - self.base])
        if not self.initial[0] > 0:
            raise MeshError(f"No node of the film lies above its base at {self.base:g} m.")

    @property
    def names(self) -> tuple[str, ...]:
        """The thickness."""
        return ("thickness",)

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""
        above = np.maximum(self.mesh.points[:, self.axis] - self.base, 0.0)
        grown = above * (jnp.asarray(parameters)[0] / self.initial[0] - 1.0)
        return jnp.asarray(self.mesh.points).at[:, self.axis].add(grown)

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> Thickness:
        """From the thickness that it has."""
        return Thickness(mesh, self.axis, self.base)


class Wire(AbstractShape):
    """A straight wire of another radius [m] that is bent to a curvature [1/m]; lengths along its axis stay.

    The axis goes through the middle of the cross-section; it is bent towards the first axis across.

    Args:
        mesh: of a straight wire.
        axis: along the wire; default: the last.
    """

    mesh: Mesh
    axis: int = eqx.field(static=True)
    middle: Float[np.ndarray, " dim"]
    initial: Float[np.ndarray, " p"]

    def __init__(self, mesh: Mesh, axis: int = -1):
        low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
        self.mesh, self.axis, self.middle = mesh, axis % mesh.dim, 0.5 * (low + high)
        self.initial = np.array([0.5 * (high - low)[self._across()], 0.0])

    def _across(self) -> int:
        return 1 if self.axis == 0 else 0

    @property
    def names(self) -> tuple[str, ...]:
        """Radius and curvature."""
        return ("radius", "curvature")

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""
        radius, curvature = jnp.asarray(parameters)
        at = (self.mesh.points - self.middle) * jnp.where(
            np.arange(self.mesh.dim) == self.axis, 1.0, radius / self.initial[0]
        )
        s, x = at[:, self.axis], at[:, self._across()]
        angle = curvature * s
        along = s * jnp.sinc(angle / np.pi) - x * jnp.sin(angle)
        aside = 0.5 * angle * s * jnp.sinc(0.5 * angle / np.pi) ** 2 + x * jnp.cos(angle)
        return self.middle + at.at[:, self.axis].set(along).at[:, self._across()].set(aside)

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> Wire:
        """Of a straight one: bending changes no cell's shape much, and a bent mesh has no axis to start from.

        Raises:
            MeshError: it is bent.
        """
        if parameters[1] != 0.0:
            raise MeshError("A bent Wire cannot be remeshed. Try: a finer mesh of the straight wire.")
        return Wire(mesh, self.axis)


class Pores(AbstractShape):
    """Spherical or round pores of another radius [m]: nodes of their walls move away from the nearest centre.

    Args:
        mesh: of the solid around the pores.
        centres: of the pores [m].
        surface: the facets of their walls.
        sliding: planes of symmetry, or sides of a periodic cell.
    """

    mesh: Mesh
    motion: HarmonicMotion = eqx.field(static=True)
    outward: Float[np.ndarray, "b dim"]  # unit vectors
    centres: Float[np.ndarray, "m dim"]
    initial: Float[np.ndarray, " p"]

    def __init__(self, mesh: Mesh, centres: Float[np.ndarray, "m dim"], surface: str, sliding: tuple[str, ...] = ()):
        self.mesh, self.motion, self.centres = mesh, HarmonicMotion(mesh, surface, sliding), np.asarray(centres, float)
        away = mesh.points[self.motion.surface][:, None] - np.asarray(centres, float)[None]
        distance = np.linalg.norm(away, axis=2)
        nearest = np.argmin(distance, axis=1)
        pick = np.arange(len(nearest))
        radius = distance[pick, nearest]
        self.outward = away[pick, nearest] / radius[:, None]
        self.initial = np.array([np.median(radius)])

    @property
    def names(self) -> tuple[str, ...]:
        """The radius."""
        return ("radius",)

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m]."""
        grown = (jnp.asarray(parameters)[0] - self.initial[0]) * self.outward
        return jnp.asarray(self.mesh.points) + self.motion(grown)

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> Pores:
        """From the radius that they have."""
        return Pores(mesh, self.centres, *self.motion.names)


def volume(mesh: Mesh, points: Float[Array, "n dim"], *, axisymmetric: bool = False) -> Float[Array, ""]:
    """Of a mesh with its nodes elsewhere: an area [m^2], or a volume [m^3]; differentiable."""
    cells = over_cells(mesh, jnp.asarray(points), np.arange(len(mesh.cells)), 2 * mesh.order)
    weight = cells.weight * (2 * np.pi * cells.x[0] if axisymmetric else 1.0)
    return jnp.sum(weight * jnp.ones_like(cells.x[0]))


def with_volume(mesh: Mesh, points: Float[Array, "n dim"], *, axisymmetric: bool = False) -> Float[Array, "n dim"]:
    """Scaled around the origin such that the volume is that of the mesh as it was."""
    power = 3 if axisymmetric else mesh.dim
    kept = volume(mesh, mesh.points, axisymmetric=axisymmetric)
    return points * (kept / volume(mesh, points, axisymmetric=axisymmetric)) ** (1.0 / power)


def surface_normals(mesh: Mesh, surface: str = "boundary", sliding: tuple[str, ...] = ()) -> Float[np.ndarray, "b dim"]:
    """Outward unit normals at the nodes of a surface, averaged by area, within the planes of symmetry they lie in."""
    facets = over_facets(mesh, jnp.asarray(mesh.points), mesh.facets(surface), 2 * mesh.order)
    share = np.asarray(facets.N) * np.asarray(facets.weight)[:, None]
    pulled = np.einsum(
        "qkf,dqf->kfd", share, np.broadcast_to(np.asarray(facets.normal), (mesh.dim, *share[:, 0].shape))
    )
    total = np.zeros_like(mesh.points)
    np.add.at(total, np.asarray(facets.nodes), pulled)
    for name in sliding:
        total[mesh.nodes_of(name), plane_axis(mesh, name)] = 0.0
    total = total[mesh.nodes_of(surface)]
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def quality(mesh: Mesh, points: Float[np.ndarray, "n dim"] | None = None) -> float:
    """The least mean ratio of the cells: 1 where all are equilateral, 0 or less where one is flat or inverted.

        d det(J)^(2/d) / |J|^2,      J of the map from an equilateral cell

    Quadratic cells are measured by their corners; quads and hexahedra at each corner, by the map from a square or cube.
    """
    edges = mesh.corner_edges(None if points is None else np.asarray(points))
    ideal = {2: [[1, 0], [0.5, 3**0.5 / 2]], 3: [[1, 0, 0], [0.5, 3**0.5 / 2, 0], [0.5, 3**0.5 / 6, (2 / 3) ** 0.5]]}
    J = edges if mesh.cell_type in ("quad", "hexahedron") else np.linalg.inv(ideal[mesh.dim]) @ edges
    det = np.linalg.det(J)
    return float(np.min(mesh.dim * np.sign(det) * np.abs(det) ** (2 / mesh.dim) / np.sum(J**2, axis=(-2, -1))))


def least_shrinkage(mesh: Mesh, points: Float[np.ndarray, "n dim"]) -> float:
    """The smallest volume of a cell over what it was before the nodes moved; not positive where a cell is inverted.

    Quadratic cells are measured by their corners.
    """
    moved = eqx.tree_at(lambda m: m.points, mesh, np.asarray(points))
    return float(np.min(moved.cell_measures() / mesh.cell_measures()))
