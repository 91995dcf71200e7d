"""Shapes: a few numbers, or many, to coordinates of all nodes, differentiably.

    points = shape(parameters);      problem.moved(points)

`shape.initial` are the parameters of the mesh as it is; `shape.names` say what each one is, where they are few.
"""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..errors import MeshError
from ..fem.domain import over_cells, over_facets
from ..fem.mesh import CORNERS, Mesh
from .motion import HarmonicMotion, HelmholtzFilter, plane_axis

CLOSE = 1e-5  # of their distance: pores that are closer to touching do not overlap, and nodes lie on a neck


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
    """Spherical or round pores of another radius [m]; where they overlap, as in an inverse opal, of another neck too.

    Nodes of the walls move away from the nearest centre. Two pores of radius R that overlap cut each other in a circle:
    their neck, of radius r. The period, the distance of their centres, follows from both:

        d = 2 sqrt(R^2 - r^2)

    Then the body and the centres are scaled around the origin by d over what it was, and walls become spheres of radius
    R around the new centres: nodes on a neck stay halfway between two, those around it turn with it, the less the
    further away they are, and the inside follows by `HarmonicMotion`. Planes of symmetry through the origin stay where
    they are; others, and the sides of a cell, move with the scaling, so that a unit cell stays one.

    Args:
        mesh: of the solid around the pores.
        centres: of the pores, also of those outside of the mesh whose pores cut a wall [m].
        surface: the facets of their walls.
        sliding: planes of symmetry, or sides of a periodic cell. Where pores overlap: through centres, or halfway
            between two.

    Raises:
        MeshError: pores that overlap are of several sizes or distances, their necks cut one another, or a plane of
            symmetry cuts a wall elsewhere.
    """

    mesh: Mesh
    motion: HarmonicMotion = eqx.field(static=True)
    outward: Float[np.ndarray, "b dim"]  # unit vectors
    centres: Float[np.ndarray, "m dim"]
    initial: Float[np.ndarray, " p"]
    necks: Necks | None  # where pores overlap

    def __init__(self, mesh: Mesh, centres: Float[np.ndarray, "m dim"], surface: str, sliding: tuple[str, ...] = ()):
        self.mesh, self.motion, self.centres = mesh, HarmonicMotion(mesh, surface, sliding), np.asarray(centres, float)
        away = mesh.points[self.motion.surface][:, None] - self.centres[None]
        distance = np.linalg.norm(away, axis=2)
        nearest = np.argmin(distance, axis=1)
        pick = np.arange(len(nearest))
        radius = distance[pick, nearest]
        self.outward = away[pick, nearest] / radius[:, None]
        size, period = _overlap(mesh, self.motion.surface, self.centres, nearest, radius)
        if period is None:
            self.initial, self.necks = np.array([np.median(radius)]), None
        else:
            self.initial = np.array([size, np.sqrt(size**2 - 0.25 * period**2)])
            planes = [(name, plane_axis(mesh, name)) for name in sliding]
            self.necks = Necks(self, nearest, radius, period, planes)

    @property
    def names(self) -> tuple[str, ...]:
        """The radius; that of the necks too where pores overlap."""
        return ("radius", "neck")[: len(self.initial)]

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "n dim"]:
        """Coordinates of all nodes [m].

        Raises:
            MeshError: there are no pores of this radius with such necks.
        """
        parameters = jnp.asarray(parameters)
        if self.necks is None:
            grown = (parameters[0] - self.initial[0]) * self.outward
            return jnp.asarray(self.mesh.points) + self.motion(grown)
        self.necks.check(parameters)
        points = self.necks.scale(parameters) * self.mesh.points
        return points + self.motion(self.necks(parameters) - points[self.motion.surface])

    def on(self, mesh: Mesh, parameters: Float[np.ndarray, " p"]) -> Pores:
        """From the radius that they have, and from the neck, around the centres as they are."""
        scale = 1.0 if self.necks is None else float(self.necks.scale(np.asarray(parameters)))
        return Pores(mesh, scale * self.centres, *self.motion.names)


