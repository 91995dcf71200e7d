"""The whole sheet of one material: every number of this package's mesh-free bench, and the curves behind them."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..density import AbstractFreeEnergy, Host, Sum
from ..errors import ConfigError
from ..materials import Material
from ..physics import checks
from ..physics.interface import AbstractExchangeCurrent
from ..units import parse
from . import coherency, film, interface, landscape, phase_diagram, stability, voltage
from .phase_diagram import Gaps
from .relaxed import Stiffening, Z, check_direction

CURVE = 241  # compositions of a curve
TEMPERATURES = 41
STRAINS = 33


class Line(NamedTuple):
    """One number of the sheet, in SI: the section it belongs to, what it is, its value and unit."""

    section: str
    name: str
    value: float
    unit: str


class Curves(NamedTuple):
    """What the pictures show; what a material lacks is None.

    c: compositions; energy, envelope, coherent: f, its envelope, and f with coherency strain, less the first tangent
    [J/m^3]; voltage, stable_voltage: of uniform and of stable states [V]; temperatures [K] with gap and
    coherent gap (low, high); modulus: B over polar angles and azimuths [J/m^3]; strains with film [J/m^3], the two
    barriers [J/m^3] and the plateau [V]; current: critical current density at every composition [A/m^2].
    """

    c: Float[np.ndarray, " n"]
    energy: Float[np.ndarray, " n"] | None = None
    envelope: Float[np.ndarray, " n"] | None = None
    coherent: Float[np.ndarray, " n"] | None = None
    voltage: Float[np.ndarray, " n"] | None = None
    stable_voltage: Float[np.ndarray, " n"] | None = None
    temperatures: Float[np.ndarray, " t"] | None = None
    gap: tuple[np.ndarray, np.ndarray] | None = None
    coherent_gap: tuple[np.ndarray, np.ndarray] | None = None
    modulus: Float[np.ndarray, "p a"] | None = None
    softest: Float[np.ndarray, "3"] | None = None
    strains: Float[np.ndarray, " s"] | None = None
    film: Float[np.ndarray, "s n"] | None = None
    barriers: tuple[np.ndarray, np.ndarray] | None = None
    plateau: Float[np.ndarray, " s"] | None = None
    current: Float[np.ndarray, " n"] | None = None


class Sheet(NamedTuple):
    """Numbers, curves, and what could not be said for want of data."""

    title: str
    lines: tuple[Line, ...]
    curves: Curves
    missing: tuple[str, ...]

    def value(self, section: str, name: str) -> float:
        """One number [SI].

        Raises:
            ConfigError: the sheet has no such line.
        """
        for line in self.lines:
            if (line.section, line.name) == (section, name):
                return line.value
        raise ConfigError(f'The sheet of {self.title} has no "{name}" under "{section}".')


class _Parts(NamedTuple):
    """A material's energies by what they depend on."""

    chemical: AbstractFreeEnergy | None
    gradient: AbstractFreeEnergy | None
    elastic: AbstractFreeEnergy | None
    host: Host


def sheet(material: Material, T: Any = None, thickness: Any = 20e-9, normal: Any = Z, strain: Any = 0.02) -> Sheet:
    """All numbers of a material, as far as its parameters are known.

    Args:
        material: from `materials.load`, or one's own.
        T: temperature; None: the material's [K].
        thickness: of a platelet that reacts on both faces, for currents as C-rates [m].
        normal: of a film, in crystal axes.
        strain: largest in-plane strain of the film [1].

    Raises:
        ConfigError: T, thickness or strain is not positive, or the normal has no direction.
    """
    host = material.host if T is None else phase_diagram.at_temperature(material.host, parse(T, "K", name="T"))
    chemical, gradient, elastic = (_part(material.energy, name) for name in ("chemical", "gradient", "elastic"))
    parts = _Parts(chemical, gradient, elastic, host)
    thickness, strain = float(parse(thickness, "m", name="thickness")), float(parse(strain, "1", name="strain"))
    checks.positive(thickness, "thickness", "m")
    checks.positive(strain, "strain", "")
    check_direction(normal, "normal")
    curves: dict[str, Any] = {"c": np.linspace(0.002, 0.998, CURVE)}
    lines = [
        Line("material", "temperature", float(host.T), "K"),
        Line("material", "R T c_max", _thermal(host), "J/m^3"),
    ]
    lines += _phases(parts, material, curves) if parts.chemical else []
    if parts.elastic is not None:
        lines += _coherency(parts, curves)
        lines += _film(parts, material, curves, tuple(float(n) for n in normal), strain)
    lines += _interfaces(parts, curves) if parts.chemical and parts.gradient else []
    if parts.chemical and material.exchange is not None:
        lines += _currents(parts, material.exchange, curves, thickness)
    if parts.chemical and material.D is not None:
        lines += _diffusion(parts, material.D)
    return Sheet(material.name, tuple(lines), Curves(**curves), tuple(_missing(parts, material)))


