"""The picture of a screening."""

import numpy as np
import pytest

from chemomech.errors import ChemomechError
from chemomech.viz.lattices import draw_screening
from chemomech.viz.style import save


def columns(n=50):
    """Pairs at random, one without twins."""
    rng = np.random.default_rng(0)
    stretches = np.sort(1 + 0.05 * rng.normal(size=(n, 3)), axis=1)
    distance = np.abs(stretches[:, 1] - 1)
    distance[3] = np.inf
    named = {f"lambda_{i + 1}": stretches[:, i] for i in range(3)}
    return {"name": np.arange(n).astype(str), "det U": stretches.prod(1), "cofactor distance": distance} | named


def test_every_pair_is_a_point_and_the_best_are_named(tmp_path):
    found = columns()
    figure = draw_screening(found, named=3)
    plane = figure.axes[0]
    assert len(plane.collections[0].get_offsets()) == 50
    text = plane.texts[0].get_text()
    best = np.argsort(np.abs(found["lambda_2"] - 1))[:3]
    assert [line.split()[0] for line in text.splitlines()] == [found["name"][row] for row in best]
    assert save(lambda: draw_screening(found), tmp_path / "pairs.png").stat().st_size > 10_000


def test_missing_columns_are_named():
    found = columns()
    del found["det U"]
    with pytest.raises(ChemomechError, match="det U"):
        draw_screening(found)
