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
# # First steps
#
# A free energy of your own, a run, a plot, and a look at the fields.

# %%
import jax

jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np

import chemomech as cm
from chemomech.fem.mesh import rectangle

# %% [markdown]
# ## A free energy in ten lines
#
# A free energy is one method that returns $\psi$ in J/m³ at one point. Numbers with a unit are declared with
# `cm.param`, so that the package can rescale them. The chemical potential and the tangent follow by differentiation.


# %%
class Subregular(cm.AbstractFreeEnergy):
    """psi = c_max [RT (c ln c + (1-c) ln(1-c)) + c (1-c) (a + b (1-2c))]"""

    name = "chemical"
    domain = (0.0, 1.0)
    a: float = cm.param("J/mol")
    b: float = cm.param("J/mol")

    def __call__(self, s):
        mix = s.c * jax.numpy.log(s.c) + (1 - s.c) * jax.numpy.log1p(-s.c)
        return s.host.c_max * (s.host.RT * mix + s.c * (1 - s.c) * (self.a + self.b * (1 - 2 * s.c)))


# %% [markdown]
# ## A problem
#
# A closed square, periodic in both directions, with gradient energy and a misfit of 1 %.

# %%
host = cm.Host(c_max="22.9 kmol/m^3", T="298.15 K")
psi = (
    Subregular(a="7 kJ/mol", b="0.5 kJ/mol")
    + cm.GradientEnergy("1e-14 J*m^2/mol")
    + cm.LinearElastic.isotropic(E="60 GPa", nu=0.3, eigenstrain=cm.Vegard(0.01, c_ref=0.5))
)
square = cm.Problem.build(
    rectangle(30e-9, 30e-9, 24, 24, diagonal="crossed"),
    host=host,
    kinematics=cm.PlaneStrain(mean_strain=("xx", "yy", "xy")),
    constraints=[cm.Periodic("x"), cm.Periodic("y")],
    potentials=[cm.Stored(psi), cm.Storage(), cm.Diffusion(D="1e-14 m^2/s")],
)
print(square.mesh)
print("unknowns:", square.unknowns, " global scalars:", square.scalars)

# %% [markdown]
# ## A run

# %%
noise = np.random.default_rng(0).normal(size=len(square.mesh.points))
start = square.state(c=0.5 + 0.01 * (noise - noise.mean()))
solution = cm.simulate(square, start, cm.Closed(until={"time": "0.05 s"}), frames=8)
first, last = solution.free_energy[[0, -1]]
print(f"{len(solution.time)} steps; free energy falls from {first:.3e} to {last:.3e} J")
assert np.all(np.diff(solution.free_energy) < 1e-9 * abs(solution.free_energy[0]))

# %%
fig, ax = plt.subplots(figsize=(5, 3.2))
ax.plot(solution.time[1:] * 1e3, solution.free_energy[1:], label="free energy")
ax.set(xscale="log", xlabel="time [ms]", ylabel="free energy [J per m of thickness]")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## A look at the fields

# %%
points, cells = square.mesh.points * 1e9, square.mesh.cells
fig, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True)
frames = [solution.frames[k] for k in np.linspace(0, len(solution.frames) - 1, 4).astype(int)]
for ax, (t, state) in zip(axes, frames):
    image = ax.tripcolor(*points.T, cells, state.c, vmin=0, vmax=1, shading="gouraud")
    ax.set(title=f"t = {t * 1e3:.2g} ms", aspect="equal", xlabel="x [nm]")
fig.colorbar(image, ax=axes, label="c")

# %% [markdown]
# Every state is a plain object of NumPy arrays in SI: `state.c`, `state.mu` [J/mol], `state.u` [m].

# %%
t, state = solution.frames[-1]
print(f"c from {state.c.min():.3f} to {state.c.max():.3f}; mu is uniform to {np.ptp(state.mu):.2g} J/mol")
