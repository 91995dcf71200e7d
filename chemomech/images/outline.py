"""Outlines of a mask: marching squares on its smoothed picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ..errors import MeshError

Loop = Float[np.ndarray, "n 2"]

# Squares of four pixels, corners counter-clockwise from the lower left one as bits 1, 2, 4, 8: from which side to which
# the outline runs (0 below, 1 right, 2 above, 3 left) with the inside on its left. Of two opposite corners inside, the
# second pair of rows holds where the middle is inside too.
_RUNS = {
    1: [(0, 3)], 2: [(1, 0)], 3: [(1, 3)], 4: [(2, 1)], 5: [(0, 3), (2, 1)], 6: [(2, 0)], 7: [(2, 3)], 8: [(3, 2)],
    9: [(0, 2)], 10: [(1, 0), (3, 2)], 11: [(1, 2)], 12: [(3, 1)], 13: [(0, 1)], 14: [(3, 0)],
    21: [(0, 1), (2, 3)], 26: [(1, 2), (3, 0)],
}  # fmt: skip


def outlines(inside: Bool[np.ndarray, "rows columns"], pixel: float, smooth: float | None = None) -> list[Loop]:
    """Closed lines around what is inside, the largest first [m]: counter-clockwise, those around holes clockwise.

    The mask is smoothed by a Gaussian and cut at one half, so that the stairs of its pixels go. That moves an outline
    of radius R inwards by about smooth^2/(2 R).

    Args:
        inside: which pixels, the uppermost row first.
        pixel: side of a pixel [m].
        smooth: standard deviation of the Gaussian; default: one pixel [m].

    Raises:
        MeshError: nothing is left inside.
    """
    from scipy.ndimage import gaussian_filter

    sigma = 1.0 if smooth is None else smooth / pixel
    margin = int(np.ceil(4 * sigma)) + 1
    picture = np.pad(np.asarray(inside, float), margin)[::-1]  # rows upwards
    if sigma > 0:
        picture = gaussian_filter(picture, sigma, mode="constant")
    loops = [(loop - margin + 0.5) * pixel for loop in _contours(picture - 0.5)]
    if not loops:
        raise MeshError("No outline: nothing is left inside. Try: less smoothing, another mask or threshold.")
    return sorted(loops, key=lambda loop: -abs(area(loop)))


def area(loop: Loop) -> float:
    """Area inside a closed line [m^2]; negative where it runs clockwise."""
    x, y = loop.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def body(loops: list[Loop], least: float = 0.0) -> list[Loop]:
    """The largest body: its outline, and those of its holes.

    Args:
        loops: of `outlines`.
        least: smaller holes are filled [m^2].

    Raises:
        MeshError: the largest outline runs around a hole.
    """
    outer = loops[0]
    if area(outer) <= 0:
        raise MeshError("The largest outline runs around a hole. Try: the mask the other way round.")
    holes = [loop for loop in loops[1:] if area(loop) < -least]
    return [outer, *(loop for loop in holes if encloses([outer], loop[:1])[0])]


def encloses(loops: list[Loop], points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
    """Which points lie inside an outline and outside its holes: those whose ray to the right crosses an odd number."""
    a = np.concatenate(loops)
    b = np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    out = np.zeros(len(points), bool)
    for rows in np.array_split(np.arange(len(points)), max(1, len(points) * len(a) // 2_000_000)):
        x, y = points[rows].T[:, :, None]
        across = (a[:, 1] <= y) != (b[:, 1] <= y)
        rise = np.where(across, b[:, 1] - a[:, 1], 1.0)
        out[rows] = np.sum(across & (x < a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])), axis=1) % 2 == 1
    return out


def resampled(loop: Loop, h: float) -> Loop:
    """Points at equal distances of about h along a closed line.

    Raises:
        MeshError: it is shorter than six of them.
    """
    closed = np.concatenate([loop, loop[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = round(along[-1] / h)
    if count < 6:
        raise MeshError(
            f"An outline {along[-1]:.3g} m long has no room for edges of {h:.3g} m. Try: a smaller h, or a smoother "
            "mask without specks."
        )
    at = np.arange(count) * along[-1] / count
    return np.stack([np.interp(at, along, x) for x in closed.T], axis=1)


def _contours(picture: Float[np.ndarray, "rows columns"]) -> list[Loop]:
    """Lines of level zero in units of pixels, x by column and y by row; the picture's rim lies below zero."""
    following: dict[int, int] = {}
    places: dict[int, np.ndarray] = {}
    columns = picture.shape[1]
    corners = np.stack([picture[:-1, :-1], picture[:-1, 1:], picture[1:, 1:], picture[1:, :-1]])
    case = np.einsum("k,kij->ij", [1, 2, 4, 8], (corners > 0).astype(int))
    case = case + 16 * (((case == 5) | (case == 10)) & (corners.mean(axis=0) > 0))

    def crossing(i: int, j: int, side: int) -> int:
        """Number of the crossed side, each shared by two squares: 2 k to the right of pixel k, 2 k + 1 above it."""
        i, j, upwards = ((i, j, 0), (i, j + 1, 1), (i + 1, j, 0), (i, j, 1))[side]
        number = 2 * (i * columns + j) + upwards
        low, high = picture[i, j], picture[i + upwards, j + 1 - upwards]
        share = low / (low - high)
        places[number] = np.array([j + share * (1 - upwards), i + share * upwards])
        return number

    for i, j in np.argwhere((case > 0) & (case != 15)).tolist():
        for start, end in _RUNS[int(case[i, j])]:
            following[crossing(i, j, start)] = crossing(i, j, end)
    loops = []
    while following:
        first, number = next(iter(following.items()))
        del following[first]
        line = [first]
        while number != first:
            line.append(number)
            number = following.pop(number)
        loops.append(np.array([places[number] for number in line]))
    return loops
