"""Off-screen pictures by PyVista: whether they can be made here, and one picture of one field."""

import functools
import os
import subprocess
import sys

import numpy as np

INSTALL = (
    "apt-get install --no-install-recommends libgl1 libglu1-mesa libxcursor1 libxft2 libxinerama1 libgomp1 libegl1"
)
PROBE = """
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(64, 64))
plotter.add_mesh(pyvista.Sphere(), color="black")
raise SystemExit(0 if plotter.screenshot(return_img=True).std() > 1 else 3)
"""


@functools.cache
def can_render() -> tuple[bool, str]:
    """(whether VTK draws off screen here, the reason and the cure if not); probed once in a child process."""
    # VTK without its system libraries ends the process by a signal, which only another process survives.
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE], env={**os.environ, **_egl()}, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        return False, _cure(str(error))
    if probe.returncode == 0:
        return True, ""
    last = (probe.stderr.strip().splitlines() or [f"exit status {probe.returncode}"])[-1]
    return False, _cure(last)


def _egl() -> dict[str, str]:
    """The environment that makes VTK draw without a display (Linux only)."""
    return {"VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"} if sys.platform.startswith("linux") else {}


def _cure(reason: str) -> str:
    return f"PyVista cannot render here ({reason[:200]}). To enable it: {INSTALL}"


def picture(points, cells, values, view, cmap: str, limits, width: int = 700) -> np.ndarray:
    """RGB picture (h, width, 3) of one nodal field in a parallel view (see `camera.View`)."""
    os.environ.update({name: value for name, value in _egl().items() if name not in os.environ})
    import pyvista

    left, right, bottom, top = view.extent
    size = (width, max(2, round(width * (top - bottom) / (right - left))))
    plotter = pyvista.Plotter(off_screen=True, window_size=size, lighting="none" if view.flat else "light kit")
    look = {"lighting": False} if view.flat else {"ambient": 0.6, "diffuse": 0.45, "specular": 0.0}
    try:
        plotter.set_background("white")
        surfaces, edges = _flat(points, cells, values) if view.flat else _solid(points, cells, values, view)
        for surface in surfaces:
            plotter.add_mesh(
                surface, scalars="value", cmap=cmap, clim=limits, n_colors=256, show_scalar_bar=False, **look
            )
        for edge in edges:
            plotter.add_mesh(edge, color="#808080", line_width=2, lighting=False)
        _aim(plotter, view)
        return np.asarray(plotter.screenshot(return_img=True))[..., :3]
    finally:
        plotter.close()


def _flat(points, cells, values):
    import pyvista

    mesh = pyvista.PolyData.from_regular_faces(points, cells["triangle"])
    mesh.point_data["value"] = values
    return [mesh], []


def _solid(points, cells, values, view):
    """(surfaces, outlines) of a solid without the octant of its bounding box nearest to the eye."""
    import pyvista

    codes = {"tetra": pyvista.CellType.TETRA, "hexahedron": pyvista.CellType.HEXAHEDRON}
    grid = pyvista.UnstructuredGrid({codes[kind]: nodes for kind, nodes in cells.items()}, points)
    grid.point_data["value"] = values
    skin = _skin(grid)
    creases = skin.extract_feature_edges(40, manifold_edges=False, boundary_edges=False, non_manifold_edges=False)
    rims = [_near(skin.slice(axis, origin=grid.center), grid.center, view, skip=k) for k, axis in enumerate("xyz")]
    surfaces = [_skin(piece) for piece in _without_octant(grid, grid.center, view)]
    edges = [*_without_octant(creases, grid.center, view), *rims]
    return [s for s in surfaces if s.n_cells], [edge for edge in edges if edge.n_cells]


def _skin(grid):
    return grid.extract_surface(algorithm="dataset_surface")


def _without_octant(mesh, centre, view):
    """Three pieces that together are all but the near octant."""
    # VTK's own box clip loses faces where the box touches nodes; half spaces do not.
    for k, axis in enumerate("xyz"):
        if mesh.n_cells == 0:
            return
        near = view.basis[2][k] > 0
        yield mesh.clip(axis, origin=centre, invert=bool(near))
        mesh = mesh.clip(axis, origin=centre, invert=not near)


def _near(mesh, centre, view, skip: int):
    """The part of a mesh in the near octant, along all axes but one."""
    for k, axis in enumerate("xyz"):
        if k != skip and mesh.n_cells:
            mesh = mesh.clip(axis, origin=centre, invert=bool(view.basis[2][k] < 0))
    return mesh


def _aim(plotter, view):
    left, right, bottom, top = view.extent
    focus = view.basis.T @ np.array([(left + right) / 2, (bottom + top) / 2, view.depth])
    camera = plotter.camera
    camera.focal_point = focus
    camera.position = focus + 10 * view.size * view.basis[2]
    camera.up = view.basis[1]
    camera.parallel_projection = True
    camera.parallel_scale = (top - bottom) / 2
    plotter.reset_camera_clipping_range()
