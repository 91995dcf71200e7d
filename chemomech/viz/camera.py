"""The parallel view that both PyVista and matplotlib draw in, so that their pictures agree."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class View:
    """Orthonormal rows `basis` = (right, up, towards the eye); lengths in the unit of the points."""

    basis: np.ndarray
    extent: tuple[float, float, float, float]  # left, right, bottom, top in the picture plane
    depth: float
    size: float
    flat: bool

    @classmethod
    def of(cls, points: np.ndarray, flat: bool) -> "View":
        """From the front in two dimensions, else from above a corner; a narrow margin all round."""
        basis = np.eye(3) if flat else _corner_basis(np.array([0.6, -0.75, 0.5]))
        seen = points @ basis.T
        low, high = seen.min(axis=0), seen.max(axis=0)
        # A margin of blank keeps the silhouette off the picture's border.
        margin = (0.004 if flat else 0.03) * (high - low)[:2].max()
        left, bottom = low[:2] - margin
        right, top = high[:2] + margin
        return cls(basis, (left, right, bottom, top), (low[2] + high[2]) / 2, np.ptp(points, axis=0).max(), flat)

    def octant(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) corners of the eighth of the bounding box nearest to the eye, with room outside."""
        low, high = points.min(axis=0), points.max(axis=0)
        middle, room = (low + high) / 2, 0.1 * (high - low)
        near = self.basis[2] > 0
        return np.where(near, middle, low - room), np.where(near, high + room, middle)


def _corner_basis(towards: np.ndarray) -> np.ndarray:
    towards = towards / np.linalg.norm(towards)
    right = np.cross([0.0, 0.0, 1.0], towards)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(towards, right), towards])
