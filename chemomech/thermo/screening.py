"""Screening of many pairs of phases: correspondence, stretches, twins, and a ranking."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..errors import ConfigError, FileError
from .compatibility import TwinSystems, twin_systems
from .correspondence import Correspondence, Transformation, correspondence, transformation
from .lattice import Lattice
from .symmetry import directions, twofold_axes

ROWS = 512  # pairs assessed at once, which bounds memory
RANKS = {
    "lambda_2": "|lambda_2 - 1|: how far from an interface without twins",
    "cofactor": "|CC1| + |CC2| + max(-CC3, 0): how far from the cofactor conditions, best twin",
    "volume": "|det U - 1|: change of volume",
    "distance": "strain distance of the transformation",
}


class Assessment(eqx.Module):
    """What one pair of lattices can do; `best` is the twin that comes closest to the cofactor conditions.

    twin: 1 or 2, type of the best twin, 0 where there is none; conditions, f, fits and n belong to it.
    """

    transformation: Transformation
    twin: Int[Array, ""]
    n: Float[Array, "3"]
    conditions: Float[Array, "3"]
    cofactor_distance: Float[Array, ""]
    f: Float[Array, ""]
    fits: Bool[Array, ""]


def assess(parent: Lattice, product: Lattice, matrix: Float[Array, "3 3"], axes: Float[Array, "k 3"]) -> Assessment:
    """Stretches and best twin of one pair (`jax.vmap` takes batches).

    Args:
        parent: lattice before.
        product: lattice after.
        matrix: from `correspondence`.
        axes: twofold axes of the parent in terms of its cell, from `twofold_axes`.
    """
    change = transformation(parent, product, matrix)
    systems = twin_systems(change.U, directions(parent, axes))
    best = jnp.argmin(systems.cofactor_distance)
    twin = _flat(systems, best)
    kind = jnp.where(twin.exists, 1 + best % 2, 0)
    alone = jnp.abs(change.stretches[1] - 1.0)
    size = jnp.where(twin.exists, systems.cofactor_distance.ravel()[best], alone)
    return Assessment(change, kind, twin.n, twin.conditions, size, twin.f, twin.fits)


def _flat(systems: TwinSystems, row) -> Any:
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[row], systems)


class Screening(eqx.Module):
    """Pairs of lattices, assessed: arrays over pairs, a ranking, a table."""

    names: tuple[str, ...] = eqx.field(static=True)
    correspondence: Correspondence
    assessment: Assessment

    def columns(self) -> dict[str, np.ndarray]:
        """One array a column, in the order of the pairs; all are pure numbers [1]."""
        a, c = self.assessment, self.correspondence
        stretches, conditions, n = (np.asarray(v) for v in (a.transformation.stretches, a.conditions, a.n))
        volume = np.asarray(jax.vmap(lambda t: t.volume_ratio)(a.transformation))
        return {
            "name": np.array(self.names),
            **{f"lambda_{i + 1}": stretches[:, i] for i in range(3)},
            "det U": volume,
            "distance": np.asarray(c.distance),
            "parent index": np.asarray(c.indices[:, 0]),
            "product index": np.asarray(c.indices[:, 1]),
            "twin type": np.asarray(a.twin),
            **{f"CC{i + 1}": conditions[:, i] for i in range(3)},
            "cofactor distance": np.asarray(a.cofactor_distance),
            "twin fraction": np.asarray(a.f),
            "twin fits": np.asarray(a.fits),
            **{f"n_{axis}": n[:, i] for i, axis in enumerate("xyz")},
        }

    def ranked(self, by: str = "lambda_2", count: int | None = None) -> list[dict[str, Any]]:
        """The pairs from best to worst, one dictionary a row.

        Args:
            by: lambda_2, cofactor, volume or distance.
            count: so many rows only; None: all.

        Raises:
            ConfigError: there is no such ranking, or count is negative.
        """
        if count is not None and count < 0:
            raise ConfigError(f"count = {count}: a ranking has so many rows, 0 or more. None gives all of them.")
        columns = self.columns()
        order = np.argsort(_merit(columns, by), kind="stable")[:count]
        return [
            {"rank": rank} | {name: values[row].item() for name, values in columns.items()}
            for rank, row in enumerate(order, start=1)
        ]

    def write_csv(self, path: str | PathLike, by: str = "lambda_2", count: int | None = None) -> None:
        """Write the ranking.

        Raises:
            FileError: the file cannot be written.
        """
        rows = self.ranked(by, count)
        try:
            with Path(path).open("w", newline="") as file:
                writer = csv.DictWriter(file, ["rank", *self.columns()])
                writer.writeheader()
                writer.writerows(rows)
        except OSError as error:
            raise FileError(f"Cannot write table {path}: {error.strerror}. Try: another folder.") from error

    def table(self, by: str = "lambda_2", count: int | None = 20) -> Any:
        """The ranking as a `rich.table.Table`, for a terminal."""
        from rich.table import Table

        shown = ("rank", "name", "lambda_1", "lambda_2", "lambda_3", "det U", "CC2", "CC3", "twin fraction")
        table = Table(title=f"Pairs by {RANKS[_known(by)]}")
        for name in shown:
            table.add_column(name, justify="left" if name == "name" else "right")
        for row in self.ranked(by, count):
            table.add_row(*(f"{row[n]:.5f}" if isinstance(row[n], float) else str(row[n]) for n in shown))
        return table


def _known(by: str) -> str:
    if by not in RANKS:
        raise ConfigError(f'There is no ranking by "{by}". Try: one of {", ".join(RANKS)}.')
    return by


def _merit(columns: dict[str, np.ndarray], by: str) -> np.ndarray:
    merits = {
        "lambda_2": np.abs(columns["lambda_2"] - 1.0),
        "cofactor": columns["cofactor distance"],
        "volume": np.abs(columns["det U"] - 1.0),
        "distance": columns["distance"],
    }
    return merits[_known(by)]


def screen(
    parents: Lattice,
    products: Lattice,
    names: Sequence[str] | None = None,
    *,
    max_index: int = 2,
    indices: Sequence[tuple[int, int]] | None = None,
) -> Screening:
    """Assess many pairs of lattices: row i of the one batch against row i of the other.

    It looks at numbers, so it runs outside JAX's transformations; `correspondence` and `assess` run inside them too.

    Args:
        parents: hosts, all of one centring.
        products: intercalated phases, all of one centring.
        names: of the pairs; numbers if None.
        max_index: see `correspondence`.
        indices: see `correspondence`.

    Raises:
        ConfigError: the batches, or the names, do not go together.
    """
    counts = {lattice.lengths.shape[:-1] for lattice in (parents, products)}
    if len(counts) != 1 or len(parents.lengths.shape) != 2:
        shapes = " and ".join(str(lattice.lengths.shape) for lattice in (parents, products))
        raise ConfigError(f"Screening takes two batches of as many lattices, not lengths of shapes {shapes}.")
    count = len(parents.lengths)
    if count == 0:
        raise ConfigError("There is no pair to screen. Try: batches of at least one lattice.")
    names = tuple(str(i) for i in range(count)) if names is None else tuple(names)
    if len(names) != count:
        raise ConfigError(f"There are {len(names)} names for {count} pairs. Try: one name a pair.")
    found = correspondence(parents, products, max_index=max_index, indices=indices)
    group = min(ROWS, count)
    padded = np.resize(np.arange(count), -(-count // group) * group)  # no group of another size: one program
    rows = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[padded]), (parents, products, found.matrix))
    whole = _assess_all(rows[0], rows[1], rows[2], group)
    assessed = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[:count]), whole)
    return Screening(names, found, assessed)


@eqx.filter_jit
def _assess_all(parents: Lattice, products: Lattice, matrices: Float[Array, "n 3 3"], group: int) -> Assessment:
    def one(row):
        parent, product, matrix = row
        return assess(parent, product, matrix, twofold_axes(parent)[0])

    return jax.lax.map(one, (parents, products, matrices), batch_size=group)
