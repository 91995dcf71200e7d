"""How much a particle takes before its surface is full: sphere, wire and plate of one radius, and a thick plate.

At a given C-rate the surface of a body of half-thickness L runs ahead of the mean by L^2/(D tau) times 1/15 in a
sphere, 1/8 in a wire and 1/3 in a plate: it reaches the cut-off earlier, in a thick plate before its last plateau.
LixV2O5 from alpha to omega as in Santos et al., Chem. Sci. 14 (2023) 458, figure 4F: C/5 to 2.0 V, 443 mAh/g for three
lithium. The voltage is a smooth staircase with the last plateau at 2.03 V; the diffusivity is made up.
"""

import functools

import bodies
import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import Mesh, rectangle

HOST = cm.Host(c_max=3 * 1.853e4)
RADIUS, THICK, D = 100e-9, 400e-9, 1e-18


def staircase(c):
    """Steps at x = 0.35, 1 and 2 of three lithium [V]."""
    fall = sum(h * 0.5 * (1 + np.tanh((c - at) / 0.012)) for at, h in ((0.117, 0.2), (1 / 3, 0.9), (2 / 3, 0.26)))
    return 3.455 - fall - 0.04 * c + 0.012 * np.log(1 - c) - 0.0077 * np.log(c)


def discharged(mesh, kinematics, on):
    """Lithium per formula unit at the cut-off, and how much of it came below 2.1 V."""
    c = np.concatenate([[1e-3, 3e-3], np.linspace(0.01, 0.99, 197), [0.997, 0.999]])
    reaction = cm.ButlerVolmer(cm.ConstantExchange("1 A/m^2"), V0=0.0, on=on)
    problem = cm.Problem.build(
        mesh, host=HOST, kinematics=kinematics,
        potentials=[cm.Stored(cm.TabulatedOCV(c, staircase(c))), cm.Storage(), cm.Diffusion(D), reaction],
    )  # fmt: skip
    discharge = cm.Discharge(c_rate=0.2, until={"voltage": 2.0, "soc": 0.995})
    run = cm.simulate(problem, problem.uniform(0.01), discharge, frames=0)
    assert run.endings == ["voltage"]
    voltage, x = np.asarray(run.voltage), 3 * np.asarray(run.soc)
    return x[-1], x[-1] - np.interp(-2.1, -voltage, x)


@functools.cache
def of(name):
    if name == "sphere":
        disc = bodies.quarter_disc(12)
        mesh = Mesh.build(RADIUS * disc.points, disc.cells, disc.cell_type, facet_sets=disc.facet_sets)
        return discharged(mesh, cm.Axisymmetric(), "rim")
    deep = THICK if name == "bulk" else RADIUS
    strip = rectangle(deep, deep / 10, 40, 1)
    return discharged(strip, cm.Axisymmetric() if name == "wire" else cm.PlaneStrain(), "right")


@pytest.mark.slow
def test_the_smaller_and_rounder_takes_more_and_bulk_misses_the_last_plateau():
    taken, last = zip(*map(of, ("sphere", "wire", "plate", "bulk")), strict=True)
    print(443 / 3 * np.array(taken), last)
    assert np.all(-np.diff(taken) > 0.1)
    assert taken[2] > 2.2  # all but the thick one are on the plateau that begins at two
    assert taken[3] < 1.9
    assert last[3] < 0.2 < 0.25 < last[2] < last[1] < last[0]
