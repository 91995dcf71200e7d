"""Composition maps: pixels with a size, some of them inside the particle."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import ConfigError, FileError, MeshError
from ..fields import AbstractField
from ..units import param, parse

RIM = 1.0  # pixels: how far around a pixel outside those inside count
FAINT, RIDGE = 1e-4, 1e-3  # least weight of the pixels inside for a plane; keeps it level across a row of pixels
REAL = "biuf"  # kinds of NumPy's types
HDF5 = (".h5", ".hdf5", ".hdf", ".nxs")


class Map(AbstractField):
    """A composition map, as a function of the points: bilinear between the middles of its pixels.

    x runs to the right from the picture's left edge, y upwards from its lower edge. Just outside the particle a plane
    through the pixels inside goes on, within the range of the map; further out the nearest pixel counts.

    Args:
        values: composition of each pixel, the uppermost row first; NaN lies outside [1].
        pixel: side of a pixel [m].
        inside: which pixels belong to the particle; None: all but those that are NaN.

    Raises:
        MeshError: the arrays hold no real numbers or do not fit, no pixel lies inside, or it has no size.
    """

    values: Float[np.ndarray, "rows columns"]
    inside: Bool[np.ndarray, "rows columns"]
    pixel: float = param("m", doc="side of a pixel")

    def __init__(self, values: Any, pixel: Any, inside: Any = None):
        self.values = _numbers(values, "values")
        self.pixel = float(parse(pixel, "m", name="Map.pixel"))
        finite = np.isfinite(self.values)
        within = finite if inside is None else _numbers(inside, "inside") != 0
        if self.values.ndim != 2 or within.shape != self.values.shape:
            raise MeshError(
                f"A map has rows and columns, and as many pixels inside or outside: got {self.values.shape} and "
                f"{within.shape}. Try: one channel of the picture."
            )
        self.inside = within & finite
        if not self.inside.any():
            raise MeshError("No pixel of the map lies inside the particle. Try: another mask or threshold.")
        if not self.pixel > 0:
            raise MeshError(f'A pixel of {self.pixel:g} m. Try: a positive length, such as "20 nm".')

    @classmethod
    def read(
        cls, path: str | PathLike, pixel: Any, black: float = 0.0, white: float = 1.0, dataset: str | None = None,
        outline: str | PathLike | None = None, above: float | None = None, top: float | None = None,
    ) -> Map:  # fmt: skip
        """A map from a grey-scale picture or a two-dimensional dataset of an HDF5 file.

        Args:
            path: the file, from the working directory (in a config from the config's folder); what is transparent in a
                picture, or NaN in a dataset, lies outside.
            pixel: side of a pixel [m].
            black, white: compositions of a picture's black and white; a dataset holds compositions already.
            dataset: its name in the file; None: the only one.
            outline: a picture that is not black inside the particle.
            above: composition that pixels inside exceed; None: any.
            top: number of a picture's pixel that is white, such as 4095 of a camera's 12 bits; default: 255 of 8 bits,
                65535 of 16, and 1 of floating-point numbers, which a TIFF may hold.

        Raises:
            FileError: a file cannot be read, is no grey-scale picture, or holds no real numbers.
            ConfigError: top is not positive.
        """
        if top is not None and not top > 0:
            raise ConfigError(f"Map.read: top = {top} must be positive, such as 4095 for pictures of 12 bits.")
        path = Path(path)
        if path.suffix.lower() in HDF5:
            found, inside = _dataset(path, dataset), np.array(True)
            if found.dtype.kind not in REAL:
                raise FileError(f"{path} holds {found.dtype}, no real numbers. Try: a dataset of compositions.")
            values = found.astype(float)
        else:
            grey, inside = _grey(path, top)
            values = black + (white - black) * grey
        inside = np.isfinite(values) & inside
        if outline is not None:
            inside = inside & _same_shape(_grey(Path(outline))[0] > 0, values, Path(outline))
        if above is not None:
            inside = inside & (values > above)
        return cls(values, pixel, inside)

    @property
    def soc(self) -> float:
        """Mean over the pixels inside [1]."""
        return float(self.values[self.inside].mean())

    @property
    def area(self) -> float:
        """Area of the pixels inside [m^2]."""
        return float(self.inside.sum()) * self.pixel**2

    def averaged(self, width: float) -> Map:
        """The map that elements of a given size can show: weights of a Gaussian with the variance of a box that wide.

        The value of the plane that fits the pixels inside best, so that gradients are kept up to the rim. A width of a
        pixel or less changes nothing.

        Args:
            width: [m].
        """
        if width <= self.pixel:
            return self
        sigma = np.sqrt((width / self.pixel) ** 2 - 1.0) / np.sqrt(12.0)  # a pixel is a mean of its own
        return Map(np.where(self.inside, _fitted(self.values, self.inside, sigma), np.nan), self.pixel, self.inside)

    def __call__(self, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
        """Composition at the points [m]."""
        from scipy.ndimage import map_coordinates

        filled = np.where(self.inside, self.values, _fitted(self.values, self.inside, RIM))
        x, y = np.asarray(points, float)[:, :2].T / self.pixel
        return map_coordinates(filled, [len(filled) - y - 0.5, x - 0.5], order=1, mode="nearest")


def _numbers(values: Any, name: str) -> Float[np.ndarray, "..."]:
    try:
        found = np.asarray(values)
        if found.dtype.kind in REAL:
            return found.astype(float)
    except ValueError:  # rows of different lengths
        pass
    raise MeshError(f"Map.{name} holds no real numbers in rows of one length. Try: a NumPy array, NaN where unknown.")


def _fitted(
    values: Float[np.ndarray, "rows columns"], inside: Bool[np.ndarray, "rows columns"], sigma: float
) -> Float[np.ndarray, "rows columns"]:
    """Value at each pixel of a plane through the pixels inside around it, of Gaussian weights.

    Within the range of those values; beyond the Gaussian's reach that of the nearest pixel inside.
    """
    from scipy.ndimage import correlate1d, distance_transform_edt

    reach = int(np.ceil(4 * sigma)) + 1
    t = np.arange(-reach, reach + 1)
    gaussian = np.exp(-0.5 * (t / sigma) ** 2)
    gaussian /= gaussian.sum()

    def moment(v, p, q):  # over the distances along rows and columns, in units of sigma
        rows = correlate1d(v, gaussian * (t / sigma) ** p, axis=0, mode="constant")
        return correlate1d(rows, gaussian * (t / sigma) ** q, axis=1, mode="constant")

    share, known = inside.astype(float), np.where(inside, values, 0.0)
    order = ((0, 0), (1, 0), (0, 1))
    matrix = np.stack([np.stack([moment(share, a + c, b + d) for c, d in order], -1) for a, b in order], -2)
    near = matrix[..., 0, 0] > FAINT
    matrix = np.where(near[..., None, None], matrix + RIDGE * matrix[..., :1, :1] * np.diag([0.0, 1.0, 1.0]), np.eye(3))
    right = np.stack([moment(known, a, b) for a, b in order], -1)
    fitted = np.linalg.solve(matrix, right[..., None])[..., 0, 0].clip(values[inside].min(), values[inside].max())
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.where(near, fitted, values[tuple(nearest)])


def read_labels(path: str | PathLike, dataset: str | None = None) -> Int[np.ndarray, "rows columns"]:
    """A label image: the whole numbers of a picture or of a dataset of an HDF5 file, one for each particle.

    Of a picture with a palette the numbers of the colours count.

    Raises:
        FileError: the file cannot be read, or holds no whole numbers.
    """
    path = Path(path)
    found = _dataset(path, dataset) if path.suffix.lower() in HDF5 else _picture(path, palette=False)
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.integer):
        raise FileError(f"{path} holds {found.dtype} of shape {found.shape}. Try: one channel of whole numbers.")
    return found.astype(int)


def _dataset(path: Path, name: str | None) -> np.ndarray:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names: list[str] = []
            file.visititems(lambda key, item: names.append(key) if isinstance(item, h5py.Dataset) else None)
            chosen = names[0] if name is None and len(names) == 1 else name
            if chosen not in names:
                raise FileError(f"{path} has no single dataset '{name or ''}'; it has: {', '.join(names) or 'none'}.")
            return np.asarray(file[chosen])
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error}. Try: the path of an HDF5 file.") from None


def _picture(path: Path, palette: bool) -> np.ndarray:
    """Pixels as they are stored; those of a palette by its colours, or by their numbers in it."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if palette and image.mode in ("P", "PA"):
                image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
            return np.asarray(image)
    except (OSError, ValueError) as error:
        raise FileError(f"Cannot read the picture {path}: {error}. Try: PNG or TIFF.") from None


def _grey(path: Path, top: float | None = None) -> tuple[Float[np.ndarray, "rows columns"], Bool[np.ndarray, "..."]]:
    """Brightness, 1 where a pixel has the value `top`, and where the picture is not transparent."""
    pixels = _picture(path, palette=True)
    if top is None and np.issubdtype(pixels.dtype, np.integer):
        top = 255 if pixels.dtype.itemsize == 1 else 65535  # Pillow widens 16 bits
    pixels = pixels.astype(float) / (1.0 if top is None else top)
    if pixels.ndim == 2:
        return pixels, np.array(True)
    colours, alpha = pixels[..., : 3 if pixels.shape[2] > 2 else 1], pixels.shape[2] in (2, 4)
    if np.ptp(colours, axis=2).max() > 0:
        raise FileError(f"{path} is in colours, which tell no composition. Try: a grey-scale picture, or HDF5.")
    return colours[..., 0], pixels[..., -1] > 0 if alpha else np.array(True)


def _same_shape(found: np.ndarray, values: np.ndarray, path: Path) -> np.ndarray:
    if found.shape != values.shape:
        raise FileError(f"{path} has {found.shape} pixels, the map {values.shape}. Try: pictures of the same size.")
    return found