def _part(energy: AbstractFreeEnergy, name: str) -> AbstractFreeEnergy | None:
    terms = tuple(term for term in energy.terms() if term.name == name)
    return Sum(terms) if terms else None


def _thermal(host: Host) -> float:
    return float(host.RT * host.c_max)


def _missing(parts: _Parts, material: Material):
    for part, name, lost in (
        (parts.chemical, "free energy of mixing", "phases, interfaces, currents"),
        (parts.elastic, "elastic energy", "coherency, films"),
        (parts.gradient, "gradient energy", "interfaces, critical sizes"),
        (material.exchange, "exchange current", "critical currents"),
        (material.D, "diffusivity", "diffusion"),
        (material.V0, "voltage at mu = 0", "voltages are against it"),
    ):
        if part is None:
            yield f"no {name}: {lost}"


@eqx.filter_jit
def _scan(psi: AbstractFreeEnergy, host: Host, known: Gaps, c: Float[Array, " n"]):
    """Energy, envelope, potential and stable potential at every composition."""
    return jax.vmap(lambda x: (
        landscape.energy(psi, host, x), phase_diagram.envelope(psi, host, known, x), landscape.potential(psi, host, x),
        phase_diagram.stable_potential(psi, host, known, x),
    ))(c)  # fmt: skip


def _phases(parts: _Parts, material: Material, curves: dict[str, Any]) -> list[Line]:
    psi, host = parts.chemical, parts.host
    V0 = 0.0 if material.V0 is None else float(material.V0)
    known, unstable = phase_diagram.gaps(psi, host), phase_diagram.spinodals(psi, host)
    c = jnp.asarray(curves["c"])
    energy, stable, mu, stable_mu = (np.asarray(v) for v in _scan(psi, host, known, c))
    first = int(np.argmax(np.asarray(known.exists)))
    tangent = _tangent(psi, host, known, first, curves["c"])
    curves |= {"energy": energy - tangent, "envelope": stable - tangent}
    curves |= {"voltage": V0 - mu / float(host.faraday), "stable_voltage": V0 - stable_mu / float(host.faraday)}
    critical, found = phase_diagram.critical_temperature(psi, host)
    warmest = 1.05 * float(critical) if bool(found) else 1.6 * float(host.T)
    T = np.linspace(0.6 * float(host.T), max(warmest, 1.2 * float(host.T)), TEMPERATURES)
    curves |= {"temperatures": T, "gap": _first_gap(psi, host, T)}
    lines = [Line("phases", "chi of this curvature", float(coherency.effective_interaction(psi, host)), "1")]
    hysteresis = voltage.hysteresis_over(psi, host, unstable)
    for k in range(min(int(known.found), phase_diagram.MOST)):
        path = phase_diagram.transition_of(psi, host, known, known.mu[k], k)
        tag = f" {k + 1}" if int(known.found) > 1 else ""
        lines += [
            Line("phases", f"poor phase{tag}", float(known.low[k]), "1"),
            Line("phases", f"rich phase{tag}", float(known.high[k]), "1"),
            Line("phases", f"plateau{tag}", float(voltage.plateaus(known, host, V0)[k]), "V"),
            Line("phases", f"barrier{tag}", float(path.forward), "J/m^3"),
        ]
    for k in range(min(int(unstable.found), phase_diagram.MOST)):
        tag = f" {k + 1}" if int(unstable.found) > 1 else ""
        lines += [
            Line("phases", f"poor spinodal{tag}", float(unstable.low[k]), "1"),
            Line("phases", f"rich spinodal{tag}", float(unstable.high[k]), "1"),
            Line("phases", f"hysteresis of uniform particles{tag}", float(hysteresis[k]), "V"),
        ]
    return lines + ([Line("phases", "critical temperature", float(critical), "K")] if bool(found) else [])


def _tangent(psi, host, known, k, c):
    low = known.low[k]
    base = float(landscape.energy(psi, host, low))
    return base + float(host.c_max * known.mu[k]) * (c - float(low))


