"""The picture of a mesh: its cells, and its facet sets by colour."""

import numpy as np

from chemomech.viz.camera import View
from chemomech.viz.style import BLUE, GREEN, ORANGE, PURPLE, SKY, si
from chemomech.viz.surface import linear_cells, outside

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#E69F00", "#F0E442", "#999999")
PLAIN = "#d8d8d8"  # cells of a plane mesh, and facets of no set
MANY = 24  # sets beyond these are drawn, but not named


def draw_mesh(title: str, points, cells, facets):
    """Figure: a plane mesh with its boundary, or a solid from above a corner.

    Args:
        title: above the picture.
        points: (n, 2 or 3) coordinates [m].
        cells: nodes (m, k) by type of cell.
        facets: nodes of the facets by set, corners first.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    pieces = linear_cells(cells)
    flat = "triangle" in pieces
    factor, prefix = si(np.ptp(points, axis=0).max())
    points = np.pad(points * factor, ((0, 0), (0, 3 - points.shape[1])))
    view = View.of(points, flat)
    left, right, bottom, top = view.extent
    figure = Figure(figsize=(6.4, min(max(4.8 * (top - bottom) / (right - left), 1.6), 8.0) + 0.5))
    ax = figure.subplots()
    ax.set_axis_off()
    counts, facets = {name: len(rows) for name, rows in facets.items()}, _each_once(facets)
    colours = dict(zip(facets, colours_of(len(facets))))
    (_draw_plane if flat else _draw_solid)(ax, points, cells if flat else pieces, facets, colours, view)
    ax.set(xlim=view.extent[:2], ylim=view.extent[2:], aspect="equal")
    extents = np.ptp(points, axis=0)[: 2 if flat else 3]
    ax.set_title(f"{title}: {' x '.join(f'{x:.3g}' for x in extents)} {prefix}m", loc="left")
    handles = [Patch(color=colours[name], label=f"{name} ({counts[name]})") for name in [*facets][:MANY]]
    if handles:
        figure.legend(handles=handles, loc="outside right upper")
    return figure


def colours_of(count: int) -> list:
    """As many colours, all different: those of all pictures first, then hues a golden section apart."""
    from matplotlib.colors import hsv_to_rgb

    more = range(max(count - len(COLOURS), 0))
    made = [tuple(hsv_to_rgb((0.05 + 0.618034 * k % 1, 0.9 - 0.45 * (k % 2), 0.55 + 0.35 * (k % 3 > 0)))) for k in more]
    return [*COLOURS[:count], *made]


def _each_once(facets):
    """Each facet in the smallest set that has it; sets that are made up of smaller ones are left out."""
    taken, left = set(), {}
    for name in sorted(facets, key=lambda name: len(facets[name])):
        keys = [tuple(sorted(row)) for row in np.asarray(facets[name]).tolist()]
        free = [k for k, key in enumerate(keys) if key not in taken]
        taken.update(keys)
        left[name] = facets[name][np.array(free, int)]
    return {name: left[name] for name in facets if len(left[name])}


def _draw_plane(ax, points, cells, facets, colours, view: View) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    for nodes in cells.values():
        corners = 4 if nodes.shape[1] == 4 else 3
        faces = points[nodes[:, :corners], :2]
        ax.add_collection(PolyCollection(faces, facecolors=PLAIN, edgecolors="white", linewidths=_line(len(nodes))))
    for name, nodes in facets.items():
        ax.add_collection(LineCollection(points[nodes[:, :2], :2], colors=colours[name], linewidths=2.0, clip_on=False))


def _draw_solid(ax, points, pieces, facets, colours, view: View) -> None:
    """The facets that face the eye, from far to near, shaded by their slope."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    triangles = outside(pieces)
    of = {tuple(sorted(nodes)): name for name, rows in facets.items() for nodes in _triangles(rows).tolist()}
    base = np.array([to_rgb(colours.get(of.get(tuple(sorted(t)), ""), PLAIN)) for t in triangles.tolist()])
    corners = points[triangles] @ view.basis.T
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    slope = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-300)
    seen = np.flatnonzero(slope > 0)
    order = seen[np.argsort(corners[seen, :, 2].mean(axis=1), kind="stable")]
    shade = base * (0.45 + 0.55 * np.clip(slope, 0, 1))[:, None]
    ax.add_collection(
        PolyCollection(
            corners[order, :, :2], facecolors=shade[order], edgecolors=(1, 1, 1, 0.6), linewidths=_line(len(order))
        )
    )


def _triangles(nodes):
    """Facets of three corners; quads are cut as `surface.outside` cuts them."""
    if nodes.shape[1] in (4, 8):
        return nodes[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    return nodes[:, :3]


def _line(count: int) -> float:
    return float(np.clip(8 / max(count, 1) ** 0.5, 0.05, 0.5))
