"""Pictures of particles as meshes with a composition: from a map or labels to outlines, meshes and stress."""

from .equilibrium import stressed
from .maps import Map, read_labels
from .meshing import Mesher, mesh_of, mesh_outline
from .outline import outlines
from .particles import Particle, particles

__all__ = ["Map", "Mesher", "Particle", "mesh_of", "mesh_outline", "outlines", "particles", "read_labels", "stressed"]
