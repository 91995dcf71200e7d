"""Two differentiated functions as plain arrays, and how any code's value and gradient of them are measured.

NumPy only: every code reads the same file in a process of its own, and is measured by the same lines.

Diffusion: M (c_k - c_(k-1)) + dt number K(D) c_k = 0, backward Euler of equal steps on linear triangles with the
consistent mass M and a diffusivity D for each cell; J = 1/2 mean over nodes of (c_last - target)^2. By the number, by
D and by the first c.

Elasticity: plane strain with an in-plane misfit in some cells, one end clamped; J = 1/2 mean over nodes of |u|^2, which
needs an adjoint solve, as the elastic energy would not. By the coordinates of all nodes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

DT = 2.0**-10  # sums of it are exact, so that the last step is as long as the others
Arrays = dict[str, Any]


class Case(NamedTuple):
    """A problem on a mesh, where its function is differentiated, and along which lines."""

    problem: str
    given: Arrays  # what stays
    at: Arrays  # parameters
    along: Arrays  # a direction for each, as long as differences are to reach

    def save(self, path: Path) -> None:
        """Write to an .npz file."""
        parts = {"given": self.given, "at": self.at, "along": self.along}
        named = {f"{part}/{name}": value for part, arrays in parts.items() for name, value in arrays.items()}
        np.savez(path, problem=self.problem, **named)

    @classmethod
    def load(cls, path: str | Path) -> Case:
        """Read it back."""
        with np.load(path) as data:
            parts: dict[str, Arrays] = {"given": {}, "at": {}, "along": {}}
            for key in data.files:
                part, _, name = key.partition("/")
                if name:
                    parts[part][name] = data[key]
            return cls(str(data["problem"]), **parts)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points and counter-clockwise triangles of a mesh file of peers/make_mesh.py."""
    with np.load(path) as data:
        points, cells = data["points"], np.array(data["cells"])
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    turned = np.linalg.det(edges) < 0
    cells[turned] = cells[turned][:, ::-1]
    return points, cells


def diffusion(points: np.ndarray, cells: np.ndarray, steps: int) -> Case:
    """Patches that even out, against a slope as the target."""
    x, y = points.T
    middle = points[cells].mean(axis=1)
    at = {
        "number": np.float64(1.0),
        "cells": 1.0 + 0.5 * np.sin(3 * middle[:, 0]) * np.cos(2 * middle[:, 1]),
        "start": 0.5 + 0.4 * np.tanh(5 * np.sin(3 * x) * np.cos(2 * y)),
    }
    rng = np.random.default_rng(0)
    along = {name: 5e-3 * value * rng.uniform(0.0, 1.0, np.shape(value)) for name, value in at.items()}
    given = {"points": points, "cells": cells, "steps": steps, "dt": DT, "target": 0.5 + 0.1 * x}
    return Case("diffusion", given, at, along)


def elasticity(points: np.ndarray, cells: np.ndarray) -> Case:
    """A swollen core in a body that is clamped at its left end."""
    x, middle = points[:, 0], points[cells].mean(axis=1)
    core = np.linalg.norm(middle - points.mean(axis=0), axis=1) < 0.25 * np.ptp(x)
    held = np.flatnonzero(x < x.min() + 0.1 * np.ptp(x))
    given = {"cells": cells, "misfit": 0.02 * core, "held": held, "E": 250.0, "nu": 0.25}
    rng = np.random.default_rng(0)
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    side = np.sqrt(np.mean(np.linalg.det(edges)))
    stretch, shift = points @ rng.uniform(-1.0, 1.0, (2, 2)), side * rng.normal(size=points.shape)
    return Case("elasticity", given, {"points": points}, {"points": (stretch + shift) / 1000})


def measured(
    case: Case, value: Callable[[Arrays], float], gradient: Callable[[Arrays], tuple[float, Arrays]], repeats: int,
    differences: bool = True,
) -> tuple[dict, Arrays]:  # fmt: skip
    """Times [s], values, slopes along the lines and what differences give for them; and the gradient.

    The first calls, which compile, are apart; then both alternate. Each time is (wall, processor).

    Args:
        case: what both are of.
        value: of the parameters.
        gradient: value and gradient, ready to be read.
        repeats: how many calls of each are timed.
        differences: whether to take them too: four values a line.
    """
    first = {"value": _timed(value, case.at)[0], "value and gradient": _timed(gradient, case.at)[0]}
    times: dict[str, list] = {"value": [], "value and gradient": []}
    alone, found = 0.0, (0.0, {})
    for _ in range(repeats):
        lap, alone = _timed(value, case.at)
        times["value"].append(lap)
        lap, found = _timed(gradient, case.at)
        times["value and gradient"].append(lap)
    record = {"first": first, "times": times, "J": float(alone), "J with gradient": float(found[0])}
    record["slopes"] = {name: float(np.sum(found[1][name] * step)) for name, step in case.along.items()}
    record["differences"] = {name: _difference(case, value, name) for name in case.along} if differences else {}
    return record, found[1]


def _difference(case: Case, value: Callable[[Arrays], float], name: str) -> float:
    """Richardson's of two central differences along one line."""
    here, step = case.at[name], case.along[name]
    central = [
        (float(value(case.at | {name: here + h * step})) - float(value(case.at | {name: here - h * step}))) / (2 * h)
        for h in (1.0, 0.5)
    ]
    return (4 * central[1] - central[0]) / 3


def _timed(function: Callable, *args: Any) -> tuple[tuple[float, float], Any]:
    wall, processor = time.perf_counter(), time.process_time()
    out = function(*args)
    return (time.perf_counter() - wall, time.process_time() - processor), out
