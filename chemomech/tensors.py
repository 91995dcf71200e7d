"""Vectors and tensors as sets of components, so that a density reads like mathematics and XLA sees whole arrays.

A component is a scalar at one point to the reader and an array over (points, elements) underneath. A Python zero is
an exact zero: products with it vanish before tracing, which keeps 2-D problems as cheap as hand-written ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

Component = Any  # a float or an array over (points, elements)
POINTS = 24  # of the rule for a logarithm
TERMS = 24  # of the series for an exponential


def _is_zero(a: Component) -> bool:
    return isinstance(a, float | int) and a == 0


def mul(a: Component, b: Component) -> Component:
    """a b, with exact Python zeros dropped."""
    return 0.0 if _is_zero(a) or _is_zero(b) else a * b


def add(*terms: Component) -> Component:
    """Sum of components, with exact Python zeros dropped."""
    kept = [t for t in terms if not _is_zero(t)]
    return sum(kept[1:], kept[0]) if kept else 0.0


def _map(f: Callable, *tensors: Any) -> Any:
    names = tensors[0].__dataclass_fields__
    return type(tensors[0])(*(f(*(getattr(t, n) for t in tensors)) for n in names))


class _Components(eqx.Module):
    def __add__(self, other):
        return _map(add, self, other)

    def __sub__(self, other):
        return _map(lambda a, b: add(a, mul(-1.0, b)), self, other)

    def __mul__(self, factor):
        return _map(lambda a: mul(a, factor), self)

    __rmul__ = __mul__

    def __truediv__(self, factor):
        return _map(lambda a: 0.0 if _is_zero(a) else a / factor, self)

    def __neg__(self):
        return _map(lambda a: mul(-1.0, a), self)


class Vector(_Components):
    """A vector with components x, y, z."""

    x: Component = 0.0
    y: Component = 0.0
    z: Component = 0.0

    def dot(self, other: Vector) -> Component:
        """a . b"""
        return add(mul(self.x, other.x), mul(self.y, other.y), mul(self.z, other.z))

    def transformed(self, matrix: Any) -> Vector:
        """A a, with A a 3 x 3 matrix of components."""
        v = (self.x, self.y, self.z)
        return Vector(*(add(*(mul(entry(matrix, i, j), v[j]) for j in range(3))) for i in range(3)))


class Tensor(_Components):
    """A second-order tensor with nine components, such as the displacement gradient H_ij = du_i/dx_j."""

    xx: Component = 0.0
    xy: Component = 0.0
    xz: Component = 0.0
    yx: Component = 0.0
    yy: Component = 0.0
    yz: Component = 0.0
    zx: Component = 0.0
    zy: Component = 0.0
    zz: Component = 0.0

    @property
    def sym(self) -> Sym:
        """(H + H^T) / 2"""

        def half(a, b):
            return mul(0.5, add(a, b))

        return Sym(self.xx, self.yy, self.zz, half(self.yz, self.zy), half(self.xz, self.zx), half(self.xy, self.yx))

    @property
    def green(self) -> Sym:
        """Green's strain of a displacement gradient, (H + H^T + H^T H) / 2, which no rotation changes."""
        return self.sym + _gram(self.rows()) * 0.5

    @property
    def cofactor(self) -> Tensor:
        """det(F) F^-T, which turns areas into areas."""
        (a, b, c), (d, e, f), (g, h, i) = self.rows()
        return Tensor(
            _minor(e, f, h, i), _minor(f, d, i, g), _minor(d, e, g, h),
            _minor(h, i, b, c), _minor(i, g, c, a), _minor(g, h, a, b),
            _minor(b, c, e, f), _minor(c, a, f, d), _minor(a, b, d, e),
        )  # fmt: skip

    @property
    def det(self) -> Component:
        """The determinant."""
        minors = self.cofactor
        return add(mul(self.xx, minors.xx), mul(self.xy, minors.xy), mul(self.xz, minors.xz))

    def rows(self) -> tuple[tuple[Component, ...], ...]:
        """The components as nested tuples."""
        return ((self.xx, self.xy, self.xz), (self.yx, self.yy, self.yz), (self.zx, self.zy, self.zz))

    def transformed(self, matrix: Any) -> Tensor:
        """A H A^T, with A a 3 x 3 matrix of components."""
        return Tensor(*_sandwich(matrix, self.rows()))


