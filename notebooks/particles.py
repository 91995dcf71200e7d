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
# # Size and rate: which particles separate into phases, and how they fill
#
# A phase boundary costs energy, so a particle that is too small for it stays uniform; a particle that is filled too
# fast for diffusion closes up around a poor core. Both limits follow from few numbers (figures 4 and 6 of Santos et
# al., Chem. Sci. 14 (2023) 458).

# %%
import jax

jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np

import chemomech as cm
from chemomech import geometry
from chemomech.analysis import morphology
from chemomech.fem.mesh import elevate, rectangle

# %% [markdown]
# ## The smallest sphere that separates
#
# $\chi = 2.5$, no strain, a surface that nothing wets. The softest change of a uniform sphere is a dipole, one half
# against the other, so a section of revolution will do, but not a radial profile. `softest_modes` gives the curvature
# of the stored energy along the softest change; where it is negative, the uniform state is unstable. The formula is
# that of the dipole, $k R = 2.0816$.

# %%
CHI, KAPPA = 2.5, 2.29e-13  # kappa [J m^2/mol]
HOST = cm.Host(c_max="22.9 kmol/m^3")
RT = float(HOST.RT)
energy = cm.RegularSolution(chi=CHI) + cm.GradientEnergy(f"{KAPPA} J*m^2/mol")


def sphere(diameter):
    mesh = elevate(geometry.mirrored(geometry.ellipsoid_section(diameter / 2, diameter / 2, diameter / 14), "midplane"))
    stored = [cm.Stored(energy), cm.Amount(0.5)]
    return cm.Problem.build(mesh, host=HOST, kinematics=cm.Axisymmetric(), potentials=stored)


diameters = np.array([36, 38, 40, 41, 42, 44, 50]) * 1e-9
softest, contrast, spheres = [], [], []
for d in diameters:
    made = sphere(d)
    softest.append(cm.softest_modes(made, made.uniform(0.5)).curvature[0] / RT)
    state = cm.solve_equilibrium(made, made.state(c=lambda x, d=d: 0.5 + 0.3 * x[:, 1] / (d / 2)))
    contrast.append(np.ptp(state.c))
    spheres.append((made, state))

formula = 4 - 2 * CHI + KAPPA / RT * (2.0816 / (diameters / 2)) ** 2
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(diameters * 1e9, softest, "o", diameters * 1e9, formula, "-")
left.axhline(0, color="grey", lw=0.5)
left.set(xlabel="diameter [nm]", ylabel="least curvature of the uniform sphere [RT]")
right.plot(diameters * 1e9, contrast, "o-")
right.set(xlabel="diameter [nm]", ylabel="contrast at equilibrium")
plt.show()
np.testing.assert_allclose(softest, formula, atol=0.01)
critical = np.interp(0.0, -np.array(softest), diameters)
print(f"critical diameter {critical * 1e9:.2f} nm")

# %% [markdown]
# Below 40 nm both agree that nothing separates: there is no state of two phases beside the uniform one.

# %%
figure, axes = plt.subplots(1, 2, figsize=(4, 3.2), layout="constrained")
for axis, k in zip(axes, (3, 6), strict=True):
    made, state = spheres[k]
    x, y = made.mesh.points.T * 1e9
    picture = axis.tripcolor(x, y, made.mesh.cells[:, :3], np.asarray(state.c), vmin=0, vmax=1, shading="gouraud")
    axis.set(aspect="equal", title=f"{diameters[k] * 1e9:.0f} nm", xlabel="r [nm]")
figure.colorbar(picture, ax=axes, label="c")
plt.show()

# %% [markdown]
# ## A wave or a shell
#
# A square of 20 interface lengths $l$ with a rich corner, all edges reactive, $\chi = 3$, in units of $l$, $RT$ and the
# exchange current. How it fills depends on one group,
#
# $$\Pi = \frac{j\,L}{c_\mathrm{max}\,D_\mathrm{chem}(c_b)\,(c_s - c_b)},$$
#
# the flux over the one that takes the composition from the binodal $c_b$ to the spinodal $c_s$ across the particle. A
# small one lets the front run through; a large one fills the surface all around and leaves a core at the binodal.

# %%
BINODAL, SPINODAL, SIDE = 0.07072, 0.21132, 20.0
units = cm.Host.dimensionless()


def filled(group):
    D = SIDE / (group * (SPINODAL - BINODAL) * (1 - 6 * BINODAL * (1 - BINODAL)))
    mesh = rectangle(SIDE, SIDE, 40, 40, "quad")
    problem = cm.Problem.build(
        mesh,
        host=units,
        scales=cm.Scales.natural(SIDE, 1.0, units),
        potentials=[
            cm.Stored(cm.RegularSolution(chi=3.0) + cm.GradientEnergy(1.0)),
            cm.Storage(),
            cm.Diffusion(D),
            cm.ButlerVolmer(cm.ConstantExchange(1.0), V0=0.0, on="boundary"),
        ],
    )
    seed = problem.state(c=lambda x: 0.5 - (0.5 - BINODAL) * np.tanh(np.hypot(*x.T) - 0.2 * SIDE))
    run = cm.simulate(problem, seed, cm.Discharge(current=4 * SIDE, until={"soc": 0.5}))
    return mesh, np.asarray(run.final.c)


groups = [0.1, 0.5, 4.0]
figure, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained")
for axis, group in zip(axes, groups, strict=True):
    mesh, c = filled(group)
    found = morphology.classify(mesh, c)
    picture = axis.tripcolor(*mesh.points.T, c, vmin=0, vmax=1, shading="gouraud")
    axis.set(aspect="equal", xticks=[], yticks=[], title=f"Π = {group}: {found.name}")
    print(f"Pi {group}: {found.perimeter:.3f} of the perimeter is rich, core at {found.core:.3f}")
figure.colorbar(picture, ax=axes, label="c")
plt.show()

# %% [markdown]
# `morphology.classify` names what it sees by the rich part of the perimeter, the number of domains and the core.
# `tests/verification/test_size.py` and `test_morphology.py` hold the numbers, with more sizes, laws of the reaction,
# and a layered crystal.
