"""Iterations of the Krylov solvers on wires, films and inverse opals, and how much stress an inverse opal relieves.

usage: python -m benchmarks.architectures [--size small|full] [--out benchmarks/results/NAME.json]

Counts: GMRES iterations to 1e-6 of the coupled step (c, mu, u; chi 3, 5 % change of volume, E = 60 GPa), forward and
transposed, with the right-hand side of `krylov_counts`, from a state of two phases and from a wave of small amplitude,
for 0.03 and 0.3 of the growth time of the fastest wave without strain; a wire and an opal of tetrahedra, a film of
triangles on a rigid base. Relief: mean von Mises stress above half a lattice parameter over that of a flat film, at
full lithiation on a rigid base, two lattice parameters high, with the lowest and uppermost pores cut in half, and the
conjugate gradients that it took; of a quarter of the period, a ribbon of six periods that is free at both sides, and an
island of four by four.
"""

import argparse
import json
import time
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)

import numpy as np

import chemomech as cm
from benchmarks.reaction_counts import count
from benchmarks.record import hardware, write
from chemomech import geometry
from chemomech.analysis import points
from chemomech.analysis.relief import percentiles, planar_stress, stress_relief
from chemomech.analysis.stress import von_mises
from chemomech.fem.mesh import elevate

E, NU, ETA, CHI, D = 60e9, 0.3, 0.05 / 3, 3.0, 1e-14
HOST = cm.Host(c_max=2.29e4)
COARSE = {"small": 2.0, "full": 1.0}  # times the element size
A = 100e-9  # lattice parameter of the opal [m]


def bodies(coarse: float) -> dict[str, tuple[cm.Mesh, list, int, float]]:
    """Mesh, what is held, the axis that the two phases lie along, and the element size."""
    wire, film, opal = 6e-9 * coarse, 1.5e-9 * coarse, 0.07 * A * coarse
    planes = {"xmin": "u.x", "xmax": "u.x", "ymin": "u.y", "ymax": "u.y"}
    return {
        "wire": (
            geometry.nanowire("50 nm", "400 nm", wire, bend_radius="250 nm", part="quarter"),
            [cm.Fixed("u.y", on="ymin"), cm.Fixed("u.z", on="zmin")], 1, wire,
        ),
        "film": (geometry.film("120 nm", "20 nm", film), [cm.Fixed("u", on="base")], 0, film),
        "opal": (
            geometry.inverse_opal(A, 0.36 * A, opal, layers=3, sides="mirror", open_top=True),
            [cm.Fixed("u", on="base"), *(cm.Fixed(field, on=name) for name, field in planes.items())], 2, opal,
        ),
    }  # fmt: skip


def counts(coarse: float) -> list[dict]:
    """One row a body."""
    rows = []
    for name, (mesh, held, axis, h) in bodies(coarse).items():
        length = 2 * h  # of an interface, which is 1.8 times as wide
        psi = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(float(HOST.c_max * HOST.RT) * length**2)
        psi = psi + cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=0.5))
        made = cm.Problem.build(
            mesh, host=HOST, potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(D)], constraints=held
        )
        evolution, found = cm.Evolution(made, cm.Newton(linear=cm.Krylov(max_iterations=150))), []
        growth = 4 * length**2 / (D * (CHI - 2) ** 2)
        steps = [share * growth / evolution.time_scale for share in (0.03, 0.3)]
        x = mesh.points[:, axis] - mesh.points[:, axis].mean()
        for c in (0.5 + 0.42 * np.tanh(x / length), 0.5 + 0.02 * np.cos(x / length)):
            state = settled(evolution, made.state(c=c), 1e-3 * growth)
            found += [count(evolution, state, step, made.drive(), None)[0] for step in steps]
        forward = [f["iterations"] for f in found]
        rows.append({
            "body": name, "cells": len(mesh.cells), "unknowns": made.unknowns, "iterations": forward,
            "transposed": [f["transposed"] for f in found],
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def settled(evolution: cm.Evolution, state: cm.State, dt: float) -> cm.State:
    """With displacements and potentials that belong to it, after a short step."""
    result = evolution.backward_euler(evolution.start(state), dt)
    return evolution.state(result.x)


def relief(coarse: float) -> list[dict]:
    """One row an opal."""
    quarter = {"sides": "mirror"}
    shapes = [("period", r, quarter) for r in ((0.36, 0.34, 0.30) if coarse == 1.0 else (0.36, 0.30))]
    if coarse == 1.0:
        shapes += [
            ("ribbon, 6 periods wide", 0.36, {"sides": "ribbon", "cells_y": 6}),
            ("island, 4 x 4 periods", 0.36, {"sides": "island", "cells_x": 4, "cells_y": 4}),
        ]
    return [_relief(*shape, coarse) for shape in shapes]


def _relief(name: str, r: float, sides: dict, coarse: float) -> dict:
    period = sides["sides"] == "mirror"
    began = time.perf_counter()
    h = (0.08 if period else 0.1) * A * coarse
    mesh = geometry.inverse_opal(A, r * A, h, layers=5, open_top=True, open_base=True, **sides)
    meshed = time.perf_counter() - began
    held = [cm.Fixed("u", on="base")]
    if period:
        mesh = elevate(mesh) if coarse == 1.0 else mesh
        held += [cm.Fixed(f"u.{side[0]}", on=side) for side in ("xmin", "xmax", "ymin", "ymax")]
    elif sides["sides"] == "ribbon":
        held.append(cm.Periodic("x"))
    psi = cm.Strained(cm.LinearElastic.isotropic(E, NU), ETA)
    made = cm.Problem.build(mesh, host=HOST, potentials=[cm.Stored(psi)], constraints=held)
    evolution = cm.Evolution(made, cm.Newton(linear=cm.Krylov()))
    began = time.perf_counter()
    result = evolution.backward_euler(evolution.start(made.state()), 1.0)
    solved = time.perf_counter() - began
    state, reference = evolution.state(result.x), planar_stress(E, NU, ETA)
    above = points.inside(made, lambda x: x[:, 2] > 0.5 * A)
    stress, volume = von_mises(points.stresses(made, state)[above]), points.volumes(made)[above]
    row = {
        "shape": name, "r/a": r, "order": mesh.order, "unknowns": made.unknowns,
        "stress over planar": stress_relief(made, state, reference, lambda x: x[:, 2] > 0.5 * A),
        "95th percentile": float(percentiles(stress, volume, 95)) / reference,
        "CG iterations": result.linear_iterations, "Newton iterations": result.iterations,
        "seconds to mesh": meshed, "seconds to solve": solved,
    }  # fmt: skip
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Count and measure, print each row, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(COARSE), default="full")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    coarse = COARSE[args.size]
    made = {
        "claim": "architectures",
        **hardware(),
        "size": args.size,
        "counts": counts(coarse),
        "relief": relief(coarse),
    }
    write(made, args.out)


if __name__ == "__main__":
    main()
