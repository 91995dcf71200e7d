"""Lattices from CIF files, with gemmi and without."""

import sys

import numpy as np
import pytest

from chemomech.errors import ChemomechError, FileError
from chemomech.thermo import read_cif
from chemomech.thermo.cif import load_gemmi

CELL = """data_{name}
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
{group}
"""


def written(path, name="x", a="5.662(3)", b="5.662(3)", c="9.274", beta="90", gamma="90", group=""):
    """A CIF file of one cell."""
    path.write_text(CELL.format(name=name, a=a, b=b, c=c, beta=beta, gamma=gamma, group=group))
    return path


def test_without_gemmi_the_message_has_the_line_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(ChemomechError, match=r'pip install "gemmi>=0\.6"'):
        load_gemmi()
    with pytest.raises(ChemomechError, match="pip install"):
        read_cif(written(tmp_path / "x.cif"))


@pytest.mark.parametrize(
    ("group", "gamma", "centring"),
    [
        ("_symmetry_space_group_name_H-M 'I 41/a m d'", "90", "I"),
        ("_space_group_name_H-M_alt 'F d -3 m :2'", "90", "F"),
        ("_space_group_name_H-M_alt 'R -3 m'", "120", "R"),
        ("_space_group_IT_number 63", "90", "C"),
        ("_space_group_name_H-M_alt 'P m m n'", "90", "P"),
        ("", "90", "P"),
    ],
)
def test_cells_and_centring(tmp_path, group, gamma, centring):
    pytest.importorskip("gemmi")
    lattice = read_cif(written(tmp_path / "x.cif", group=group, gamma=gamma))
    np.testing.assert_allclose(lattice.lengths, [5.662e-10, 5.662e-10, 9.274e-10], rtol=1e-14)
    np.testing.assert_allclose(lattice.angles, np.radians([90, 90, float(gamma)]), rtol=1e-15)
    assert lattice.centring == centring


def test_files_that_hold_no_lattice_are_refused(tmp_path):
    pytest.importorskip("gemmi")
    for text, message in (("data_x\n_foo 1\n", "no cell"), ("rubbish", "as CIF")):
        (tmp_path / "bad.cif").write_text(text)
        with pytest.raises(FileError, match=message):
            read_cif(tmp_path / "bad.cif")
    with pytest.raises(FileError, match="no file"):
        read_cif(tmp_path / "none.cif")
    strange = written(tmp_path / "strange.cif", group="_space_group_name_H-M_alt 'Q 7 m m'")
    with pytest.raises(FileError, match="not known: Q 7 m m"):
        read_cif(strange)
    assert read_cif(strange, centring="I").centring == "I"
    with pytest.raises(FileError, match='no data block "y"'):
        read_cif(written(tmp_path / "x.cif"), block="y")
