"""No compiled kernel holds an array of the mesh's size: what it compiles to is the same for every mesh."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech.evolution import Evolution
from chemomech.fem.mesh import box, rectangle
from chemomech.kernels import Kernels

LARGEST = 32  # entries of a table that depends on the element alone
LFP = cm.materials.load("LiFePO4")


def constants(text: str) -> list[int]:
    """Numbers of entries of all constants that are not one value repeated."""
    found = re.findall(r"constant dense<[\[\"][^>]*>\s*:\s*tensor<((?:\d+x)*)\w+>", text)
    return [int(np.prod([int(n) for n in shape.split("x") if n])) for shape in found]


def plane(n):
    """Reaction on the boundary, diffusion, elasticity with a strain to be found, parameters that vary by cell."""
    mesh = rectangle(40e-9, 40e-9, n, n)
    scatter = cm.PerCell(1e-14 * np.random.default_rng(0).uniform(1, 2, len(mesh.cells)))
    return cm.Problem.build(
        mesh, host=LFP.host, kinematics=cm.GeneralisedPlaneStrain(thickness="20 nm"),
        potentials=[
            cm.Stored(cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"})), cm.Storage(), cm.Diffusion(scatter),
            cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", on="boundary"),
        ],
        constraints=[cm.Fixed("u.x", on="left")],
    )  # fmt: skip


def solid(n):
    """Tetrahedra."""
    return cm.Problem.build(
        box(40e-9, 40e-9, 40e-9, n, n, n), host=LFP.host,
        potentials=[cm.Stored(cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"})), cm.Storage(), cm.Diffusion(1e-14)],
    )  # fmt: skip


def kernels(problem, linear, monkeypatch) -> dict[str, str]:
    """The lowered text of the kernels of a step and its measures, by the name of its function.

    None is compiled: what it would give is replaced by zeros. A real step calls no others (tested below).
    """
    texts: dict[str, str] = {}
    compiled = Kernels.compiled

    def lowered(self, function):
        def call(*args):
            made = compiled(self, function).lower(*args)
            texts.setdefault(function.__name__, made.as_text())
            return jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), made.out_info)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(Kernels, "compiled", lowered)
        evolution = Evolution(problem, cm.Newton(linear=linear))
        x = evolution.start(problem.uniform(0.5))
        now, drive = evolution.expand(x), problem.drive()
        evolution.residual(x, (now, now, 0.0, 1.0), drive)
        tangent = evolution.tangent(x, (now, now, 0.0, 1.0), drive)
        if linear.knows_fields:
            tangent.scalars(), tangent.coefficients()
        evolution.limit(x, x), evolution.norms(x)
        evolution.measures(x), evolution.current(x), evolution.mean(x)
    return texts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "linear"),
    [(plane, cm.Krylov()), (plane, cm.HostDirect()), (solid, cm.Krylov())],
    ids=lambda v: getattr(v, "__name__", type(v).__name__),
)
def test_kernels_do_not_know_the_mesh(make, linear, monkeypatch):
    """Two mesh sizes: the same kernels, no longer text, and only constants of the element's size."""
    sizes = (3, 6) if make is solid else (4, 12)
    small, large = (kernels(make(n), linear, monkeypatch) for n in sizes)
    assert set(small) == set(large)
    assert {"constants", "expand", "_residual", "_norms", "step_limit", "measures", "content"} <= set(large)
    krylov = {"varying", "steady", "scalar_matrices", "coefficients"}
    assert (krylov if isinstance(linear, cm.Krylov) else {"_tangent"}) <= set(large)
    for name, text in large.items():
        assert max(constants(text), default=0) <= LARGEST, name
        assert len(text) <= 1.02 * len(small[name]) + 500, name  # longer only by the digits of its shapes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "linear"), [(plane, cm.Krylov()), (plane, cm.HostDirect()), (solid, cm.Krylov())],
    ids=lambda v: getattr(v, "__name__", type(v).__name__),
)  # fmt: skip
def test_a_step_calls_no_other_kernels(make, linear, monkeypatch):
    """The list above is that of a step which is really taken."""
    problem, called = make(4), set()
    known, compiled = set(kernels(problem, linear, monkeypatch)), Kernels.compiled
    monkeypatch.setattr(Kernels, "compiled", lambda self, f: called.add(f.__name__) or compiled(self, f))
    evolution = Evolution(problem, cm.Newton(linear=linear))
    volts = {"V": 3.4} if "V" in problem.scalars else {}
    x = evolution.start(problem.state(c=lambda p: 0.5 + 0.3 * np.tanh((p[:, 0] - 2e-8) / 5e-9), **volts))
    result = evolution.backward_euler(x, 1e-3, drive=problem.drive(V=("value", 3.4)))
    assert result.converged, result.reason
    evolution.measures(result.x), evolution.current(result.x), evolution.mean(result.x)
    assert called <= known


def test_a_closure_would_be_found():
    """What the test above looks for."""
    table = jnp.asarray(np.random.default_rng(0).normal(size=1000))
    text = jax.jit(lambda v: v * table).lower(table).as_text()
    assert constants(text) == [1000]
