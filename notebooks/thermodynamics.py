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
# # A material on the bench, without a mesh
#
# Whether an electrode splits into phases, along which planes, below which size and above which current it does not:
# much of this follows from the free energy at one point. `chemomech.thermo` holds these answers as functions that can
# be differentiated and batched. This notebook asks them for the phenomena that Santos et al. draw in their figures 2A,
# 7B, 13 and 14 (Chem. Sci. 14 (2023) 458).

# %%
import jax

jax.config.update("jax_enable_x64", True)

import warnings

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import chemomech as cm
from chemomech.thermo import coherency, dopant, film, interface, landscape, phase_diagram, stability, voltage
from chemomech.thermo.relaxed import Stiffening

warnings.simplefilter("ignore", cm.materials.UnverifiedWarning)
c = np.linspace(0.005, 0.995, 199)


def along(f):
    return np.asarray(jax.vmap(f)(jnp.asarray(c)))


# %% [markdown]
# ## Two wells (figure 2A)
#
# The double well of a regular solution. Between the points of the common tangent a mixture of two phases has less
# energy than the uniform state; between the spinodals the uniform state is not even metastable.

# %%
lfp = cm.materials.load("LiFePO4")
mixing, gradient, elastic = lfp.energy.terms()
gaps, unstable = phase_diagram.gaps(mixing, lfp.host), phase_diagram.spinodals(mixing, lfp.host)
path = phase_diagram.transition(mixing, lfp.host)
low, high, poor, rich = (float(x) for x in (gaps.low[0], gaps.high[0], unstable.low[0], unstable.high[0]))
plateau = float(voltage.plateaus(gaps, lfp.host, lfp.V0)[0])
print(f"phases {low:.5f} and {high:.5f}, plateau {plateau:.3f} V")
print(f"spinodals {poor:.5f} and {rich:.5f}, barrier {float(path.forward) / 1e6:.2f} MJ/m3")
assert abs(low - 0.0121) < 1e-4

fig, ax = plt.subplots(figsize=(5.5, 3.4))
ax.plot(c, along(lambda x: landscape.energy(mixing, lfp.host, x)) / 1e6, label="uniform")
ax.plot(c, along(lambda x: phase_diagram.envelope(mixing, lfp.host, gaps, x)) / 1e6, "--", label="stable")
for x in (poor, rich):
    ax.axvline(x, color="0.7", lw=0.8)
ax.set(xlabel="composition", ylabel="free energy [MJ/m³]")
ax.legend()
fig.tight_layout()

# %% [markdown]
# A reservoir that pulls (an overpotential) tilts the wells: the barrier out of the poor phase falls, the one back
# rises, until at the spinodal's potential the poor well is gone. `jax.vmap` takes all tilts at once.

# %%
tilts = jnp.linspace(-3.5e3, 3.5e3, 71)  # [J/mol]
tilted = jax.vmap(lambda h: phase_diagram.transition(mixing, lfp.host, h))(tilts)
fig, ax = plt.subplots(figsize=(5.5, 3.4))
ax.plot(1e3 * tilts / lfp.host.faraday, tilted.forward / 1e6, label="insertion")
ax.plot(1e3 * tilts / lfp.host.faraday, tilted.backward / 1e6, label="extraction")
ax.set(xlabel="tilt [mV]", ylabel="barrier [MJ/m³]")
ax.legend()
fig.tight_layout()

# %% [markdown]
# ## Coherent phases
#
# If the two phases stay one crystal, each composition wave with normal $n$ costs $\frac12 B(n)\,\delta c^2$. The
# softest normal decides which interfaces form, and $\chi$ falls to $\chi - B/2RTc_{max}$. The search is differentiable:
# its derivatives say which constant of the crystal matters.

# %%
k = coherency.curvatures(elastic, 0.5, lfp.host)
softest = coherency.softest_normal(k)
angle = np.degrees(np.arctan2(abs(float(softest.normal[2])), abs(float(softest.normal[0]))))
print(f"B = {float(softest.modulus) / 1e9:.4f} GPa, normal {angle:.1f} degrees from a to c")
print(f"a dense scan finds nothing softer: {float(coherency.excess(k, softest)) >= 0}")
assert abs(angle - 27.5) < 0.1

together = coherency.coherent(lfp.energy, softest.normal, lfp.host)
kappa = interface.gradient_coefficient(gradient, lfp.host, softest.normal)
for name, psi in (("free", mixing), ("coherent", together)):
    flat, sizes = interface.flat(psi, lfp.host, kappa), interface.critical_sizes(psi, lfp.host, kappa)
    width, slab = 1e9 * float(flat.width), 1e9 * float(sizes.slab)
    print(
        f"{name:9} phases {float(flat.low):.4f} {float(flat.high):.4f}, interface {1e3 * float(flat.energy):.1f} mJ/m2"
    )
    print(f"{'':9} and {width:.2f} nm; no phases in a slab below {slab:.1f} nm")


def modulus(misfit):
    crystal = cm.LinearElastic(elastic.C, cm.Vegard(misfit))
    return coherency.softest_normal(coherency.curvatures(crystal, 0.5, lfp.host)).modulus


misfit = jnp.array([0.0517, 0.0359, -0.0186])
print("dB/d(misfit along a, b, c) [GPa]:", np.round(np.asarray(jax.grad(modulus)(misfit)) / 1e9, 3))

