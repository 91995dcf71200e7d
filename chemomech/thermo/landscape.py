"""A free energy as a function of composition alone: energy, chemical potential, curvature, and a grid to look at it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, Host, Local, Scalar
from ..errors import ChemomechError, ConfigError
from ..tensors import Vector

SPAN = (-0.5, 1.5)  # of an energy without a domain: its wells may lie at 0 and 1
TURNS = 4  # in which a grid is evaluated
NEAR = 1e-9  # of an open domain: what counts as its end
FARTHEST = 18.0  # |ln(c/(1-c))| of the outermost compositions of an open domain
Curve = Callable[[Scalar], Scalar]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function compiled once for all values of its numbers: floats are traced, whole numbers and texts are not."""
    run = eqx.filter_jit(function)

    @functools.wraps(function)
    def call(*arguments, **named):
        return run(*jax.tree.map(_traced, arguments), **jax.tree.map(_traced, named))

    return cast(Function, call)


def _traced(value: Any) -> Any:
    return jnp.asarray(value) if isinstance(value, float) else value


def energy(psi: AbstractFreeEnergy, host: Host, c: Scalar) -> Scalar:
    """psi at composition c without gradients [J/m^3].

    Raises:
        ConfigError: psi needs more than a composition, such as a strain.
    """
    zero = jnp.zeros_like(jnp.asarray(c, dtype=float))
    still = Vector(zero, zero, zero)
    try:
        return psi(Local({"c": jnp.asarray(c, dtype=float), "grad_c": still}, host, still, zero, zero))
    except ConfigError:
        raise
    except ChemomechError as error:
        raise ConfigError(
            f"This is no energy of composition alone. {str(error).split('.')[0]}. Say how the body may move: Free(psi) "
            "for a stress-free one, Layer(psi, normal) for a coherent lamella or a film."
        ) from None


def scaled(psi: AbstractFreeEnergy, host: Host) -> Curve:
    """c -> psi/(R T c_max) [1]; its derivative is mu/(R T)."""
    return lambda c: energy(psi, host, c) / (host.RT * host.c_max)


def potential(psi: AbstractFreeEnergy, host: Host, c: Scalar) -> Scalar:
    """mu = (1/c_max) dpsi/dc [J/mol]; -inf and inf from the ends of an open domain on, as of the ideal entropy."""
    c = jnp.asarray(c, dtype=float)
    return with_ends(psi, c, slope(scaled(psi, host))(c) * host.RT, -jnp.inf)


def curvature(psi: AbstractFreeEnergy, host: Host, c: Scalar) -> Scalar:
    """d2psi/dc2 [J/m^3]; inf from the ends of an open domain on."""
    c = jnp.asarray(c, dtype=float)
    return with_ends(psi, c, second(scaled(psi, host))(c) * host.RT * host.c_max, jnp.inf)


def with_ends(psi: AbstractFreeEnergy, c: Scalar, value: Scalar, at_low: float) -> Scalar:
    """The value inside the energy's domain, and what it tends to outside."""
    domain = domain_of(psi)
    if domain is None:
        return value
    return jnp.where(c <= domain[0], at_low, jnp.where(c >= domain[1], jnp.inf, value))


def domain_of(psi: AbstractFreeEnergy) -> tuple[float, float] | None:
    """The open interval in which all terms of an energy are defined; None: no limits."""
    domains = [term.domain for term in psi.terms() if term.domain is not None]
    return (max(low for low, _ in domains), min(high for _, high in domains)) if domains else None


def require_inside(psi: AbstractFreeEnergy, c: Any) -> None:
    """A composition that may be looked at must lie inside the energy's domain; tracers pass.

    Raises:
        ConfigError: it lies at an end, where mu is infinite, or outside.
    """
    domain = domain_of(psi)
    if domain is None or c is None or isinstance(c, jax.core.Tracer):
        return
    outside = ~((np.asarray(c) > domain[0]) & (np.asarray(c) < domain[1]))
    if outside.any():
        raise ConfigError(
            f"c = {np.asarray(c)[outside].ravel()[0]} does not lie between {domain[0]:g} and {domain[1]:g}, at which "
            "the chemical potential is infinite. Take a composition inside, such as "
            f"{domain[0] + NEAR * (domain[1] - domain[0]):g}."
        )


