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
# # Lithium around a dislocation
#
# An edge dislocation is an eigenstrain here: slip by $b$ over a half plane, spread over a core of width $a$. Its stress
# draws lithium to the stretched side. What gathers there has a stress of its own, which keeps most of it away again:
#
# $$\ln\frac{c}{1-c} + \frac{2E\eta^2}{(1-\nu)RTc_\mathrm{max}}(c - c_0)
# = \ln\frac{c_0}{1-c_0} + \frac{\Omega\,\sigma_h}{RT}$$

# %%
import jax

jax.config.update("jax_enable_x64", True)

import matplotlib.pyplot as plt
import numpy as np

import chemomech as cm
from chemomech.fem.mesh import rectangle
from chemomech.tensors import Vector

G, NU, B = 36e9, 0.3, 0.58e-9
E, CORE, OMEGA, C0 = 2 * G * (1 + NU), 2 * B, 3.497e-6, 0.1
host = cm.Host(c_max="22.9 kmol/m^3")
ETA = OMEGA * float(host.c_max) / 3
edge = cm.Dislocations([[0.0, 0.0]], [[B, 0.0]], CORE)

# %% [markdown]
# A piece of an infinite body: cells are finer around the line, and `SurroundingStress` puts on the faces what the rest
# of the body does there. The content is that of a large body at $c_0$, so the piece starts and stays near it.

# %%
mesh = rectangle(2.0, 2.0, 48, 48, "quad", origin=(-1.0, -1.0))
mesh = mesh.moved(20 * CORE * np.sinh(2.6 * mesh.points) / np.sinh(2.6))
energy = [cm.LinearElastic.isotropic(E, NU, cm.Vegard(ETA, c_ref=C0)), cm.RegularSolution(chi=0.0)]
surroundings = cm.SurroundingStress(edge, G, NU, on="boundary")
problem = cm.Problem.build(
    mesh, host=host, potentials=[cm.Stored(cm.Strained(energy, edge)), cm.Amount(C0), surroundings]
)
state = cm.solve_equilibrium(problem, problem.uniform(C0), cm.Newton(linear=cm.HostDirect(), max_iterations=60))
c = np.asarray(state.c)

# %%
found = edge.stress(Vector(*mesh.points.T, 0.0), G, NU)
hydrostatic = np.asarray(found.xx + found.yy + found.zz) / 3
modulus = 2 * E * ETA**2 / (1 - NU) / float(host.RT * host.c_max)
expected = np.linspace(1e-4, 0.7, 20000)
stress = (np.log(expected / (1 - expected) / (C0 / (1 - C0))) + modulus * (expected - C0)) * float(host.RT) / OMEGA
formula = np.interp(hydrostatic, stress, expected)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
x, y = mesh.points.T / CORE
picture = left.tripcolor(x, y, c, shading="gouraud", vmin=0, vmax=0.6)
left.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xlabel="x / core", ylabel="y / core")
figure.colorbar(picture, ax=left, label="c")
middle = np.abs(x) < 1e-9
order = np.argsort(y[middle])
right.plot(y[middle][order], c[middle][order], "o", ms=3, label="finite elements")
right.plot(y[middle][order], formula[middle][order], "-", label="closed form")
right.set(xlabel="y / core, through the line", ylabel="c", xlim=(-10, 10))
right.legend()
plt.show()
print(f"largest c: {c.max():.3f}, closed form {formula.max():.3f}; largest stress {hydrostatic.max() / 1e9:.2f} GPa")
