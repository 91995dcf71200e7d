"""Published parameter sets, loaded by name; every number carries its source and whether it was checked."""

from __future__ import annotations

import difflib

from ..errors import ConfigError
from . import graphite, layered, lfp, lmo, silicon, v2o5
from .material import Material, Row, UnverifiedWarning, warn_unverified

_BUILDERS = {
    "LiFePO4": lfp.anisotropic,
    "LiFePO4-set2": lfp.anisotropic_set2,
    "LiFePO4-isotropic": lfp.isotropic,
    "LiMn2O4": lmo.spinel,
    "LixV2O5": v2o5.orthorhombic,
    "LixV2O5-axisymmetric": v2o5.axisymmetric,
    "LiCoO2": layered.cobalt,
    "NMC811": layered.nmc811,
    "graphite": graphite.one_layer,
    "silicon": silicon.amorphous,
}


def names() -> tuple[str, ...]:
    """The materials that `load` knows."""
    return tuple(_BUILDERS)


def load(name: str) -> Material:
    """A material by name; warns when some of its numbers are unverified.

    Raises:
        ConfigError: the name is unknown; the message suggests the nearest.
    """
    if name not in _BUILDERS:
        by_lower = {known.lower(): known for known in _BUILDERS}
        near = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.4)
        hint = f' Did you mean "{by_lower[near[0]]}"?' if near else ""
        raise ConfigError(f'No material "{name}".{hint} Known: {", ".join(_BUILDERS)}.')
    material = _BUILDERS[name]()
    warn_unverified(material)
    return material


__all__ = ["Material", "Row", "UnverifiedWarning", "load", "names"]