def _first_gap(psi, host, T) -> tuple[np.ndarray, np.ndarray]:
    found = _gaps_at(psi, host, jnp.asarray(T))
    return np.asarray(found.low[:, 0]), np.asarray(found.high[:, 0])


_gaps_at = eqx.filter_jit(lambda psi, host, T: phase_diagram.gaps_at(psi, host, T, most=1))


@eqx.filter_jit
def _modulus_over_sphere(k, normals):
    return jax.vmap(jax.vmap(lambda n: coherency.relaxed_curvature(k, n)))(normals)


_softest_normal = eqx.filter_jit(coherency.softest_normal)


def _coherency(parts: _Parts, curves: dict[str, Any]) -> list[Line]:
    elastic, host = parts.elastic, parts.host
    k = coherency.curvatures(elastic, 0.5, host)
    softest = _softest_normal(k)
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi / 2, 46), np.linspace(0, 2 * np.pi, 181), indexing="ij")
    sphere = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)
    normal = np.asarray(softest.normal)
    curves |= {"modulus": np.asarray(_modulus_over_sphere(k, jnp.asarray(sphere))), "softest": normal}
    along = [float(coherency.relaxed_curvature(k, jnp.eye(3)[i])) for i in range(3)]
    lines = [Line("coherency", "least modulus B", float(softest.modulus), "J/m^3")]
    if not bool(softest.degenerate):  # else the normal is one of many and tells nothing
        lines += [Line("coherency", f"its normal, {axis}", float(n), "1") for axis, n in zip("abc", normal)]
    lines += [Line("coherency", f"B along {axis}", B, "J/m^3") for axis, B in zip("abc", along)]
    if parts.chemical is None:
        return lines
    psi = parts.chemical + Stiffening(softest.modulus)
    known, unstable = phase_diagram.gaps(psi, host), phase_diagram.spinodals(psi, host)
    curves |= {"coherent_gap": _first_gap(psi, host, curves["temperatures"])}
    energy = np.asarray(_scan(psi, host, known, jnp.asarray(curves["c"]))[0])
    curves["coherent"] = energy - _tangent(psi, host, known, 0, curves["c"])
    lines += [Line("coherency", "chi_eff", float(coherency.effective_interaction(psi, host)), "1")]
    if bool(known.exists[0]):
        lines += [
            Line("coherency", "poor phase", float(known.low[0]), "1"),
            Line("coherency", "rich phase", float(known.high[0]), "1"),
            Line("coherency", "poor spinodal", float(unstable.low[0]), "1"),
        ]
    return lines


def _interfaces(parts: _Parts, curves: dict[str, Any]) -> list[Line]:
    host = parts.host
    normal = curves.get("softest", np.array([1.0, 0.0, 0.0]))
    kappa = interface.gradient_coefficient(parts.gradient, host, jnp.asarray(normal))
    lines = [Line("interface", "gradient coefficient", float(kappa), "J/m")]
    bodies = {"": parts.chemical}
    if parts.elastic is not None:
        k = coherency.curvatures(parts.elastic, 0.5, host)
        bodies["coherent "] = parts.chemical + Stiffening(coherency.relaxed_curvature(k, jnp.asarray(normal)))
    for tag, psi in bodies.items():
        found, c = interface.flat(psi, host, kappa), phase_diagram.critical_composition(psi, host)
        sizes = interface.critical_sizes(psi, host, kappa, c)
        lines += [
            Line("interface", f"{tag}energy", float(found.energy), "J/m^2"),
            Line("interface", f"{tag}width", float(found.width), "m"),
            Line("interface", f"{tag}critical wavelength", float(sizes.wavelength), "m"),
            Line("interface", f"{tag}critical width of a slab", float(sizes.slab), "m"),
            Line("interface", f"{tag}critical diameter of a cylinder", 2 * float(sizes.cylinder), "m"),
            Line("interface", f"{tag}critical diameter of a sphere", 2 * float(sizes.sphere), "m"),
        ]
    return lines


