"""Peer: the functions of gradient_case.py and their gradients in torch-fem (PyTorch, CPU).

usage: PYTHONPATH=<root of the repository> python gradients_torchfem.py CASE.npz GRADIENT.npz [--repeats 3]
       [--differences] [--method cg|direct]

torch-fem integrates in time by the trapezoidal rule alone and its triangle has one point, so the backward Euler loop
and the consistent mass (from its areas) are written here; stiffness, solves and their adjoints are its own. The matrix
is made by way of COO, since PyTorch differentiates the making of a CSR matrix through a dense one, and the
preconditioner of the first step serves all of them. `direct` is PARDISO where pypardiso is installed, SuperLU elsewhere.
"""

import argparse
import json
from importlib import metadata

import numpy as np
import torch
from torchfem import Planar, PlanarHeat
from torchfem.materials import IsotropicConductivity2D, IsotropicElasticityPlaneStrain
from torchfem.sparse import Solve, available_backends

from benchmarks.gradient_case import Case, measured

torch.set_default_dtype(torch.float64)
TIGHT = 1e-12  # relative residual of CG
MASS = (torch.ones(3, 3) + torch.eye(3)) / 12  # of a triangle, over its area


def diffusion(given, method):
    """J of (number, cells, start), and the unknowns."""
    cells = torch.tensor(given["cells"])
    material = IsotropicConductivity2D(torch.ones(len(cells)))
    model = PlanarHeat(torch.tensor(given["points"]), cells, material)
    mass = model.integrate_field()[:, None, None] * MASS
    rows = torch.repeat_interleave(torch.arange(model.n_dofs), model.crow.diff().long())
    places = torch.stack([rows, model.col.long()])
    target, near_null = torch.tensor(given["target"]), torch.ones(model.n_dofs, 1)

    def J(at):
        model.material = IsotropicConductivity2D(at["number"] * at["cells"])
        entries = mass + float(given["dt"]) * model.k0()
        values = torch.zeros(model.col.numel()).index_add_(0, model.k_map, entries.ravel())
        size = (model.n_dofs, model.n_dofs)
        A = torch.sparse_coo_tensor(places, values, size, is_coalesced=True, check_invariants=False).to_sparse_csr()
        c, preconditioner = at["start"], None
        for _ in range(int(given["steps"])):
            b = model.assemble_rhs(torch.einsum("enm,em->en", mass, c[cells]))
            c, preconditioner, _ = Solve.apply(A, b, near_null, TIGHT, None, method, None, preconditioner)
        return 0.5 * ((c - target) ** 2).mean()

    return J, model.n_dofs


def elasticity(given, method, points):
    """J of (points), and the unknowns."""
    cells = torch.tensor(given["cells"])
    material = IsotropicElasticityPlaneStrain(float(given["E"]), float(given["nu"]))
    model = Planar(torch.tensor(points), cells, material)
    model.constraints[torch.tensor(given["held"])] = True
    model.ext_strain = torch.tensor(given["misfit"])[:, None, None] * torch.eye(2)

    def J(at):
        model.nodes = at["points"]
        model.__dict__.pop("char_lengths", None)  # kept from the last nodes
        u = model.solve(rtol=1e-10, atol=0.0, stol=TIGHT, method=method, differentiable_parameters=model.nodes)[0]
        return 0.5 * (u**2).sum(dim=1).mean()

    return J, int((~model.constraints).sum())


def main():
    """Measure and print the JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("gradient")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--differences", action="store_true")
    parser.add_argument("--method", default="cg", choices=["cg", "direct"])
    args = parser.parse_args()
    case = Case.load(args.case)
    more = (case.at["points"],) if case.problem == "elasticity" else ()
    J, unknowns = {"diffusion": diffusion, "elasticity": elasticity}[case.problem](case.given, args.method, *more)

    def tensors(at, requires_grad):
        return {name: torch.tensor(value, requires_grad=requires_grad) for name, value in at.items()}

    def value(at):
        with torch.no_grad():
            return float(J(tensors(at, False)))

    def gradient(at):
        leaves = tensors(at, True)
        out = J(leaves)
        out.backward()
        return float(out.detach()), {name: leaf.grad.numpy() for name, leaf in leaves.items()}

    record, found = measured(case, value, gradient, args.repeats, args.differences)
    np.savez(args.gradient, **found)
    backend = "CG, AMG" if args.method == "cg" else available_backends[-1].removeprefix("py").upper()
    print(json.dumps({"code": f"torch-fem {metadata.version('torch-fem')}, {backend}", "unknowns": unknowns, **record}))


if __name__ == "__main__":
    main()
