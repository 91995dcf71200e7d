"""Parametric geometries meshed by gmsh; the structured meshes of `chemomech.fem.mesh` need no gmsh."""

from chemomech.geometry import descriptors
from chemomech.geometry.facets import crystal_platelet, polyhedron, wulff
from chemomech.geometry.mirror import mirrored
from chemomech.geometry.particle import (
    ball,
    disk,
    ellipsoid,
    ellipsoid_section,
    hollow_section,
    hollow_sphere,
    sphere_octant,
    superellipsoid,
)
from chemomech.geometry.platelet import platelet
from chemomech.geometry.quality import Quality, quality_of
from chemomech.geometry.remesh import remeshed
from chemomech.geometry.strip import strip
from chemomech.geometry.wire import nanowire, rod, rod_section

__all__ = [
    "Quality", "ball", "crystal_platelet", "descriptors", "disk", "ellipsoid", "ellipsoid_section", "hollow_section",
    "hollow_sphere", "mirrored", "nanowire", "platelet", "polyhedron", "quality_of", "remeshed", "rod", "rod_section",
    "sphere_octant", "strip", "superellipsoid", "wulff",
]  # fmt: skip