class Necks(eqx.Module):
    """Where the nodes of walls lie when pores overlap, with directions from a centre as angles from the nearest neck.

    A neck is seen under the angle asin(r/R) to its axis. The nodes of a wall turn by the change of it times a weight: 1
    on the neck, and linearly to 0 halfway to the next one.

    Args:
        pores: whose radius and neck these are.
        nearest: for each node of the walls, its pore.
        distance: to the centre of it [m].
        period: distance of the centres of pores that overlap [m].
        planes: of symmetry, with the axes that they are normal to.

    Raises:
        MeshError: necks cut one another, or a plane of symmetry cuts a wall neither through a centre nor halfway
            between two.
    """

    initial: Float[np.ndarray, " p"]  # radius and neck
    period: float
    widest: float  # angle under which necks would cut one another
    centre: Float[np.ndarray, "b dim"]  # of the nearest pore
    distance: Float[np.ndarray, " b"]  # to it
    axis: Float[np.ndarray, "b dim"]  # of the nearest neck, as unit vector
    across: Float[np.ndarray, "b dim"]  # normal to it, as unit vector
    angle: Float[np.ndarray, " b"]  # from the axis
    weight: Float[np.ndarray, " b"]
    on_neck: Bool[np.ndarray, " b"]

    def __init__(
        self, pores: Pores, nearest: Int[np.ndarray, " b"], distance: Float[np.ndarray, " b"], period: float,
        planes: list[tuple[str, int]],
    ):  # fmt: skip
        self.initial, self.period, self.distance = pores.initial, period, distance
        self.centre, self.axis, self.weight = pores.centres[nearest], pores.outward.copy(), np.zeros(len(nearest))
        opening, halves = np.arcsin(self.initial[1] / self.initial[0]), [0.5 * np.pi]
        reach = np.zeros(len(nearest))  # of the weight; a pore by itself has none
        for pore in np.unique(nearest):
            own, axes = nearest == pore, _axes(pores, pore, period, planes)
            if len(axes) == 0:
                continue
            between = np.arccos(np.clip(axes @ axes.T, -1.0, 1.0))[~np.eye(len(axes), dtype=bool)]
            halves.append(0.5 * between.min(initial=2.0 * np.pi))
            reach[own] = min(halves[-1], np.pi) if len(axes) > 1 else min(opening + np.pi / 3, np.pi)
            self.axis[own] = axes[np.argmax(pores.outward[own] @ axes.T, axis=1)]
        self.widest = float(min(halves))
        if opening > (1.0 - CLOSE) * self.widest:
            raise MeshError(
                f"Pores: necks of radius {self.initial[1]:.4g} m between pores of radius {self.initial[0]:.4g} m, "
                f"{period:.4g} m apart, cut one another. Try: smaller pores, or centres that are further apart."
            )
        along = np.sum(self.axis * pores.outward, axis=1)
        aside = pores.outward - along[:, None] * self.axis
        size = np.linalg.norm(aside, axis=1)
        self.angle = np.arctan2(size, along)
        self.across = aside / np.where(size > 0, size, 1.0)[:, None]
        self.weight = np.clip((reach - self.angle) / (reach - opening), 0.0, 1.0)
        self.on_neck = (reach > 0) & (np.abs(distance * along - 0.5 * period) < CLOSE * period)
        for name, k in planes:
            there = np.isin(pores.motion.surface, pores.mesh.nodes_of(name))
            away = np.abs(np.where(self.on_neck, self.across[:, k], pores.outward[:, k]))[there]
            if away.max(initial=0.0) > 1e-4:
                raise MeshError(
                    f"Pores: the plane '{name}' cuts a pore that overlaps with others neither through its centre nor "
                    "halfway to one of them: its wall cannot slide there. Try: another cell, or the centres of all "
                    "pores that cut a wall, also outside of the mesh."
                )

    def check(self, parameters: Float[Array, " p"]) -> None:
        """That there are such pores, where the parameters have values.

        Raises:
            MeshError: there are no pores of this radius with such necks.
        """
        try:
            radius, neck = np.asarray(jax.lax.stop_gradient(parameters))
        except jax.errors.TracerArrayConversionError:
            return
        if not 0.0 < neck < radius * np.sin(self.widest):
            raise MeshError(
                f"Pores of radius {radius:.4g} m have no necks of radius {neck:.4g} m: between 0 and "
                f"{radius * np.sin(self.widest):.4g} m they overlap without cutting other necks. Try: other bounds."
            )

    def scale(self, parameters: Float[Array, " p"]) -> Float[Array, ""]:
        """The period over what it was."""
        radius, neck = parameters
        return 2.0 * jnp.sqrt((radius - neck) * (radius + neck)) / self.period

    def __call__(self, parameters: Float[Array, " p"]) -> Float[Array, "b dim"]:
        """Coordinates of the nodes of the walls [m]."""
        radius, neck = parameters
        scale = self.scale(parameters)
        turned = jnp.arcsin(neck / radius) - np.arcsin(self.initial[1] / self.initial[0])
        angle = (self.angle + self.weight * turned)[:, None]
        from_centre = (self.distance + radius - self.initial[0])[:, None]
        on_wall = scale * self.centre + from_centre * (jnp.cos(angle) * self.axis + jnp.sin(angle) * self.across)
        halfway = self.centre + (self.distance * np.cos(self.angle))[:, None] * self.axis
        from_axis = (self.distance * np.sin(self.angle) + neck - self.initial[1])[:, None]
        return jnp.where(self.on_neck[:, None], scale * halfway + from_axis * self.across, on_wall)


