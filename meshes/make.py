"""Make the meshes of this folder again: python meshes/make.py [name ...]."""

import sys
from pathlib import Path

from chemomech.geometry import (
    crystal_platelet,
    ellipsoid,
    ellipsoid_section,
    inverse_opal,
    nanowire,
    platelet,
    polycrystal,
    sphere_octant,
)

HERE = Path(__file__).parent
LFP = (10.33e-10, 6.01e-10, 4.69e-10)  # a, b, c of Pnma [m]

MESHES = {
    "platelet_60nm": lambda save: platelet(side=60e-9, h=1.4e-9, save=save),
    "platelet_60nm_graded": lambda save: platelet(side=60e-9, h=1.4e-9, edge_h=0.4e-9, save=save),
    "lmo_octant": lambda save: sphere_octant(radius=5e-6, h=0.3e-6, save=save),
    "lixv2o5_ellipsoid": lambda save: ellipsoid_section(a=100e-9, b=100e-9, h=4e-9, save=save),
    "particle_section": lambda save: ellipsoid_section(a=3e-6, b=3e-6, h=0.35e-6, save=save),
    "particle_section_fine": lambda save: ellipsoid_section(a=3e-6, b=3e-6, h=0.15e-6, save=save),
    "sphere_quarter": lambda save: ellipsoid(a=22e-9, b=22e-9, c=22e-9, h=3.5e-9, part="quarter", save=save),
    "bent_nanowire": lambda save: nanowire(
        width=50e-9, length=400e-9, h=12e-9, bend_radius=250e-9, part="quarter", save=save
    ),
    "lfp_crystal": lambda save: crystal_platelet(
        thickness=20e-9, diameter=60e-9, sides={"100": 1.0, "101": 1.1}, lattice=LFP, h=6e-9, save=save
    ),
    "inverse_opal_quarter": lambda save: inverse_opal(
        a=500e-9, radius=180e-9, h=40e-9, layers=2, sides="mirror", open_top=True, save=save
    ),
    "polycrystal_8": lambda save: polycrystal(size=10e-6, grains=8, h=1.1e-6, seed=1, save=save),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or MESHES:
        print(name, MESHES[name](HERE / f"{name}.msh"))
