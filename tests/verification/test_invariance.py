"""One electrode gives the same SI answers in other scales, turned in the laboratory, and with its nodes renumbered."""

import functools

import numpy as np
import pytest

import chemomech as cm
from chemomech.fem.mesh import rectangle

LFP = cm.materials.load("LiFePO4")
ANGLE = 0.7
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])


def permuted(mesh):
    rng = np.random.default_rng(0)
    number = rng.permutation(len(mesh.points))  # new number of each node
    points = np.empty_like(mesh.points)
    points[number] = mesh.points
    return cm.Mesh.build(points, number[mesh.cells][rng.permutation(len(mesh.cells))], mesh.cell_type)


@functools.cache
def discharge(case):
    """Columns of a short discharge of a platelet from an uneven composition, at fixed steps."""
    mesh, scales, angle = rectangle(20e-9, 30e-9, 6, 9), None, None
    profile = lambda p: 0.2 + 0.1 * np.tanh(p[:, 0] / 10e-9 - 1) * np.cos(p[:, 1] / 10e-9)  # noqa: E731
    start = profile
    if case == "scales":
        scales = cm.Scales(3e-9, 7.0, 2e8, 3e4, 400.0, 3e-17)
    if case == "turned":
        mesh = cm.Mesh.build(mesh.points @ TURN.T, mesh.cells, mesh.cell_type)
        angle, start = ANGLE, lambda p: profile(p @ TURN)  # noqa: E731
    if case == "renumbered":
        mesh = permuted(mesh)
    problem = cm.Problem.build(
        mesh, host=LFP.host, kinematics=cm.GeneralisedPlaneStrain(thickness=20e-9), scales=scales,
        potentials=[
            cm.Stored(cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"}, angle=angle)), cm.Storage(),
            cm.Diffusion([4e-17, 1e-17, 2e-17], axes={"a": "x", "c": "y"}, angle=angle),
            cm.ButlerVolmer(cm.BazantExchange(0.16), V0=3.422, thickness=20e-9),
        ],
    )  # fmt: skip
    control = cm.ErrorControl(tol=1e9, growth=1.0, dt_start=0.5, instability=1e9)
    newton = cm.Newton(test=cm.UpdateTest(tol=1e-9))
    protocol = cm.Discharge(10.0, until={"time": 5.0})
    return cm.simulate(problem, problem.state(c=start), protocol, control=control, newton=newton, frames=1).history


@pytest.mark.usefixtures("linear")
@pytest.mark.slow
@pytest.mark.parametrize("case", ["scales", "turned", "renumbered"])
def test_same_answers(case):
    reference, other = discharge("plain"), discharge(case)
    columns = ["time", "soc", "voltage", "current", "charge", "free_energy", "chemical_energy", "gradient_energy",
               "elastic_energy", "max_principal_stress", "max_von_mises", "c_min", "c_max"]  # fmt: skip
    assert len(reference["time"]) > 8
    for name in columns:
        np.testing.assert_allclose(other[name], reference[name], rtol=1e-7, err_msg=name)