@eqx.filter_jit
def _film_against_strain(psi, host, strains, normal, c):
    known = film.gaps_against_strain(psi, host, strains, normal)
    mu = known.mu[STRAINS // 2, 0]  # of the film without strain

    def path(strain, gaps):
        return phase_diagram.transition_of(film.film(psi, strain, normal), host, gaps, mu)

    return film.energies(psi, host, c, strains, normal), jax.vmap(path)(strains, known), known


@eqx.filter_jit
def _shifts(psi, host, normal):
    return film.voltage_per_stress(psi, host)[0], film.voltage_per_strain(psi, host, 0.0, normal)[0]


def _film(parts: _Parts, material: Material, curves: dict[str, Any], normal: Any, strain: float) -> list[Line]:
    host = parts.host
    change = film.stress(parts.elastic, host, 1.0, 0.0, normal) - film.stress(parts.elastic, host, 0.0, 0.0, normal)
    names = ("xx", "yy", "zz", "yz", "xz", "xy")
    lines = [
        Line("film", f"stress of a full film, {name}", float(s), "Pa")
        for name, s in zip(names, change)
        if abs(float(s)) > 1e-6 * float(jnp.max(jnp.abs(change)))
    ]
    if parts.chemical is None:
        return lines
    psi = parts.chemical + parts.elastic
    strains, c = jnp.linspace(-strain, strain, STRAINS), jnp.asarray(curves["c"])
    V0 = 0.0 if material.V0 is None else float(material.V0)
    energy, path, known = _film_against_strain(psi, host, strains, jnp.asarray(normal), c)
    curves |= {"strains": np.asarray(strains), "film": np.asarray(energy)}
    if bool(known.exists.any()):
        curves["barriers"] = (np.asarray(path.forward), np.asarray(path.backward))
        curves["plateau"] = np.asarray(voltage.plateaus(known, host, V0))[:, 0]
    per_stress, per_strain = _shifts(psi, host, jnp.asarray(normal))
    lines += [
        Line("film", f"voltage per stress along {axis}", float(v), "V/Pa") for axis, v in zip("abc", per_stress[:3])
    ]
    lines += [Line("film", "voltage per hydrostatic stress", float(jnp.sum(per_stress[:3])), "V/Pa")]
    chi = coherency.effective_interaction(film.film(psi, 0.0, normal), host)
    lines += [Line("film", "chi_film", float(chi), "1")]
    unstrained = np.asarray(known.exists)[STRAINS // 2, 0]
    lines += [Line("film", "voltage per in-plane strain", float(per_strain), "V")] if unstrained else []
    closing, found = film.closing_strain(psi, host, 0.0, strain, normal)
    return lines + ([Line("film", "strain that closes the gap", float(closing), "1")] if bool(found) else [])


@eqx.filter_jit
def _critical_currents(psi, exchange, host, stiffness, c):
    at = jax.vmap(lambda x: stability.critical_current_at(psi, exchange, host, x, stiffness))(c)
    both = [stability.critical_current(psi, exchange, host, stiffness, sign)[0] for sign in (1, -1)]
    return at, both


def _currents(parts: _Parts, exchange: AbstractExchangeCurrent, curves: dict[str, Any], thickness: float) -> list[Line]:
    host, B = parts.host, 0.0
    if parts.elastic is not None:
        B = float(_softest_normal(coherency.curvatures(parts.elastic, 0.5, host)).modulus)
    current, both = _critical_currents(parts.chemical, exchange, host, jnp.asarray(B), jnp.asarray(curves["c"]))
    curves["current"] = np.asarray(current)
    lines = []
    for name, i in zip(("insertion", "extraction"), both):
        lines.append(Line("current", f"critical, {name}", float(i), "A/m^2"))
        if np.isfinite(float(i)):
            rate = float(stability.c_rate(i, host, 0.5 * thickness))
            lines.append(Line("current", f"critical, {name}, platelet of {1e9 * thickness:.4g} nm", rate, "1/h"))
    rate = stability.c_rate(1.0, host, 0.5 * thickness)
    G = stability.amplification(parts.chemical, exchange, host, 1.0 / rate, B)
    return [*lines, Line("current", "amplification exponent at 1 C", float(G), "1")]


def _diffusion(parts: _Parts, D: Any) -> list[Line]:
    D = float(np.max(np.asarray(D)))
    psi, host = parts.chemical, parts.host
    known = phase_diagram.gaps(psi, host)
    if not bool(known.exists[0]):
        return []
    phases = (("poor phase", known.low[0]), ("rich phase", known.high[0]))
    speeds = ((name, float(stability.chemical_diffusivity(psi, host, c, D))) for name, c in phases)
    return [Line("diffusion", f"chemical diffusivity, {name}", speed, "m^2/s") for name, speed in speeds]
