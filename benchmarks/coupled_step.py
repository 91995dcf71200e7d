"""One coupled Cahn-Hilliard-elasticity step, the problem of peers/coupled_step_dolfinx.py on the same mesh.

usage: python -m benchmarks.coupled_step MESH.npz DT STEPS [--backend auto|pardiso|superlu|krylov] [--tol 1e-8]

MESH.npz (peers/make_mesh.py): points, cells, kappa. Dimensionless; quadrature of degree 2 at interior points; Newton
stops at |R| < tol |first update|. Prints one JSON line with the keys of the peer scripts; `setup` is the time before
the first step without compilation, `compile` that of tracing and compiling, `memory` the peak [bytes] after the
imports, after set-up and at the end.
"""

import argparse
import json
import time

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx
import numpy as np

import chemomech as cm
from benchmarks.clock import Clock, peak
from chemomech.solve import factor
from chemomech.solve.newton import AbstractTest

IMPORTED = peak()


class PeerTest(AbstractTest):
    """|R| < rtol |first update|, the rule of DOLFINx's NewtonSolver with rtol relative to the first update."""

    rtol: float = eqx.field(static=True, default=1e-8)

    def __call__(self, updates, residual, first_update, rtol=0.0):
        return residual < self.rtol * first_update

    def wanted(self, updates, residual, first_update, rtol):
        # GMRES stops in another norm, so with some room: 0.01 costs a third iteration on disk0.01
        return 0.006 * self.rtol * first_update / residual


def build(path: str) -> tuple[cm.Problem, cm.State]:
    """The peer's problem on the mesh of a file."""
    data = np.load(path)
    return body(data["points"], data["cells"], float(data["kappa"]))


def body(points, cells, kappa: float) -> tuple[cm.Problem, cm.State]:
    """The peer's problem: chi 3, lambda = mu = 100, in-plane misfit 0.02, mobility c(1-c), three or six point pins."""
    dim = points.shape[1]
    mesh = cm.Mesh.build(points, cells, {2: "triangle", 3: "tetra"}[dim])
    misfit = [0.02, 0.02, 0.02 if dim == 3 else 0.0]
    psi = [
        cm.RegularSolution(chi=3.0),
        cm.GradientEnergy(kappa),
        cm.LinearElastic.isotropic(E=250.0, nu=0.25, eigenstrain=cm.Vegard(misfit, c_ref=0.5)),
    ]
    pins = [(np.argmin((points**2).sum(1)), range(dim)), (np.argmax(points[:, 0]), range(1, dim))]
    if dim == 3:
        pins.append((np.argmax(points[:, 1]), [2]))
    held = [cm.Pinned("u." + "xyz"[k], node=int(node)) for node, parts in pins for k in parts]
    problem = cm.Problem.build(
        mesh, host=cm.Host.dimensionless(), scales=cm.Scales.unit(), constraints=held,
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(D=1.0)],
    )  # fmt: skip
    x, y = points[:, 0], points[:, 1]
    c = 0.5 + 0.42 * np.tanh(np.sin(5 * x) * np.cos(4 * y) / (5 * np.sqrt(kappa)))
    return problem, problem.state(c=c)


def solver(backend: str, tol: float = 1e-8) -> cm.Newton:
    """The peer's Newton rule with one linear solver."""
    if backend == "krylov":
        return cm.Newton(linear=cm.Krylov(), test=PeerTest(tol), first_rtol=3e-3, max_iterations=30)
    return cm.Newton(linear=cm.HostDirect(backend=backend), test=PeerTest(tol), linear_rtol=1e-6, max_iterations=30)


def run(path: str, dt: float, steps: int, backend: str = "auto", tol: float = 1e-8) -> dict:
    """Take the steps and collect what the peers print."""
    clock = Clock()
    problem, state = build(path)
    evolution = cm.Evolution(problem, solver(backend, tol))
    x = evolution.start(state)
    evolution.compile(x)
    linear_state = None
    if backend == "krylov":  # what is made once for a run; a direct solver's analysis is part of its first step
        full = evolution.expand(x)
        tangent = evolution.tangent(x, (full, full, 0.0, dt), problem.drive())
        linear = evolution.newton.linear
        linear_state = linear.forget(linear.init(tangent))
    record: dict = {"setup": clock.lap(), "compile": clock.compile}
    memory = {"imports": IMPORTED, "setup": peak()}
    record |= {key: [] for key in ("wall", "newton", "energy", "mass", "gmres", "factorisations")}
    for _ in range(steps):
        start = time.perf_counter()
        result = evolution.backward_euler(x, dt, linear_state)
        wall = time.perf_counter() - start
        x, linear_state = result.x, result.linear_state
        measures = evolution.measures(x)
        row = (
            wall, result.iterations, sum(measures.energies.values()), evolution.mass(x), result.linear_iterations,
            result.factorisations,
        )  # fmt: skip
        for key, value in zip(("wall", "newton", "energy", "mass", "gmres", "factorisations"), row, strict=True):
            record[key].append(value)
    dofs = len(problem.fields) * len(problem.mesh.points)
    return {
        "code": f"chemomech {cm.__version__} + {factor.installed()[0] if backend == 'auto' else backend}",
        "dofs": dofs,
        **record,
        "memory": memory | {"end": peak()},
    }


def main() -> None:
    """Run and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh")
    parser.add_argument("dt", type=float)
    parser.add_argument("steps", type=int)
    parser.add_argument("--backend", default="auto", choices=["auto", "pardiso", "superlu", "krylov"])
    parser.add_argument("--tol", type=float, default=1e-8)
    args = parser.parse_args()
    print(json.dumps(run(args.mesh, args.dt, args.steps, args.backend, args.tol)))


if __name__ == "__main__":
    main()
