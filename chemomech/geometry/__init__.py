"""Parametric geometries meshed by gmsh; the structured meshes of `chemomech.fem.mesh` need no gmsh."""

from chemomech.geometry.channels import channels
from chemomech.geometry.cluster import packing, particle_chain
from chemomech.geometry.film import film
from chemomech.geometry.opal import inverse_opal
from chemomech.geometry.particle import ball, disk, ellipsoid_section, sphere_octant
from chemomech.geometry.platelet import platelet
from chemomech.geometry.polycrystal import polycrystal
from chemomech.geometry.remesh import remeshed

__all__ = [
    "ball",
    "channels",
    "disk",
    "ellipsoid_section",
    "film",
    "inverse_opal",
    "packing",
    "particle_chain",
    "platelet",
    "polycrystal",
    "remeshed",
    "sphere_octant",
]
