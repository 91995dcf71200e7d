"""Bodies in one number, the composition: what strain is left to an energy once its body has moved as it may."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ..density import AbstractFreeEnergy, Local, Scalar
from ..errors import ConfigError
from ..physics import checks
from ..physics.eigenstrain import as_sym, symmetric
from ..tensors import Sym, Tensor, inverse_form
from ..units import param, parse
from . import roots
from .landscape import domain_of

Z = (0.0, 0.0, 1.0)


class Free(AbstractFreeEnergy):
    """psi of a uniform body whose surface carries a given stress:  min over eps of  psi(c, eps) - stress : eps

    Without stress each phase takes its own shape; the phase diagram is that of separate particles. The minimum is one
    Newton step: psi is quadratic in the strain.

    Args:
        psi: stored energy.
        stress: 1 (hydrostatic tension), 3, 6 or 3 x 3 components in crystal axes [Pa].

    Raises:
        ConfigError: psi is an energy of finite strain.
    """

    name: ClassVar[str] = "free body"
    psi: AbstractFreeEnergy
    stress: Any = param("Pa", default=None, doc="stress on the surface")

    def __init__(self, psi: AbstractFreeEnergy, stress: Any = None):
        self.psi = psi
        self.stress = symmetric(parse(stress, "Pa", name="Free.stress"))

    def __check_init__(self):
        require_small(self.psi, "Free")

    @property
    def domain(self) -> tuple[float, float] | None:
        """That of psi."""
        return domain_of(self.psi)

    def __call__(self, s: Local) -> Scalar:
        load = None if self.stress is None else as_sym(self.stress)

        def energy(e):
            strain = Sym(*e)
            stored = self.psi(s.replace(H=Tensor(*(v for row in strain.rows() for v in row))))
            return stored if load is None else stored - load.ddot(strain)

        return _least(energy, 6)


def require_small(psi: AbstractFreeEnergy, where: str) -> None:
    """Accept energies that are quadratic in strain, whose minimum is one Newton step.

    Raises:
        ConfigError: psi is an energy of finite strain.
    """
    if psi.finite:
        raise ConfigError(
            f"{where}: {type(psi).__name__} is an energy of finite strain. Its minimum over strains is not known here; "
            "give a LinearElastic energy."
        )


class Layer(AbstractFreeEnergy):
    """psi of a flat layer held at an in-plane strain, its faces free:  min over a of  psi(c, strain + a n)

    A film on its substrate, or one lamella of a coherent stack: for a misfit linear in c and a uniform stiffness
    psi = f(c) + B(n)/2 (c - c_mean)^2, with the B(n) of `coherency`.

    Args:
        psi: stored energy.
        normal: of the layer, in crystal axes, any length.
        strain: the strain it is held at, as 1, 3, 6 or 3 x 3 components; those along the normal do not matter [1].

    Raises:
        ConfigError: the normal has no direction, or psi is an energy of finite strain.

    Source: Khachaturyan, Theory of Structural Transformations in Solids (1983).
    """

    name: ClassVar[str] = "layer"
    psi: AbstractFreeEnergy
    normal: Any = param("1", default=Z, doc="normal of the layer")
    strain: Any = param("1", default=0.0, doc="strain in the plane of the layer")

    def __init__(self, psi: AbstractFreeEnergy, normal: Any = Z, strain: Any = 0.0):
        self.psi = psi
        traced = isinstance(normal, list | tuple) and any(isinstance(n, jax.Array) for n in normal)
        self.normal = jnp.stack(normal) if traced else parse(normal, "1", name="Layer.normal")
        self.strain = symmetric(strain)

    def __check_init__(self):
        require_small(self.psi, "Layer")
        if checks.is_concrete(self.normal):
            check_direction(self.normal, "Layer.normal")

    @property
    def domain(self) -> tuple[float, float] | None:
        """That of psi."""
        return domain_of(self.psi)

    def __call__(self, s: Local) -> Scalar:
        n = self.normal / jnp.sqrt(jnp.sum(jnp.asarray(self.normal) ** 2))
        held = as_sym(self.strain).rows()

        def energy(a):
            return self.psi(s.replace(H=Tensor(*(held[i][j] + a[i] * n[j] for i in range(3) for j in range(3)))))

        return _least(energy, 3)


def check_direction(normal: Any, name: str) -> None:
    """Three finite numbers, not all zero; tracers pass.

    Raises:
        ConfigError: the normal has no direction.
    """
    if isinstance(normal, jax.core.Tracer):
        return
    n = np.asarray(normal)
    if n.shape != (3,) or not np.any(n) or not np.isfinite(n).all():
        raise ConfigError(f"{name} = {normal} has no direction. Give three components, such as {Z}.")


class Stiffening(AbstractFreeEnergy):
    """psi = modulus/2 (c - c_mean)^2

    What every composition wave of a body costs at least: a coherency modulus known as a number, or kappa k^2 of the
    longest wave that has room. Added to a chemical energy it gives the spinodal and the gap of such a body.

    Args:
        modulus: twice the energy per square of the amplitude [J/m^3].
        c_mean: composition at which there is none [1].
    """

    name: ClassVar[str] = "stiffening"
    modulus: Scalar = param("J/m^3", doc="twice the energy of a composition wave per square of its amplitude")
    c_mean: Scalar = param("1", default=0.5, doc="composition at which it is zero")

    def __call__(self, s: Local) -> Scalar:
        return 0.5 * self.modulus * (s.c - self.c_mean) ** 2


def _least(energy: Any, unknowns: int) -> Scalar:
    """The minimum of a quadratic function; where it does not depend on its argument at all, its value."""
    (value, slope), (_, K) = roots.linearised(lambda a: roots.linearised(energy, a), jnp.zeros(unknowns))
    idle = jnp.trace(K) == 0
    return value - 0.5 * jnp.where(idle, 0.0, inverse_form(jnp.where(idle, jnp.eye(unknowns), K), slope))
