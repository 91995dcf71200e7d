"""The LiFePO4 platelet of `configs/lfp_platelet.toml` on meshes of any size, for the tests beside this file."""

import jax
import numpy as np

import chemomech as cm
from chemomech.fem.mesh import elevate, rectangle
from chemomech.fields import RandomField

jax.config.update("jax_enable_x64", True)
SIDE, THICKNESS = 60e-9, 20e-9
AXES = {"a": "x", "c": "y"}


def problem(*, cells=44, side=SIDE, variation=0.05, seed=1, periodic=False, angle=None, order=1):
    """A square platelet seen along b; both large faces react, no in-plane diffusion."""
    lfp = cm.materials.load("LiFePO4")
    mesh = rectangle(side, side, cells, cells, diagonal="crossed" if periodic else "right")
    mesh = elevate(mesh) if order == 2 else mesh
    k0 = "0.16 A/m^2"
    if variation:
        k0 = cm.PerCell(RandomField(0.16, variation, 5e-9, seed)(mesh.centroids()))
    strains = ("xx", "yy", "xy", "zz") if periodic else ("zz",)
    return cm.Problem.build(
        mesh,
        host=lfp.host,
        kinematics=cm.GeneralisedPlaneStrain(thickness=THICKNESS, mean_strain=strains),
        constraints=[cm.Periodic("x"), cm.Periodic("y")] if periodic else [],
        potentials=[
            cm.Stored(cm.Oriented(lfp.energy, axes=AXES, angle=angle)),
            cm.Storage(),
            cm.ButlerVolmer(cm.BazantExchange(k0=k0), V0="3.422 V", thickness=THICKNESS),
        ],
    )


def noisy(problem: cm.Problem, c: float, amplitude: float, seed: int = 0) -> cm.State:
    """Uniform composition with independent nodal noise."""
    noise = np.random.default_rng(seed).normal(size=len(problem.mesh.points))
    return problem.state(c=c + amplitude * (noise - noise.mean()))


def ranges(solution) -> np.ndarray:
    """max c - min c along a run."""
    return solution.c_max - solution.c_min


def onset(solution) -> float:
    """Mean composition at which max c - min c first exceeds 0.3."""
    k = int(np.argmax(ranges(solution) > 0.3))
    assert ranges(solution)[k] > 0.3, "no phases appeared"
    r = ranges(solution)
    return float(np.interp(0.3, r[k - 1 : k + 1], solution.soc[k - 1 : k + 1]))


def charge_error(problem: cm.Problem, solution) -> float:
    """Largest difference between lithium inserted and the stepper's charge, over the capacity."""
    capacity = float(problem.host.faraday) * cm.Evolution(problem).sites
    return float(np.abs(solution.soc - solution.soc[0] - solution.charge / capacity).max())


def gradients(problem: cm.Problem, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroids, grad c and area of every linear triangle."""
    mesh = problem.mesh
    corners, values = mesh.points[mesh.cells], c[mesh.cells]
    edges = corners[:, 1:] - corners[:, :1]
    slopes = np.linalg.solve(edges, (values[:, 1:] - values[:, :1])[..., None])[..., 0]
    return mesh.centroids(), slopes, 0.5 * np.abs(np.linalg.det(edges))


def stripe_normal(problem: cm.Problem, c: np.ndarray) -> float:
    """Mean of |angle of grad c from a| [degrees], weighted by |grad c|^2, below 60 degrees, off the edges."""
    centre, slope, area = gradients(problem, c)
    margin = 2 * problem.mesh.edge_lengths()[2]
    low, high = problem.mesh.points.min(0) + margin, problem.mesh.points.max(0) - margin
    inside = np.all((centre > low) & (centre < high), axis=1)
    angle = np.degrees(np.arctan2(np.abs(slope[:, 1]), np.abs(slope[:, 0])))
    weight = np.where(inside & (angle < 60), area * (slope**2).sum(1), 0.0)
    return float((angle * weight).sum() / weight.sum())


def leading_wave(problem: cm.Problem, c: np.ndarray, count: int = 4) -> tuple[int, int]:
    """The wave vector, in units of 2 pi / side, with the largest Fourier amplitude."""
    x = problem.mesh.points / np.ptp(problem.mesh.points, axis=0)
    interior = np.all(x < x.max(0) - 1e-9, axis=1)  # each periodic node once
    best, found = 0.0, (0, 0)
    for h in range(0, count + 1):
        for k in range(-count, count + 1):
            if (h, k) > (0, 0):
                amplitude = abs(np.mean((c - c.mean())[interior] * np.exp(-2j * np.pi * (x @ [h, k])[interior])))
                best, found = max((best, found), (amplitude, (h, k)))
    return found
