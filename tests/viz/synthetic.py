"""A made-up results folder: a front that crosses a small body and comes back."""

import csv
import json

import meshio
import numpy as np

SIZE = 1e-7  # [m]


def square(kind: str = "triangle", n: int = 24, height: float = 1.0) -> meshio.Mesh:
    """A square or strip of triangles, quads or six-node triangles [m]."""
    x, y = np.meshgrid(np.linspace(0, 1, n + 1), np.linspace(0, height, n + 1), indexing="ij")
    node = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
    a, b, c, d = (part.ravel() for part in (node[:-1, :-1], node[1:, :-1], node[1:, 1:], node[:-1, 1:]))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1) * SIZE
    if kind == "quad":
        return meshio.Mesh(points, [("quad", np.stack([a, b, c, d], axis=1))])
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    mesh = meshio.Mesh(points, [("triangle", triangles)])
    return mesh if kind == "triangle" else with_middles(mesh, [(0, 1), (1, 2), (2, 0)], "triangle6")


def cube(kind: str = "tetra", n: int = 8) -> meshio.Mesh:
    """A box of hexahedra, tetrahedra or ten-node tetrahedra [m]."""
    x = np.stack(np.meshgrid(*[np.linspace(0, 1, n + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    node = np.arange((n + 1) ** 3).reshape(n + 1, n + 1, n + 1)
    shift = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    hexes = np.stack([node[i : n + i, j : n + j, k : n + k].ravel() for i, j, k in shift], axis=1)
    if kind == "hexahedron":
        return meshio.Mesh(x * SIZE, [("hexahedron", hexes)])
    split = [[0, 1, 2, 6], [0, 2, 3, 6], [0, 3, 7, 6], [0, 7, 4, 6], [0, 4, 5, 6], [0, 5, 1, 6]]
    mesh = meshio.Mesh(x * SIZE, [("tetra", hexes[:, split].reshape(-1, 4))])
    edges = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]
    return mesh if kind == "tetra" else with_middles(mesh, edges, "tetra10")


def with_middles(mesh: meshio.Mesh, edges, kind: str) -> meshio.Mesh:
    """The quadratic mesh on a linear one: a node in the middle of every edge."""
    cells = mesh.cells[0].data
    ends = np.sort(cells[:, edges].reshape(-1, 2), axis=1)
    pairs, number = np.unique(ends, axis=0, return_inverse=True)
    points = np.concatenate([mesh.points, mesh.points[pairs].mean(axis=1)])
    return meshio.Mesh(points, [(kind, np.hstack([cells, len(mesh.points) + number.reshape(len(cells), -1)]))])


def write_results(folder, mesh: meshio.Mesh, steps: int = 61, without: tuple[str, ...] = ()):
    """Fill `folder` as a run would: a discharge, a rest and a charge, a snapshot every third step."""
    folder.mkdir(parents=True, exist_ok=True)
    cycle = np.interp(np.linspace(0, 1, steps), [0, 0.45, 0.55, 1], [0.02, 0.97, 0.97, 0.05])
    rows = [_row(k, soc, cycle) for k, soc in enumerate(cycle)]
    names = [name for name in rows[0] if name not in without]
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    entries = []
    for number, k in enumerate(range(0, steps, 3)):
        name = f"fields_{number:05d}.vtu"
        meshio.write(folder / name, _fields(mesh, cycle[k]))
        entries.append(f'<DataSet timestep="{rows[k]["time [s]"]}" group="" part="0" file="{name}"/>')
    index = (
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1"><Collection>\n{}\n</Collection></VTKFile>\n'
    )
    (folder / "fields.pvd").write_text(index.format("\n".join(entries)))
    summary = {
        "title": "A <particle> & its front",
        "status": "completed",
        "steps": steps,
        "hysteresis gap [mV]": 42.1234567,
        "capacity [mAh/g]": 161.5,
        "timing": {"wall time [s]": 12.25, "compiled": True},
        "warnings": ["Mesh is <coarse>: 3 elements over the interface."],
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.toml").write_text('title = "A <particle>"\n[material]\nname = "see http://example.org/lfp"\n')
    return folder


def _row(k: int, soc: float, cycle) -> dict:
    flow = np.sign(cycle[k] - cycle[k - 1]) if k else 0.0
    mixed = soc * (1 - soc)
    open_circuit = 3.42 - 0.012 * np.log(soc / (1 - soc))
    elastic = 4e-17 * mixed
    return {
        "step [-]": k,
        "segment [-]": int(k > len(cycle) * 0.45) + int(k > len(cycle) * 0.55),
        "time [s]": 60.0 * k,
        "soc [-]": soc,
        "voltage [V]": open_circuit - 0.02 * flow,
        "current [A]": 1e-13 * flow,
        "charge [C]": 3e-11 * soc,
        "free energy [J]": -3e-15 * mixed + elastic,
        "chemical energy [J]": -3.1e-15 * mixed,
        "gradient energy [J]": 1e-17 * np.sqrt(mixed),
        "elastic energy [J]": elastic,
        "max principal stress [Pa]": (1.2e9 - 8e7 * flow) * np.sqrt(mixed),
        "max von Mises [Pa]": (1.6e9 - 8e7 * flow) * np.sqrt(mixed),
        "c min [-]": max(0.01, soc - 3 * mixed),
        "c max [-]": min(0.99, soc + 3 * mixed),
        "dt [s]": 60.0,
        "newton [-]": 4,
    }


def _fields(mesh: meshio.Mesh, soc: float) -> meshio.Mesh:
    x = mesh.points / SIZE
    distance = x[:, 0] + 0.12 * np.sin(5 * x[:, 1]) + 0.15 * x[:, 2] - 1.3 * soc + 0.15
    c = 0.5 - 0.49 * np.tanh(distance / 0.06)
    stress = 9e8 * np.exp(-((distance / 0.1) ** 2)) * (0.6 + 0.4 * np.cos(6 * x[:, 1]))
    tensor = stress[:, None] * np.array([1.0, 0.4, 0.1, 0.0, 0.0, 0.2])
    return meshio.Mesh(
        mesh.points,
        mesh.cells,
        point_data={
            "c": c,
            "mu [J/mol]": 1e3 * c,
            "u [m]": 0.02 * mesh.points * c[:, None],
            "stress [Pa]": tensor,
            "von Mises [Pa]": stress,
            "hydrostatic [Pa]": tensor[:, :3].mean(axis=1),
            "principal [Pa]": np.sort(tensor[:, :3], axis=1)[:, ::-1],
        },
    )
