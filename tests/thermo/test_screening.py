"""Screening: rankings, table, files, and what is refused."""

import csv

import jax
import numpy as np
import pytest

from chemomech.errors import ConfigError, FileError
from chemomech.thermo import Lattice, assess, correspondence, screen, twofold_axes

A = 1e-10
PARENTS = Lattice.cubic(np.full(4, 8.0) * A)
PRODUCTS = Lattice.orthorhombic(
    np.array([7.6, 7.9, 8.4, 8.2]) * A, np.array([8.004, 8.1, 8.4, 8.2]) * A, np.array([8.5, 8.3, 8.4, 7.4]) * A
)
NAMES = ("fits", "nearly", "swollen", "flat")


@pytest.fixture(scope="module")
def screening():
    return screen(PARENTS, PRODUCTS, NAMES)


def test_rankings(screening):
    middle = screening.ranked()
    assert [row["name"] for row in middle] == ["fits", "nearly", "flat", "swollen"]
    assert [row["rank"] for row in middle] == [1, 2, 3, 4]
    assert middle[0]["lambda_2"] == pytest.approx(8.004 / 8)
    assert screening.ranked("volume")[-1]["name"] == "swollen"
    assert screening.ranked("distance")[0]["name"] == "nearly"
    assert screening.ranked("cofactor", count=1)[0]["name"] == "fits"


def test_columns_are_those_of_single_pairs(screening):
    columns = screening.columns()
    np.testing.assert_allclose(
        columns["det U"], np.prod(np.asarray(PRODUCTS.lengths), axis=1) / (8 * A) ** 3, rtol=1e-12
    )
    assert columns["twin type"][2] == 0  # cubic in cubic: no other variant
    for i in range(4):
        parent, product = (jax.tree.map(lambda leaf, i=i: leaf[i], lattice) for lattice in (PARENTS, PRODUCTS))
        one = assess(parent, product, correspondence(parent, product).matrix, twofold_axes(parent)[0])
        assert columns["cofactor distance"][i] == pytest.approx(float(one.cofactor_distance), rel=1e-12)
        assert columns["twin fraction"][i] == pytest.approx(float(one.f), abs=1e-12)


def test_table_and_file(screening, tmp_path):
    screening.write_csv(tmp_path / "pairs.csv", count=3)
    rows = list(csv.DictReader((tmp_path / "pairs.csv").open()))
    assert [row["name"] for row in rows] == ["fits", "nearly", "flat"]
    assert float(rows[0]["lambda_2"]) == screening.ranked()[0]["lambda_2"]
    assert screening.table(count=2).row_count == 2
    screening.write_csv(tmp_path / "none.csv", count=0)
    assert (tmp_path / "none.csv").read_text().startswith("rank,name")
    with pytest.raises(FileError, match="Cannot write table"):
        screening.write_csv(tmp_path / "none" / "pairs.csv")


def test_batches_that_do_not_go_together_are_refused(screening):
    with pytest.raises(ConfigError, match="two batches"):
        screen(PARENTS, Lattice.cubic(8 * A))
    with pytest.raises(ConfigError, match="no pair"):
        screen(Lattice(np.zeros((0, 3))), Lattice(np.zeros((0, 3))))
    with pytest.raises(ConfigError, match="3 names for 4 pairs"):
        screen(PARENTS, PRODUCTS, NAMES[:3])
    with pytest.raises(ConfigError, match="one of lambda_2"):
        screening.ranked("beauty")


def test_a_ranking_has_no_negative_number_of_rows(screening):
    for asked in (screening.ranked, screening.table, lambda count: screening.write_csv("nowhere.csv", count=count)):
        with pytest.raises(ConfigError, match="count = -1"):
            asked(count=-1)
