"""Gradients that are known exactly: how stress scales with stiffness, misfit, size and diffusivity of the same run.

Where stress does not drive diffusion, it is proportional to stiffness and to misfit; a discrete run depends on the size
R and the diffusivity D through D/R^2 alone.
"""

import equinox as eqx
import jax
import numpy as np
import pytest

import chemomech as cm
from chemomech import design
from chemomech.fem.mesh import box, rectangle

jax.config.update("jax_enable_x64", True)
SOFT = 1e-9  # E Omega^2 against R T: what stress does to diffusion is below 1e-9


def body(dim: int) -> tuple[cm.Problem, cm.State]:
    mesh = rectangle(1.0, 1.0, 6, 6) if dim == 2 else box(1.0, 1.0, 1.0, 3, 3, 3)
    elastic = cm.LinearElastic.isotropic(SOFT, 0.3, cm.Vegard(0.1, c_ref=0.4))
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored([cm.RegularSolution(chi=1.0), elastic]), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    return problem, problem.state(c=lambda x: 0.4 + 0.2 * np.cos(np.pi * x[:, 0]) + 0.1 * x[:, 1])


def euler(tree, slope) -> float:
    """x . dJ/dx: the degree of homogeneity times J."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(slope), strict=True)
    return float(sum(np.sum(np.asarray(x) * np.asarray(g)) for x, g in pairs))


def found(tree, kind):
    """The one object of a kind."""
    (only,) = [v for v in jax.tree.leaves(tree, is_leaf=lambda v: isinstance(v, kind)) if isinstance(v, kind)]
    return only


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("linear", ["HostDirect", "Krylov"])
def test_stress_of_a_diffusing_body(dim, linear):
    problem, state = body(dim)
    newton = cm.Newton(linear=getattr(cm, linear)(), test=cm.UpdateTest(1e-12))
    observe = {"stress": design.StressPeak("hydrostatic", 4)}

    @eqx.filter_value_and_grad
    def stress(problem):
        run = cm.simulate(problem, state, cm.Closed(until={"time": 0.05}), newton=newton, frames=0, observe=observe)
        return run.stress[-1]

    value, slope = stress(problem)
    elastic, moved = (found(p.potentials, cm.LinearElastic) for p in (problem, slope))
    vegard, strained = (found(p.potentials, cm.Vegard) for p in (problem, slope))
    assert float(value) > 0
    assert euler(elastic.C, moved.C) / value == pytest.approx(1.0, abs=1e-6)
    assert euler(vegard.strain, strained.strain) / value == pytest.approx(1.0, abs=1e-6)
    diffusion, faster = (found(p.potentials, cm.Diffusion) for p in (problem, slope))
    by_D = euler(diffusion, faster)
    assert abs(by_D) > 0.01 * value
    assert euler(problem.mesh.points, slope.mesh.points) / by_D == pytest.approx(-2.0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_stress_of_a_given_composition(dim):
    """The integral of its square grows as E^2, as Omega^2 and as R^dim."""
    problem, state = body(dim)
    elastic = cm.LinearElastic.isotropic(300.0, 0.3, cm.Vegard(0.1, c_ref=0.4))
    problem = cm.Problem.build(
        problem.mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), potentials=[cm.Stored([elastic])],
        constraints=[cm.Fixed("c", value=lambda x: 0.4 + 0.2 * np.cos(np.pi * x[:, 0]) * x[:, 1])],
    )  # fmt: skip
    newton = cm.Newton(linear=cm.HostDirect(), test=cm.UpdateTest(1e-12))

    @eqx.filter_value_and_grad
    def squared(problem):
        stress = design.StressPeak("von_mises", 2)(problem, cm.solve_static(problem, newton=newton))
        return stress**2 * design.volume(problem.mesh, problem.mesh.points)

    value, slope = squared(problem)
    stiff, moved = (found(p.potentials, cm.LinearElastic) for p in (problem, slope))
    assert float(value) > 0
    assert euler(stiff.C, moved.C) / value == pytest.approx(2.0, abs=2e-6)
    assert euler(stiff.eigenstrain.strain, moved.eigenstrain.strain) / value == pytest.approx(2.0, abs=2e-6)
    assert euler(problem.mesh.points, slope.mesh.points) / value == pytest.approx(dim, abs=1e-6)