# %% [markdown]
# ## A strained film (figure 7B)
#
# A substrate holds the strain in the plane. Where the swelling is bowed, $\varepsilon_0 = \eta c + b\,c(1-c)$, strain
# changes the depth of the wells and not only their balance: tension lowers the barriers both ways and closes the gap.

# %%
vanadate = cm.Host(c_max="1.853e4 mol/m^3")
layer = cm.RegularSolution(chi=2.5) + cm.LinearElastic.isotropic("70 GPa", 0.3, cm.BowedVegard(0.0, 0.01))
strains = jnp.linspace(0.0, 0.02, 41)
surface = np.asarray(film.energies(layer, vanadate, jnp.asarray(c), strains))
barriers = film.barriers_against_strain(layer, vanadate, strains)
closing, found = film.closing_strain(layer, vanadate, 0.0, 0.05)
print(f"the gap closes at {100 * float(closing):.3f} % of strain")
assert bool(found)
assert float(barriers.forward[-1]) == 0.0

fig = plt.figure(figsize=(10, 3.8))
ax = fig.add_subplot(1, 2, 1, projection="3d")
chord = surface[:, :1] + (surface[:, -1:] - surface[:, :1]) * (c - c[0]) / np.ptp(c)
ax.plot_surface(c[None, :], 100 * np.asarray(strains)[:, None], (surface - chord) / 1e6, cmap="viridis")
ax.set(xlabel="composition", ylabel="strain [%]", zlabel="G over its chord [MJ/m³]")
ax = fig.add_subplot(1, 2, 2)
ax.plot(100 * strains, barriers.forward / 1e6)
ax.axvline(100 * float(closing), color="0.6", ls=":")
ax.set(xlabel="strain [%]", ylabel="barrier [MJ/m³]")
fig.tight_layout()

# %% [markdown]
# ## What a dopant does (figure 13)
#
# Magnesium in LiNi$_{0.5}$Mn$_{1.5}$O$_4$ takes the misfit from 1.5 % to about 0.6 %. Coherency energy goes with its
# square. If the dopant also weakens the interaction, the gap narrows and the barrier falls. The changes are the input;
# their consequences are a map.

# %%
spinel_host = cm.Host(c_max="2.3e4 mol/m^3")
RT = float(spinel_host.RT)
spinel = cm.RegularSolution(omega=2.4 * RT) + cm.LinearElastic.isotropic("100 GPa", 0.3, cm.Vegard(0.015))
magnesium = dopant.Dopant(interaction=-0.3 * RT, misfit=0.006 / 0.015 - 1, activation="-4.8 kJ/mol")
amounts = np.linspace(0.0, 1.0, 11)
found = dopant.responses(spinel, spinel_host, magnesium, amounts)
print(f"coherency energy: {float(found.coherency[-1] / found.coherency[0]):.2f} of that without dopant")
print(f"diffusivity: {float(found.diffusivity[-1]):.1f} times")
assert abs(float(found.coherency[-1] / found.coherency[0]) - 0.16) < 1e-6

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.plot(amounts, found.coherency / 1e6, label="coherency")
left.plot(amounts, 10 * found.barrier / 1e6, label="barrier, times 10")
left.set(xlabel="share of the dopant", ylabel="energy [MJ/m³]")
left.legend()
right.fill_between(amounts, found.low, found.high, alpha=0.3, label="stress-free gap")
right.fill_between(amounts, found.coherent_low, found.coherent_high, alpha=0.5, label="coherent gap")
right.set(xlabel="share of the dopant", ylabel="composition")
right.legend()
fig.tight_layout()

# %% [markdown]
# Two phases at equilibrium can still fill as one where a current runs: coherency makes the current small enough.

# %%
for name, share in (("as it is", 1.0), ("misfit of a half", 0.25), ("no misfit", 0.0)):
    B = share * softest.modulus
    current, at = stability.critical_current(mixing, lfp.exchange, lfp.host, B)
    rate = float(stability.c_rate(current, lfp.host, 10e-9))
    print(f"{name:17} a 20 nm platelet fills uniformly above {rate:5.1f} C (lost last at c = {float(at):.2f})")

# %% [markdown]
# ## Screening (figure 14)
#
# Ten thousand crystals at once: random misfits, the softest normal of each, and whether its coherent phases separate.

# %%
draws = jax.random.uniform(jax.random.key(0), (10_000, 3), minval=-0.05, maxval=0.05)


@jax.jit
@jax.vmap
def screened(misfit):
    B = modulus(misfit)
    return B, coherency.effective_interaction(mixing + Stiffening(B), lfp.host)


B, chi = screened(draws)
fig, ax = plt.subplots(figsize=(5.5, 3.4))
points = ax.scatter(100 * draws.sum(axis=1), B / 1e9, c=chi, s=2, cmap="viridis")
ax.set(xlabel="volume change [%]", ylabel="B of the softest normal [GPa]")
fig.colorbar(points, label=r"$\chi_{eff}$")
fig.tight_layout()
print(f"{float(jnp.mean(chi < 2)):.0%} of them stay a solid solution as long as they stay coherent")
assert np.isfinite(np.asarray(chi)).all()

# %% [markdown]
# A material has much volume change and little coherency energy if it has a plane that hardly strains. That is the
# lattice compatibility which figure 14 screens for.
#
# `chemomech thermo LiFePO4` prints and draws all of this at once.
