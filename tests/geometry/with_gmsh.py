"""Tests that mesh by gmsh are left out where it cannot be loaded."""

import pytest

from chemomech.errors import ChemomechError
from chemomech.geometry.session import load_gmsh

try:
    load_gmsh()
    REASON = ""
except ChemomechError as error:
    REASON = str(error)

needs_gmsh = pytest.mark.skipif(bool(REASON), reason=REASON or "gmsh loads")
