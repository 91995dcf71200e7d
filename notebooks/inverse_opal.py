# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An inverse opal swells on its substrate
#
# A flat film that takes up lithium on a rigid base is under the stress $M\eta\,\Delta c$ in its plane. The solid
# between close-packed pores bends and stretches instead: how much of the stress is left, and does lithium mind? (Figure
# 9 of Santos et al., Chem. Sci. 14 (2023) 458.)

# %%
import jax

jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np

import chemomech as cm
from chemomech import geometry
from chemomech.analysis import nodal_stress, points, von_mises
from chemomech.analysis.relief import planar_stress, stress_relief
from chemomech.fem.mesh import facet_nodes

A, E, NU, ETA = 500e-9, 60e9, 0.3, 0.05 / 3
host = cm.Host(c_max="22.9 kmol/m^3")

# %% [markdown]
# A quarter of the period, between planes of symmetry. Pores overlap from $r = 0.3536\,a$ on; at $0.408\,a$ the solid
# would fall apart. Linear cells of this size are a little stiff: quadratic ones leave 0.47 instead of 0.52 at
# $r = 0.36\,a$.


# %%
def opal(ratio, psi, *rest):
    mesh = geometry.inverse_opal(A, ratio * A, 0.07 * A, layers=3, sides="mirror", open_top=True)
    held = [cm.Fixed("u", on="base")]
    held += [cm.Fixed(f"u.{side[0]}", on=side) for side in ("xmin", "xmax", "ymin", "ymax")]
    return cm.Problem.build(mesh, host=host, potentials=[cm.Stored(psi), *rest], constraints=held)


def above(x):
    return x[:, 2] > 0.5 * A


elastic = cm.LinearElastic.isotropic(E, NU)
planar = planar_stress(E, NU, ETA)
for ratio in (0.30, 0.36):
    lithiated = opal(ratio, cm.Strained(elastic, ETA))
    swollen = cm.solve_static(lithiated)
    left = stress_relief(lithiated, swollen, planar, above)
    print(f"r = {ratio:.2f} a: {left:.2f} of the planar {planar / 1e9:.2f} GPa are left, {1 / left:.1f} times less")

# %% [markdown]
# ## Lithium at rest
#
# Half filled and closed, with an ideal solution: the chemical potential is the same everywhere, so lithium leaves what
# is compressed. The stress of the base and of the necks moves it by a few hundredths.

# %%
swelling = cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA))
half = opal(0.36, cm.RegularSolution(chi=0.0) + swelling, cm.Amount(0.5))
rest = cm.solve_equilibrium(half, half.uniform(0.5))
c, volume, inside = points.values(half, rest.c), points.volumes(half), points.inside(half, above)
spread = np.sqrt(np.average((c[inside] - 0.5) ** 2, weights=volume[inside]))
print(f"c deviates by {spread:.3f} above the base, {c.min():.2f} to {c.max():.2f} in all")

# %%
faces = facet_nodes(half.mesh, half.mesh.boundary)[:, :3]
shown = {"c": np.asarray(rest.c), "von Mises stress [GPa]": von_mises(nodal_stress(lithiated, swollen)) / 1e9}
figure = plt.figure(figsize=(8, 4), layout="constrained")
for k, (name, values) in enumerate(shown.items()):
    axis = figure.add_subplot(1, 2, k + 1, projection="3d")
    x, y, z = half.mesh.points.T / A
    body = axis.plot_trisurf(x, y, z, triangles=faces, cmap="viridis")
    body.set_array(values[faces].mean(axis=1))
    axis.set(title=name)
    axis.set_box_aspect((1, 1, 2 * np.ptp(z)))
    axis.view_init(20, -60)
    figure.colorbar(body, ax=axis, shrink=0.6)
plt.show()
