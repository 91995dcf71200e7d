"""From nodal fields in two or three dimensions to the three-dimensional state that a density sees."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Float

from ..density import AbstractFreeEnergy, Scalar
from ..errors import ChemomechError, ConfigError
from ..tensors import Tensor, Vector, add
from ..units import param, parse
from . import checks
from .bending import AXES, AbstractBending, Free, Load
from .plane_stress import Relaxed

STRAINS = ("xx", "yy", "zz", "yz", "xz", "xy")


class AbstractKinematics(eqx.Module):
    """How nodal values become c, grad c, H, ... at a point, and what volume a point stands for.

    `mean_strain` names components of a uniform strain that are global unknowns, added to the displacement gradient:
    ("zz",) is generalised plane strain, ("xx", "yy", "xy") frees the mean strain of a periodic cell. `given` holds some
    of them at values, constant or a `Course` in time. `bending` adds a stretch and curvatures of a long body.
    """

    mean_strain: eqx.AbstractVar[tuple[str, ...]]
    given: eqx.AbstractVar[dict[str, Any]]
    bending: eqx.AbstractVar[AbstractBending | None]
    dim: ClassVar[int]

    @property
    def scalars(self) -> tuple[str, ...]:
        """Global unknowns that the kinematics add to the problem."""
        bent = () if self.bending is None else tuple(self.bending.parts)
        return (*(f"strain_{name}" for name in self.mean_strain), *bent)

    def values(self) -> dict[str, Any]:
        """Those of the global unknowns that are given, by name: numbers or courses."""
        parts = {} if self.bending is None else self.bending.parts
        given = {name: part for name, part in parts.items() if not isinstance(part, Free | Load)}
        return {f"strain_{name}": value for name, value in self.given.items()} | given

    def loads(self) -> dict[str, Any]:
        """Forces and moments on global unknowns, by name: numbers or courses."""
        parts = {} if self.bending is None else self.bending.parts
        return {name: part.value for name, part in parts.items() if isinstance(part, Load)}

    @abc.abstractmethod
    def weight(self, x: Vector) -> Scalar:
        """Volume per unit of mesh measure at a point [m for a plane mesh, 1 for a solid]."""

    @abc.abstractmethod
    def rigid_modes(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "modes dim n"]:
        """Displacements that leave every strain zero."""

    def hoop(self, values: dict[str, list[Scalar]], x: Vector) -> Scalar:
        """Strain normal to the plane that follows from in-plane displacement."""
        return 0.0

    def relaxed(self, psi: AbstractFreeEnergy) -> AbstractFreeEnergy:
        """The energy with what the kinematics leave free minimised out."""
        return psi

    def embed(self, fields: dict[str, list[Scalar]], scalars: dict[str, Scalar], x: Vector) -> dict[str, Any]:
        """Named values, gradients and displacement gradient at a point.

        Args:
            fields: component name ("c", "u.x", ...) -> [value, d/dx, d/dy(, d/dz)].
            scalars: global unknowns by name.
        """
        values: dict[str, Any] = dict(scalars)
        for name, (value, *gradient) in fields.items():
            if "." not in name:
                values[name] = value
                values[f"grad_{name}"] = Vector(*gradient)
        if "u.x" in fields:
            values["u"] = Vector(*(fields[f"u.{a}"][0] for a in AXES[: self.dim]))
            values["H"] = self._displacement_gradient(fields, scalars, x)
        return values

    def _displacement_gradient(self, fields, scalars, x) -> Tensor:
        H = {f"{AXES[i]}{AXES[j]}": fields[f"u.{AXES[i]}"][1 + j] for i in range(self.dim) for j in range(self.dim)}
        H["zz"] = add(H.get("zz", 0.0), self.hoop(fields, x))
        for name in self.mean_strain:
            for key in {name, name[::-1]}:
                H[key] = add(H.get(key, 0.0), scalars[f"strain_{name}"])
        bent = {} if self.bending is None else self.bending.gradient(scalars, x)
        for key, value in bent.items():
            H[key] = add(H.get(key, 0.0), value)
        return Tensor(**H)

    def __check_init__(self):
        unknown = [name for name in self.mean_strain if name not in STRAINS]
        if unknown:
            raise ChemomechError(f"mean_strain names {unknown}; the components are {', '.join(STRAINS)}.")
        strange = [name for name in self.given if name not in self.mean_strain]
        if strange:
            raise ChemomechError(f"given names {strange}, but mean_strain is {self.mean_strain}: name them there too.")
        if self.bending is not None and AXES[self.bending.along] * 2 in self.mean_strain:
            raise ConfigError(
                f"{type(self).__name__}: mean_strain {AXES[self.bending.along] * 2} and the axial strain of bending "
                "are the same motion. Leave one out."
            )
        if self.bending is not None and self.bending.dim != self.dim:
            kinds = {2: "Bending", 3: "WireBending"}
            raise ChemomechError(f"{type(self).__name__} is bent by {kinds[self.dim]}, not {kinds[self.bending.dim]}.")


def _strain_names(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _given() -> Any:
    def convert(values):
        return {name: parse(value, "1", name=f"given.{name}") for name, value in dict(values).items()}

    return eqx.field(default_factory=dict, converter=convert, metadata={"unit": "1", "doc": "given mean strain"})


class _Plane(AbstractKinematics):
    def __check_init__(self):
        checks.positive(self.thickness, f"{type(self).__name__}.thickness", "m")

    def weight(self, x: Vector) -> Scalar:
        """The thickness."""
        return self.thickness

    def rigid_modes(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "modes dim n"]:
        """Two translations and a rotation."""
        x, y = (points - points.mean(0)).T
        one, zero = np.ones_like(x), np.zeros_like(x)
        size = max(np.abs(x).max(), np.abs(y).max())
        return np.array([[one, zero], [zero, one], [-y / size, x / size]])


class PlaneStrain(_Plane):
    """No strain normal to the plane.

    Args:
        thickness: [m].
        mean_strain: uniform strain components that are global unknowns.
        given: values of some of them: number, or `Course` in time [1].
        bending: a `Bending`: stretch and curvature of a strip.
    """

    thickness: Scalar = param("m", default=1.0)
    mean_strain: tuple[str, ...] = eqx.field(static=True, default=(), converter=_strain_names)
    given: dict[str, Any] = _given()
    bending: AbstractBending | None = None
    dim: ClassVar[int] = 2


class GeneralisedPlaneStrain(_Plane):
    """One uniform, unknown strain normal to the plane; the force it does work on is zero unless a load is given.

    Args:
        thickness: [m].
        mean_strain: uniform strain components that are global unknowns.
        given: values of some of them: number, or `Course` in time [1].
        bending: a `Bending`: stretch and curvature of a strip.
    """

    thickness: Scalar = param("m", default=1.0)
    mean_strain: tuple[str, ...] = eqx.field(static=True, default=("zz",), converter=_strain_names)
    given: dict[str, Any] = _given()
    bending: AbstractBending | None = None
    dim: ClassVar[int] = 2


class PlaneStress(_Plane):
    """No stress normal to the plane: the energy is minimised over the strains out of the plane, point by point.

    Args:
        thickness: [m].
        mean_strain: uniform in-plane strain components that are global unknowns.
        given: values of some of them: number, or `Course` in time [1].
        bending: a `Bending`: stretch and curvature of a strip.
    """

    thickness: Scalar = param("m", default=1.0)
    mean_strain: tuple[str, ...] = eqx.field(static=True, default=(), converter=_strain_names)
    given: dict[str, Any] = _given()
    bending: AbstractBending | None = None
    dim: ClassVar[int] = 2

    def relaxed(self, psi: AbstractFreeEnergy) -> AbstractFreeEnergy:
        """min over the out-of-plane strains.

        Raises:
            ConfigError: the energy is one of finite strain.
        """
        if psi.finite:
            raise ConfigError(
                "PlaneStress minimises energies that are quadratic in the strain, but one of these is of finite "
                "strain. Use GeneralisedPlaneStrain, or Solid for a thin body."
            )
        return Relaxed(psi)


class Axisymmetric(AbstractKinematics):
    """x is the radius and y the axis; the hoop strain is u_r / r. A body of revolution, 2 pi r dr dz."""

    mean_strain: tuple[str, ...] = eqx.field(static=True, default=(), converter=_strain_names)
    given: dict[str, Any] = _given()
    bending: None = eqx.field(static=True, default=None, init=False)  # a body of revolution stays one
    dim: ClassVar[int] = 2

    def weight(self, x: Vector) -> Scalar:
        """2 pi r"""
        return 2 * np.pi * x.x

    def hoop(self, values: dict[str, list[Scalar]], x: Vector) -> Scalar:
        """u_r / r"""
        return values["u.x"][0] / x.x

    def rigid_modes(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "modes dim n"]:
        """Translation along the axis."""
        one = np.ones(len(points))
        return np.array([[0 * one, one]])


class Solid(AbstractKinematics):
    """Three dimensions.

    Args:
        mean_strain: uniform strain components that are global unknowns.
        given: values of some of them: number, or `Course` in time [1].
        bending: a `WireBending`: stretch, curvatures and twist of a wire.
    """

    mean_strain: tuple[str, ...] = eqx.field(static=True, default=(), converter=_strain_names)
    given: dict[str, Any] = _given()
    bending: AbstractBending | None = None
    dim: ClassVar[int] = 3

    def weight(self, x: Vector) -> Scalar:
        """1"""
        return 1.0

    def rigid_modes(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "modes dim n"]:
        """Three translations and three rotations."""
        r = points - points.mean(0)
        r = r / np.abs(r).max()
        one, zero = np.ones(len(r)), np.zeros(len(r))
        x, y, z = r.T
        return np.array([
            [one, zero, zero], [zero, one, zero], [zero, zero, one],
            [-y, x, zero], [z, zero, -x], [zero, -z, y],
        ])  # fmt: skip