class Sym(_Components):
    """A symmetric second-order tensor, components in the order xx, yy, zz, yz, xz, xy (Voigt's)."""

    xx: Component = 0.0
    yy: Component = 0.0
    zz: Component = 0.0
    yz: Component = 0.0
    xz: Component = 0.0
    xy: Component = 0.0

    @property
    def trace(self) -> Component:
        """a_kk"""
        return add(self.xx, self.yy, self.zz)

    @property
    def dev(self) -> Sym:
        """a - tr(a)/3 I"""
        mean = mul(-1.0 / 3.0, self.trace)
        return Sym(add(self.xx, mean), add(self.yy, mean), add(self.zz, mean), self.yz, self.xz, self.xy)

    def ddot(self, other: Sym) -> Component:
        """a : b = a_ij b_ij"""
        normal = add(mul(self.xx, other.xx), mul(self.yy, other.yy), mul(self.zz, other.zz))
        shear = add(mul(self.yz, other.yz), mul(self.xz, other.xz), mul(self.xy, other.xy))
        return add(normal, mul(2.0, shear))

    @property
    def square(self) -> Sym:
        """a a"""
        return _gram(self.rows())

    @property
    def second(self) -> Component:
        """The second invariant, (tr(a)^2 - a:a) / 2"""
        pairs = ((self.xx, self.yy), (self.yy, self.zz), (self.zz, self.xx))
        shears = (mul(-1.0, mul(v, v)) for v in (self.yz, self.xz, self.xy))
        return add(*(mul(a, b) for a, b in pairs), *shears)

    @property
    def full(self) -> Tensor:
        """The same as a tensor of nine components."""
        return Tensor(*(entry for row in self.rows() for entry in row))

    @property
    def det(self) -> Component:
        """The determinant."""
        return self.full.det

    @property
    def inverse(self) -> Sym:
        """a^-1"""
        return self.full.cofactor.sym / self.det

    @property
    def exp(self) -> Sym:
        """The exponential, smooth also where eigenvalues meet; exact to 1e-13 for deviators up to 3.

        exp(a) = exp(tr a/3) (p I + q s + r s^2), s = dev a, with the power series of p, q, r by Cayley and Hamilton.
        """
        s = self.dev
        second, third = s.second, s.det
        power, total = (1.0, 0.0, 0.0), [1.0, 0.0, 0.0]  # of s^n / n!, and of their sum
        for n in range(1, TERMS + 1):
            p, q, r = power
            power = (mul(third, r), add(p, mul(-1.0, mul(second, r))), q)
            power = tuple(mul(1.0 / n, v) for v in power)
            total = [add(a, b) for a, b in zip(total, power, strict=True)]
        return _polynomial(s, total) * jnp.exp(self.trace / 3.0)

    @property
    def log(self) -> Sym:
        """The logarithm of a positive definite tensor, smooth also where eigenvalues meet.

        ln(I + x) = integral of x (I + t x)^-1 over t from 0 to 1 by Gauss's rule, with the inverse by Cayley and
        Hamilton. Exact to round-off for eigenvalues between 1/4 and 4, to 4e-13 between 0.09 and 9.
        """
        x = self - IDENTITY
        first, second, third = x.trace, x.second, x.det
        sums = [_resolvent(k, 1, first, second, third) for k in range(3)]
        return _polynomial(x, (mul(sums[2], third), add(sums[0], mul(sums[1], first)), mul(-1.0, sums[1])))

    def rows(self) -> tuple[tuple[Component, ...], ...]:
        """The components as nested tuples."""
        return ((self.xx, self.xy, self.xz), (self.xy, self.yy, self.yz), (self.xz, self.yz, self.zz))

    def transformed(self, matrix: Any) -> Sym:
        """A a A^T, with A a 3 x 3 matrix of components."""
        xx, xy, xz, _, yy, yz, _, _, zz = _sandwich(matrix, self.rows())
        return Sym(xx, yy, zz, yz, xz, xy)

    def voigt(self) -> tuple[Component, ...]:
        """Strain in Voigt's notation: (xx, yy, zz, 2 yz, 2 xz, 2 xy)."""
        return (self.xx, self.yy, self.zz, mul(2.0, self.yz), mul(2.0, self.xz), mul(2.0, self.xy))


