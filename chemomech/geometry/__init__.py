"""Parametric geometries meshed by gmsh; the structured meshes of `chemomech.fem.mesh` need no gmsh."""

from chemomech.geometry import descriptors
from chemomech.geometry.channels import channels
from chemomech.geometry.cluster import packing, particle_chain
from chemomech.geometry.facets import crystal_platelet, polyhedron, wulff
from chemomech.geometry.film import film
from chemomech.geometry.mirror import mirrored
from chemomech.geometry.opal import inverse_opal
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
from chemomech.geometry.polycrystal import polycrystal
from chemomech.geometry.quality import Quality, quality_of
from chemomech.geometry.remesh import remeshed
from chemomech.geometry.strip import strip
from chemomech.geometry.wire import nanowire, rod, rod_section

__all__ = [
    "Quality", "ball", "channels", "crystal_platelet", "descriptors", "disk", "ellipsoid", "ellipsoid_section", "film",
    "hollow_section", "hollow_sphere", "inverse_opal", "mirrored", "nanowire", "packing", "particle_chain", "platelet",
    "polycrystal", "polyhedron", "quality_of", "remeshed", "rod", "rod_section", "sphere_octant", "strip",
    "superellipsoid", "wulff",
]  # fmt: skip
