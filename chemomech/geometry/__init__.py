"""Parametric geometries meshed by gmsh; the structured meshes of `chemomech.fem.mesh` need no gmsh."""

from chemomech.geometry.particle import ball, disk, ellipsoid_section, sphere_octant
from chemomech.geometry.platelet import platelet
from chemomech.geometry.remesh import remeshed

__all__ = ["ball", "disk", "ellipsoid_section", "platelet", "remeshed", "sphere_octant"]
