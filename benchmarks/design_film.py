"""The misfit and the thickness of a film on a rigid substrate, for a voltage or for a closed miscibility gap.

usage: python -m benchmarks.design_film [--cells 40] [--out benchmarks/results/design_film.json]

A column of a film that its substrate holds: the strain in its plane is given, its top is free. The stress-free strain
eta c + b c (1-c) is bowed. Three studies of stationary states: the misfit of a given plateau voltage; the misfit of
least energy that closes the gap, with bowing and without; the thickest film without a gap where the misfit is bounded.
References: the free energy at one point, RT c_max g(c) + M (misfit - eta c - b c (1-c))^2, its common tangent and its
least curvature; a slow discharge on a finer mesh, and a wide film of noisy composition left to itself.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.record import hardware, write

RT, F, C_MAX, CHI = 8.31446261815324 * 298.15, 96485.33212331001, 18530.0, 2.5
M, NU, ETA, BOWING = 100e9, 0.3, 0.005, 0.01  # biaxial modulus [Pa]; swelling and its bowing
DECAY, THICK = 2e-9, 40e-9  # sqrt(kappa / RT c_max); of the film [m]
V0, TARGET = 3.0, 3.002  # [V]
FLAT = 1e-3  # segregation of a gap that counts as closed
K = M / (RT * C_MAX)


# --- at one point, in units of RT c_max ---


def energy(c, misfit: float, bowing: float):
    """Free energy of a uniform film."""
    mixed = c * np.log(c) + (1 - c) * np.log(1 - c) + CHI * c * (1 - c)
    return mixed + K * (misfit - ETA * c - bowing * c * (1 - c)) ** 2


def potential(c, misfit: float, bowing: float):
    """Its slope."""
    strain = misfit - ETA * c - bowing * c * (1 - c)
    return np.log(c / (1 - c)) + CHI * (1 - 2 * c) - 2 * K * strain * (ETA + bowing * (1 - 2 * c))


def curvature(c, misfit: float, bowing: float):
    """Its second derivative."""
    strain = misfit - ETA * c - bowing * c * (1 - c)
    return 1 / (c * (1 - c)) - 2 * CHI + 2 * K * (ETA + bowing * (1 - 2 * c)) ** 2 + 4 * K * strain * bowing


def critical_composition(bowing: float) -> float:
    """Where the curvature is least: the gap closes there, at any misfit."""
    from scipy.optimize import minimize_scalar

    return float(minimize_scalar(curvature, bounds=(0.1, 0.9), args=(0.0, bowing), options={"xatol": 1e-10}).x)


def plateau(misfit: float, bowing: float) -> float:
    """Voltage of the common tangent [V]."""
    from scipy.optimize import fsolve
    from scipy.special import expit  # keeps compositions between 0 and 1

    def miss(pair):
        low, high = expit(pair)
        slope = (energy(high, misfit, bowing) - energy(low, misfit, bowing)) / (high - low)
        return [potential(c, misfit, bowing) - slope for c in (low, high)]

    low = expit(fsolve(miss, [-1.8, 1.8], xtol=1e-12)[0])
    return float(V0 - RT / F * potential(low, misfit, bowing))


def closing_misfit(bowing: float, thickness: float) -> float:
    """Misfit at which the softest wave through the film, half a wave length, costs nothing."""
    bare = curvature(critical_composition(bowing), 0.0, bowing) + (np.pi * DECAY / thickness) ** 2
    return -bare / (4 * K * bowing)


def closing_thickness(misfit: float, bowing: float) -> float:
    """Thickness of the same [m]."""
    return float(np.pi * DECAY / np.sqrt(-curvature(critical_composition(bowing), misfit, bowing)))


# --- the film ---


def energies(misfit: float, bowing: float):
    """The stored energy of the film: the misfit is a strain that is there before it is loaded, with the other sign."""
    import chemomech as cm

    swelling = cm.BowedVegard(ETA, bowing)
    before = [-misfit, 0.0, -misfit]  # y is the normal
    elastic = cm.LinearElastic.isotropic(M * (1 - NU), NU, swelling, prestrain=before)
    return cm.Stored([cm.RegularSolution(chi=CHI), cm.GradientEnergy(RT * C_MAX * DECAY**2), elastic])


def film(
    misfit: float, bowing: float, cells: int, *, thickness: float = THICK, kinetics=None, width: float = 0.0
):  # fmt: skip
    """A column of the film, or a piece of a given width, periodic; without kinetics of fixed lithium content."""
    import chemomech as cm
    from chemomech.fem.mesh import elevate, rectangle

    across = max(round(width / thickness * cells), 1)
    mesh = elevate(rectangle(width or thickness / cells, thickness, across, cells))
    return cm.Problem.build(
        mesh, host=cm.Host(c_max=C_MAX, T=298.15), constraints=[cm.Periodic("x"), cm.Fixed("u", "bottom")],
        potentials=[energies(misfit, bowing), *(kinetics or [cm.Amount(critical_composition(bowing))])],
    )  # fmt: skip


def two_phases(problem, mean: float):
    """Full above and empty below."""
    height = np.ptp(problem.mesh.points[:, 1])
    return problem.state(c=lambda x: mean + 0.35 * np.tanh((x[:, 1] - height / 2) / 3e-9))


def newton():
    """Converged as derivatives need it."""
    import chemomech as cm

    return cm.Newton(linear=cm.HostDirect(), max_iterations=60, test=cm.UpdateTest(1e-10))


def study(objective, *, bowing: float, cells: int, bound: float = 0.02, limits=(), thickness=None, **options):
    """Of the misfit between bounds, and of the thickness where bounds are given for it [m]."""
    from chemomech import design

    problem = film(0.0, bowing, cells, thickness=thickness[1] if thickness else THICK)
    paths = [f"potentials.0.psi.2.prestrain.{k}" for k in (0, 2)]
    variables = [design.Number(paths, -bound, bound)]
    if thickness:
        variables.append(design.Shape(design.Thickness(problem.mesh), *thickness))
    start = two_phases(problem, critical_composition(bowing))
    return design.Study(
        design.Experiment(problem, start), variables, objective, limits, options={"newton": newton()}, **options
    )


def aimed(cells: int) -> dict:
    """The misfit of the plateau at the target, judged by a slow discharge on a finer mesh and by the tangent."""
    from chemomech import design

    goal = design.Target(design.Column("mu_mean"), F * (V0 - TARGET), 1e-3 * F)
    made = study(goal, bowing=BOWING, cells=cells, bound=0.01)
    found = made.optimise(tolerance=1e-10)
    misfit = -float(found.x[0])
    return {
        "misfit": misfit, "evaluations": len(found.evaluations),
        "first plateau": V0 - float(made.run(made.initial).mu_mean[-1]) / F,
        "plateau": V0 - float(made.run(found.x).mu_mean[-1]) / F, "by the tangent": plateau(misfit, BOWING),
        "by a discharge": discharged(misfit, 2 * cells),
    }  # fmt: skip


def discharged(misfit: float, cells: int) -> float:
    """Voltage half-way of a slow discharge through the top [V]."""
    import chemomech as cm
    from chemomech.design import interpolated

    kinetics = [
        cm.Storage(), cm.Diffusion("1e-14 m^2/s"), cm.ButlerVolmer(cm.SymmetricExchange("1 A/m^2"), V0=V0, on="top"),
    ]  # fmt: skip
    problem = film(misfit, BOWING, cells, kinetics=kinetics)
    slow = cm.Discharge(c_rate=0.1, until={"soc": 0.6})
    solution = cm.simulate(problem, two_phases(problem, 0.4), slow, frames=0, keep=False)
    return float(interpolated(solution, "voltage", [0.5], over="soc")[0])


def closed(bowing: float, cells: int, thickness=None, bound: float = 0.02):
    """The study of a film without a gap, and its optimum: of least energy, or as thick as it can be."""
    from chemomech import design

    flat = [design.Limit(design.Segregated("end"), upper=FLAT)]
    goal = design.Column("capacity" if thickness else "elastic_energy")
    made = study(
        goal, bowing=bowing, cells=cells, bound=bound, limits=flat, thickness=thickness, maximise=bool(thickness)
    )
    return made, made.optimise(iterations=40, tolerance=1e-8)


def told(made, found) -> dict:
    """An optimum, and what it leaves open."""
    segregation = [float(e.values[1]) for e in found.evaluations if not e.failure]
    return {
        "misfit": -float(found.x[0]), "segregation": float(found.values[1]), "open": list(made.open(found)),
        "evaluations": len(found.evaluations), "least segregation": min(segregation),
    }  # fmt: skip


def at_the_bounds(made) -> list[float]:
    """Segregation of the least and of the largest misfit."""
    return [float(made.values(x)[1]) for x in (made.upper, made.lower)]


def separated(misfit: float, cells: int, width: float = 60e-9, seconds: float = 5.0) -> float:
    """Segregation of a wide film of two phases side by side that is left to itself."""
    import chemomech as cm
    from chemomech.design import Segregation

    mean = critical_composition(BOWING)
    problem = film(misfit, BOWING, cells, kinetics=[cm.Storage(), cm.Diffusion("1e-14 m^2/s")], width=width)
    start = problem.state(c=lambda x: mean + 0.3 * np.cos(2 * np.pi * x[:, 0] / width))
    alone = cm.Closed(until={"time": seconds})
    control = cm.ErrorControl(instability=1e3)  # a bulk wave, free to strain, would grow: the film holds it
    return float(cm.simulate(problem, start, alone, control=control, frames=0, observe={"s": Segregation()}).s[-1])


def main() -> None:
    """Optimise, compare, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=40)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    import jax

    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    gaps = {}
    for bowing in (BOWING, 0.4 * BOWING, 0.0):
        made, found = closed(bowing, args.cells)
        gap = told(made, found) | {"by the formula": closing_misfit(bowing, THICK) if bowing else None}
        if gap["open"]:
            gap["segregation at the bounds"] = at_the_bounds(made)
        gaps[f"{bowing:g}"] = gap
        print(bowing, gap, flush=True)
    found = gaps[f"{BOWING:g}"]["misfit"]
    made, thick = closed(BOWING, args.cells, thickness=(6e-9, 20e-9), bound=0.012)
    thickest = told(made, thick) | {
        "thickness": float(thick.x[1]), "by the formula": closing_thickness(-float(thick.x[0]), BOWING),
    }  # fmt: skip
    print(thickest, flush=True)
    wide = {f"{share:g}": separated(share * found, args.cells // 2) for share in (0.0, 1.0, 1.1)}
    write({
        "claim": "design film", **hardware(), "cells": args.cells, "target": TARGET, "plateau": aimed(args.cells),
        "gaps": gaps, "thickest": thickest, "wide": wide, "seconds": time.perf_counter() - began,
    }, args.out)  # fmt: skip


if __name__ == "__main__":
    main()
