"""One coupled step on several devices, run by test_kernels.py in processes of its own.

usage: step_on_devices.py OUT.npz MESH LINEAR DEVICES [COORDINATOR PROCESSES RANK]
"""

import sys

import jax
import numpy as np

import chemomech as cm
from chemomech.fem.mesh import box, elevate, rectangle

L = 20e-9
MESHES = {
    "triangles": lambda: rectangle(L, L, 5, 4),
    "tetrahedra": lambda: box(L, L, L, 3, 2, 2),
    "quadratic": lambda: elevate(rectangle(L, L, 3, 3)),
}
LINEAR = {"direct": cm.HostDirect(), "krylov": cm.Krylov(), "compiled": cm.Krylov(operators="device")}


def step(mesh: cm.Mesh, linear, devices) -> dict[str, np.ndarray]:
    """Cahn-Hilliard, elasticity and reaction from a random state, at a given current; the cells differ in stiffness."""
    rng, points = np.random.default_rng(1), mesh.points
    stiffness = cm.PerCell(rng.uniform(4e10, 8e10, len(mesh.cells)))
    elastic = cm.LinearElastic.isotropic(E=stiffness, nu=0.3, eigenstrain=cm.Vegard([0.05, 0.02, -0.01]))
    problem = cm.Problem.build(mesh, host=cm.Host(c_max=2.29e4, T=298.15), potentials=[
        cm.Stored([cm.RegularSolution(chi=3.0), cm.GradientEnergy(8e-10), elastic]), cm.Storage(),
        cm.Diffusion(D=1e-17), cm.ButlerVolmer(cm.BazantExchange(k0=0.1), V0=0.0, on="boundary"),
    ])  # fmt: skip
    newton = cm.Newton(linear=linear, test=cm.UpdateTest(tol=1e-11), linear_rtol=1e-10)
    evolution = cm.Evolution(problem, newton, budget=2e5, devices=devices)
    x = evolution.start(problem.state(c=0.5 + 0.2 * np.sin(points @ np.ones(mesh.dim) / L * 3), V=0.05))
    result = evolution.backward_euler(x, 0.5, drive=problem.drive(V=("load", 1e-16 if mesh.dim == 3 else 1e-9)))
    assert result.converged, result.reason
    measures = evolution.measures(result.x)
    numbers = [measures.mean, measures.current, measures.principal, measures.von_mises, *measures.energies.values()]
    return {"x": result.x, "numbers": np.array(numbers), "limit": np.array(evolution.limit(result.x, np.ones_like(x)))}


def main() -> None:
    """Take the step and write it."""
    out, mesh, linear, count, *network = sys.argv[1:]
    if network:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(network[0], int(network[1]), int(network[2]))
    devices = jax.devices()[: int(count)] if int(count) > 1 else None
    assert devices is None or len(devices) == int(count)
    np.savez(out, **step(MESHES[mesh](), LINEAR[linear], devices))


if __name__ == "__main__":
    main()