IDENTITY = Sym(1.0, 1.0, 1.0)


def _polynomial(a: Sym, coefficients: Any) -> Sym:
    """p I + q a + r a^2"""
    p, q, r = coefficients
    return IDENTITY * p + a * q + a.square * r


def _minor(a: Component, b: Component, c: Component, d: Component) -> Component:
    return add(mul(a, d), mul(-1.0, mul(b, c)))


def _gram(rows: tuple[tuple[Component, ...], ...]) -> Sym:
    """A^T A"""
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    return Sym(*(add(*(mul(row[i], row[j]) for row in rows)) for i, j in pairs))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _resolvent(k: int, n: int, first: Component, second: Component, third: Component) -> Component:
    """Gauss's sum of w t^k / det(I + t x)^n over t from 0 to 1, by the invariants of x.

    Its derivatives are sums of the same kind, which derivatives in all directions share.
    """
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    shape = (-1, *(1,) * max(map(np.ndim, (first, second, third))))
    t, w = (0.5 + 0.5 * points).reshape(shape), (0.5 * weights).reshape(shape)
    det = 1.0 + t * (first + t * (second + t * third))
    return jnp.tensordot((w * t**k).ravel(), det**-n, axes=1)


@_resolvent.defjvp
def _resolvent_jvp(k, n, invariants, moved):
    slopes = [-n * _resolvent(k + p, n + 1, *invariants) for p in (1, 2, 3)]
    return _resolvent(k, n, *invariants), sum(slope * along for slope, along in zip(slopes, moved, strict=True))


def entry(matrix: Any, i: int, j: int) -> Component:
    """Component (i, j) of an array or of a nested tuple; NumPy's zeros become exact zeros."""
    entry = matrix[i][j] if isinstance(matrix, tuple | list) else matrix[i, j]
    return float(entry) if isinstance(entry, np.floating | np.integer) else entry


def _sandwich(matrix: Any, rows: tuple[tuple[Component, ...], ...]) -> list[Component]:
    half = [[add(*(mul(entry(matrix, i, k), rows[k][j]) for k in range(3))) for j in range(3)] for i in range(3)]
    return [add(*(mul(half[i][k], entry(matrix, j, k)) for k in range(3))) for i in range(3) for j in range(3)]


def quadratic(matrix: Any, v: tuple[Component, ...]) -> Component:
    """1/2 v . A v for a matrix of any size (6 x 6 stiffness in Voigt's notation, 3 x 3 tensor)."""
    rows = [add(*(mul(entry(matrix, i, j), v[j]) for j in range(len(v)))) for i in range(len(v))]
    return mul(0.5, add(*(mul(v[i], rows[i]) for i in range(len(v)))))


def xlogx(c: Component) -> Component:
    """c ln c, with 0 and a finite derivative for c <= 0 (never NaN, so gradients stay finite)."""
    positive = c > 0
    safe = jnp.where(positive, c, 1.0)
    return jnp.where(positive, safe * jnp.log(safe), 0.0)


def safe_exp(x: Component, limit: float = 60.0) -> Component:
    """exp(x) up to x = limit, then its tangent: no overflow on the way to a converged overpotential."""
    clipped = jnp.minimum(x, limit)
    return jnp.exp(clipped) * (1.0 + x - clipped)


def inverse_form(A: Any, b: Any) -> Component:
    """b . A^-1 b of a symmetric positive definite matrix, by elimination written out.

    Args:
        A: its rows of components, A[i][j]; those below the diagonal are read.
        b: components.
    """
    total, left, size = 0.0, list(b), range(len(b))
    rest = {(i, j): A[i][j] for i in size for j in range(i + 1)}
    for k in size:
        total = total + left[k] ** 2 / rest[k, k]
        for i in size[k + 1 :]:
            factor = rest[i, k] / rest[k, k]
            left[i] = left[i] - factor * left[k]
            rest |= {(i, j): rest[i, j] - factor * rest[j, k] for j in range(k + 1, i + 1)}
    return total