def inside(psi: AbstractFreeEnergy, c: Scalar) -> Scalar:
    """The composition, moved off the ends of the energy's domain by 1e-9 of it: for quantities with a limit there."""
    domain = domain_of(psi)
    if domain is None:
        return jnp.asarray(c, dtype=float)
    margin = NEAR * (domain[1] - domain[0])
    return jnp.clip(jnp.asarray(c, dtype=float), domain[0] + margin, domain[1] - margin)


def slope(f: Curve) -> Curve:
    """f', forwards: of one variable the smaller program."""
    return lambda c: jax.jvp(f, (c,), (jnp.ones_like(c),))[1]


def second(f: Curve) -> Curve:
    """f''"""
    return slope(slope(f))


def span_of(psi: AbstractFreeEnergy, span: tuple[float, float] | None = None) -> tuple[float, float]:
    """The compositions that are looked at: as given, the energy's own domain, those of its table, or (-0.5, 1.5)."""
    if span is not None:
        if not span[0] < span[1]:
            raise ConfigError(f"span = {span}: the smaller composition comes first.")
        return span
    domain = domain_of(psi)
    if domain is not None:
        return domain
    tables = [np.asarray(t.knots) for t in psi.terms() if isinstance(getattr(t, "knots", None), np.ndarray)]
    return (float(tables[0][0]), float(tables[0][-1])) if tables else SPAN


class Grid(NamedTuple):
    """Increasing compositions, half of them even; of an open domain (0, 1) the others crowd towards its ends.

    Plain numbers, so that a compiled function knows them.
    """

    low: float
    high: float
    count: int
    open: bool

    @property
    def points(self) -> Float[np.ndarray, " n"]:
        """The compositions [1]."""
        if not self.open:
            return np.linspace(self.low, self.high, self.count)
        crowded = 1.0 / (1.0 + np.exp(-np.linspace(-FARTHEST, FARTHEST, self.count // 2)))
        return np.union1d(crowded, np.linspace(self.low, self.high, self.count - self.count // 2 + 2)[1:-1])


def require_number(value: Any, name: str, unit: str) -> None:
    """A number that may be looked at must not be NaN; tracers pass.

    Raises:
        ConfigError: it is.
    """
    if _is_nan(value):
        raise ConfigError(f"{name} is NaN, not a number of {unit}. Check where it comes from.")


def require_numbers(psi: AbstractFreeEnergy) -> None:
    """No parameter of an energy that may be looked at is NaN: of such an energy no phase could be told.

    Raises:
        ConfigError: one is.
    """
    if any(_is_nan(leaf) for leaf in jax.tree.leaves(psi)):
        raise ConfigError(f"A parameter of the energy is NaN: {psi}. Check where its numbers come from.")


def grid_of(psi: AbstractFreeEnergy, span: tuple[float, float] | None, count: int) -> Grid:
    """The compositions that are looked at, see `span_of`.

    Raises:
        ConfigError: fewer than three, or a parameter of psi is NaN, of which no phase could be told.
    """
    if count < 3:
        raise ConfigError(f"count = {count}: a phase diagram looks at three compositions at least. 401 is usual.")
    require_numbers(psi)
    low, high = span_of(psi, span)
    mixing = any(term.domain == (0.0, 1.0) for term in psi.terms())  # mu goes to infinity at both ends
    return Grid(low, high, count, mixing and (low, high) == (0.0, 1.0))


def _is_nan(leaf: Any) -> bool:
    """Whether a number that may be looked at is NaN; tracers pass."""
    known = isinstance(leaf, float | np.ndarray | jax.Array) and not isinstance(leaf, jax.core.Tracer)
    return (
        known
        and np.issubdtype(leaf.dtype if hasattr(leaf, "dtype") else float, np.floating)
        and bool(np.isnan(leaf).any())
    )


def on_grid(
    derivative: Callable[[Curve], Curve], psi: AbstractFreeEnergy, host: Host, c: Float[Array, " n"]
) -> Float[Array, " n"]:
    """psi/(R T c_max), or a derivative of it, at every composition; to look at, without derivatives of its own.

    Evaluated in a loop of few turns, which keeps the numbers: otherwise XLA computes them again in each of their uses.

    Args:
        derivative: such as `second`.
        psi: an energy of composition.
        host: shared constants.
        c: compositions [1].
    """
    f = derivative(scaled(*jax.lax.stop_gradient((psi, host))))
    rows = np.minimum(np.arange(-(-len(c) // TURNS) * TURNS), len(c) - 1).reshape(TURNS, -1)
    return jax.lax.map(jax.vmap(f), jnp.asarray(c)[rows]).ravel()[: len(c)]
