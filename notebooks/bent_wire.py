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
# # A bent wire: lithium goes to the side in tension
#
# A host that swells takes up more lithium where it is stretched. A wire that is bent is stretched on one side and
# compressed on the other, so that the pattern of its phases changes (figure 6 of Santos et al., Chem. Sci. 14 (2023)
# 458). Here it is a strip of $6h \times h$ in plane stress, $\chi = 3$, 60 GPa, 5 % volume change between the end
# members; `configs/bent_wire.toml` is the same for the command line.

# %%
import jax

jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.tri import LinearTriInterpolator, Triangulation

import chemomech as cm
from chemomech import analysis, images
from chemomech.analysis import morphology
from chemomech.fem.mesh import rectangle

H, D = 50e-9, 1e-14  # height [m], tracer diffusivity [m^2/s]
HOST = cm.Host(c_max="22.9 kmol/m^3")
RT = float(HOST.RT)
elastic = cm.LinearElastic.isotropic("60 GPa", 0.3, cm.Vegard(0.05 / 3, c_ref=0.4))
mesh = rectangle(6 * H, H, 72, 12)

# %% [markdown]
# ## The bend as a global scalar
#
# The displacement gradient is that of the bent wire plus what the mesh finds on top of it: the bend is one number, the
# curvature $1/\rho$, and the strain along the wire is $-(y - h/2)/\rho$ where nothing else strains it. The mesh stays
# straight. At the ends nothing comes on top: they are clamped to the bend. With 0.4 % strain at the edges the chemical
# potential changes there by


# %%
def wire(edge_strain, ratio=0.2):
    psi = cm.RegularSolution(chi=3.0) + cm.GradientEnergy(kappa_molar=RT * (ratio * H) ** 2) + elastic
    bending = cm.Bending(curvature=2 * edge_strain / H, axial=0.0, neutral=H / 2)
    return cm.Problem.build(
        mesh,
        host=HOST,
        kinematics=cm.PlaneStress(bending=bending),
        potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(D)],
        constraints=[cm.Fixed("u", on="left"), cm.Fixed("u", on="right")],
    )


drive = 60e9 * 0.05 / 3 * 0.004 / (RT * 22.9e3)
print(f"E eta strain / (RT c_max) = +-{drive:.3f} RT at the edges")

# %% [markdown]
# ## Straight and bent, from the same noise
#
# The strip coarsens for ever, so pictures are compared at one time, $5 h^2/D$. While the composition is nearly uniform,
# error control keeps the steps below 0.3 of the time in which the fastest wave grows.

# %%
bends = [0.0, 0.004, -0.004]
final = {}
figure, axes = plt.subplots(3, 1, figsize=(6, 3.4), layout="constrained")
for axis, bend in zip(axes, bends, strict=True):
    problem = wire(bend)
    noise = np.random.default_rng(1).normal(0.0, 0.02, len(mesh.points))
    start = problem.state(c=0.4 + noise - noise.mean())
    run = cm.simulate(problem, start, cm.Closed(until={"time": 5 * H**2 / D}), frames=0)
    final[bend] = c = np.asarray(run.final.c)
    picture = axis.tripcolor(*mesh.points.T / H, mesh.cells, c, vmin=0, vmax=1, shading="gouraud")
    axis.set(aspect="equal", xticks=[], yticks=[], title=f"{100 * bend:+.1f} %")
    rich = {edge: morphology.stripes(mesh, c, edge) for edge in ("bottom", "top")}
    mean = {edge: c[mesh.nodes_of(edge)].mean() for edge in ("bottom", "top")}
    print(f"{100 * bend:+.1f} %: rich segments {rich}, mean composition {mean['bottom']:.2f}, {mean['top']:.2f}")
figure.colorbar(picture, ax=axes, label="c")
plt.show()

# %% [markdown]
# Positive curvature stretches the lower edge. Of the straight strip both edges are alike, with several segments each;
# bent by 0.4 % it has one layer along the edge in tension, whichever of the two that is. With shorter interfaces there
# are more segments, and the bend takes more to override them: `benchmarks/bent_wire.py` counts over bends, interface
# lengths and seeds, with means in the README.
#
# ## From a picture of the composition to stress
#
# A microscope gives the composition in pixels. `images.stressed` finds the stress that it causes in a body with a free
# surface, here from pixels of $h/20$ and from the composition that they were taken of.

# %%
pixel, edge = H / 20, 1e-3 * H
x, y = np.meshgrid((np.arange(120) + 0.5) * pixel, (20 - np.arange(20) - 0.5) * pixel)
true = LinearTriInterpolator(Triangulation(*mesh.points.T, mesh.cells), final[0.0])
traced, c = images.mesh_of(images.Map(np.asarray(true(x, y)), pixel), h=H / 12, mesher="delaunay")
shown, stressed = images.stressed(traced, c, elastic)
nodes = np.clip(traced.points, edge, [6 * H - edge, H - edge])
exact = cm.solve_static(shown.with_fixed(0, np.asarray(true(*nodes.T))))
figure, axes = plt.subplots(2, 1, figsize=(6, 2.4), layout="constrained")
for axis, state, name in zip(axes, (stressed, exact), ("from the picture", "from the simulation"), strict=True):
    stress = analysis.von_mises(analysis.nodal_stress(shown, state))
    picture = axis.tripcolor(*traced.points.T / H, traced.cells, stress / 1e6, vmin=0, vmax=250, shading="gouraud")
    axis.set(aspect="equal", xticks=[], yticks=[], title=name)
    print(f"{name}: largest von Mises stress {stress.max() / 1e6:.0f} MPa, mean {stress.mean() / 1e6:.0f} MPa")
figure.colorbar(picture, ax=axes, label="von Mises [MPa]")
plt.show()
