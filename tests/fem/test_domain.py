"""The reverse pass of values at quadrature points, which is written out, against the one that JAX derives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.fem import domain
from chemomech.fem.elements import DEFAULT_DEGREE
from chemomech.fem.mesh import Mesh, box, elevate, rectangle

MESHES = {
    "triangles": lambda: rectangle(1.0, 1.0, 3, 2),
    "quadratic triangles": lambda: elevate(rectangle(1.0, 1.0, 2, 2)),
    "one triangle": lambda: Mesh.build([[0, 0], [1, 0], [0.2, 0.8]], [[0, 1, 2]], "triangle"),
    "quads": lambda: rectangle(1.0, 1.0, 2, 2, "quad"),
    "tetrahedra": lambda: box(1.0, 1.0, 1.0, 2, 1, 1),
}


def made(name: str, place: str) -> domain.Domain:
    mesh = MESHES[name]()
    points, degree = jnp.asarray(mesh.points), DEFAULT_DEGREE[mesh.cell_type]
    if place == "cells":
        return domain.over_cells(mesh, points, np.arange(len(mesh.cells)), degree)
    return domain.over_facets(mesh, points, mesh.facets("boundary"), max(degree, 3))


SOME = [pytest.param(name, marks=[] if name == "triangles" else [pytest.mark.slow]) for name in MESHES]


def judged(reader: domain.Domain, Z, skip: bool):
    """A scalar of all values at points, or of the gradient of one field and the value of another."""
    first, second = reader.at_points(Z)
    rows = [first[1], second[0]] if skip else [*first, *second]
    return sum(jnp.sum(reader.weight * jnp.sin((k + 1) * v)) for k, v in enumerate(rows))


@pytest.mark.parametrize("skip", [False, True], ids=["all", "few"])
@pytest.mark.parametrize("place", ["cells", "facets"])
@pytest.mark.parametrize("name", SOME)
def test_reverse_pass(name, place, skip):
    """First derivatives by nodal values and shape functions, and their own derivatives along a direction."""
    plain = made(name, place)
    rng, nodes = np.random.default_rng(0), int(np.max(plain.nodes)) + 1
    x = (plain.N, plain.dN, jnp.asarray(rng.normal(size=(2, nodes))))
    along = jax.tree.map(lambda v: jnp.asarray(rng.normal(size=v.shape)), x)

    def slopes(*, backward):
        def of(N, dN, Z):
            return judged(dataclasses.replace(plain, N=N, dN=dN, backward=backward), Z, skip)

        return jax.jit(lambda x, along: jax.jvp(jax.grad(lambda x: of(*x)), (x,), (along,)))(x, along)

    right, found = slopes(backward=False), slopes(backward=True)
    assert all(np.any(v) for v in jax.tree.leaves(right[0][2]))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * np.max(np.abs(b)))