def _overlap(
    mesh: Mesh, surface: Int[np.ndarray, " b"], centres: Float[np.ndarray, "m dim"], nearest: Int[np.ndarray, " b"],
    distance: Float[np.ndarray, " b"],
) -> tuple[float, float | None]:  # fmt: skip
    """Radius of the pores that overlap, and how far apart their centres are; None where no pores overlap [m].

    Nodes amid the straight sides of quadratic cells lie inside their circle: corners alone are asked for the radius.

    Raises:
        MeshError: they are of several sizes or distances.
    """
    corner = np.isin(surface, mesh.cells[:, : CORNERS[mesh.cell_type]])
    size = float(np.median(distance[corner]))
    radii = np.full(len(centres), size)
    for pore in np.unique(nearest[corner]):
        radii[pore] = np.median(distance[corner & (nearest == pore)])
    one, other = np.triu_indices(len(centres), 1)
    apart = np.linalg.norm(centres[one] - centres[other], axis=1)
    overlap = apart < (1.0 - CLOSE) * (radii[one] + radii[other])
    if not overlap.any():
        return size, None
    sizes = radii[np.union1d(one[overlap], other[overlap])]
    for what, found in (("are of radii", sizes), ("have centres in distances", apart[overlap])):
        if np.ptp(found) > CLOSE * found.max():
            raise MeshError(
                f"Pores that overlap {what} from {found.min():.4g} to {found.max():.4g} m: one radius and one neck "
                "need pores of one size and one period. Try: centres of one lattice in which only nearest neighbours "
                "overlap, or a FreeSurface."
            )
    return float(np.median(sizes)), float(np.mean(apart[overlap]))


def _axes(pores: Pores, pore: int, period: float, planes: list[tuple[str, int]]) -> Float[np.ndarray, "k dim"]:
    """Unit vectors from a centre to those it overlaps with, and their images in the planes of symmetry through it."""
    away = pores.centres - pores.centres[pore]
    apart = np.linalg.norm(away, axis=1)
    near = np.abs(apart - period) < 2.0 * CLOSE * period
    found = away[near] / apart[near, None]
    for name, k in planes:
        at = pores.mesh.points[pores.mesh.nodes_of(name), k].mean()
        if abs(at - pores.centres[pore, k]) < CLOSE * period:
            image = found * np.where(np.arange(pores.mesh.dim) == k, -1.0, 1.0)
            new = np.max(image @ found.T, axis=1, initial=-1.0) < 1.0 - CLOSE
            found = np.concatenate([found, image[new]])
    return found


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

    Quadratic cells are measured by their corners; quads and hexahedra at each corner, by the map from a square or cube.
    """
    return float(np.min(mesh.mean_ratios(None if points is None else np.asarray(points))))


def least_shrinkage(mesh: Mesh, points: Float[np.ndarray, "n dim"]) -> float:
    """The smallest volume of a cell over what it was before the nodes moved; not positive where a cell is inverted.

    Quadratic cells are measured by their corners.
    """
    moved = eqx.tree_at(lambda m: m.points, mesh, np.asarray(points))
    return float(np.min(moved.cell_measures() / mesh.cell_measures()))
