"""One coupled Cahn-Hilliard-elasticity step, the problem of peers/coupled_step_dolfinx.py on the same mesh.

usage: python benchmarks/coupled_step.py MESH.npz DT STEPS [--backend auto|pardiso|superlu] [--reuse N]

MESH.npz (peers/make_mesh.py): points, cells, kappa. Dimensionless; quadrature of degree 2 at interior points; Newton
stops at |R| < 1e-8 |first update|. Prints one JSON line with the keys of the peer scripts.
"""

import argparse
import json
import time

import jax

jax.config.update("jax_enable_x64", True)

import equinox as eqx  # noqa: E402
import numpy as np  # noqa: E402

import chemomech as cm  # noqa: E402
from chemomech.problem import ledger, restrict  # noqa: E402
from chemomech.simulate import Evolution  # noqa: E402
from chemomech.solve.newton import AbstractTest  # noqa: E402


class PeerTest(AbstractTest):
    """|R| < rtol |first update|, the rule of DOLFINx's NewtonSolver with rtol relative to the first update."""

    rtol: float = eqx.field(static=True, default=1e-8)

    def __call__(self, norms, residual, first_update):
        return residual < self.rtol * first_update


def build(path: str) -> tuple[cm.Problem, cm.State]:
    """The peer's problem: chi 3, lambda = mu = 100, in-plane misfit 0.02, mobility c(1-c), three or six point pins."""
    data = np.load(path)
    points, cells, kappa = data["points"], data["cells"], float(data["kappa"])
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


def main() -> None:
    """Run and print the JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mesh")
    parser.add_argument("dt", type=float)
    parser.add_argument("steps", type=int)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--reuse", type=int, default=10)
    args = parser.parse_args()
    start = time.perf_counter()
    problem, state = build(args.mesh)
    linear = cm.HostDirect(backend=args.backend, reuse=args.reuse)
    newton = cm.Newton(linear=linear, test=PeerTest(), linear_rtol=1e-7, max_iterations=30)
    evolution = Evolution(problem, newton)
    built = time.perf_counter() - start
    x, linear_state = restrict(problem, problem.pack(state)), None
    evolution.warm_up(x)
    compiled = time.perf_counter() - start - built
    record = {"wall": [], "newton": [], "energy": [], "mass": [], "krylov": [], "factorisations": []}
    for _ in range(args.steps):
        start = time.perf_counter()
        result = evolution.backward_euler(x, args.dt, linear_state)
        record["wall"].append(time.perf_counter() - start)
        x, linear_state = result.x, result.linear_state
        packed = evolution.expand(x)
        record["newton"].append(result.iterations)
        record["krylov"].append(result.linear_iterations)
        record["factorisations"].append(result.factorisations)
        record["energy"].append(float(sum(ledger(problem, packed).values())))
        record["mass"].append(evolution.mass(packed))
    code = f"chemomech {cm.__version__} + {linear.resolved}"
    print(json.dumps({"code": code, "dofs": problem.unknowns + len(held_rows(problem)), **record, "setup": built, "compile": compiled}))


def held_rows(problem: cm.Problem) -> list[int]:
    """Prescribed unknowns, which the peers count as well."""
    return np.flatnonzero(np.asarray(problem.lift.index) == problem.lift.size).tolist()


if __name__ == "__main__":
    main()
