"""What the `[optimize]` table of a config says: variables, goal, limits, and how to look for the best design."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import config as configs
from ..adjoint import DIFFERENTIATED
from ..design import METHODS, AbstractGoal, AbstractVariable, Experiment, Limit, Study
from ..errors import ConfigError
from ..solve.newton import UpdateTest
from ..sweep import placed

KEYS = (
    "objective", "variables", "limits", "maximise", "method", "iterations", "tolerance", "starts", "seed", "finer",
)  # fmt: skip


class Plan(NamedTuple):
    """A study as a config states it, and how it is run."""

    title: str
    study: Study
    simulation: configs.Simulation
    config: str  # text of config.toml
    method: str | None
    iterations: int
    tolerance: float
    starts: int
    seed: int
    finer: Study | None  # the same designs computed otherwise: a check

    @property
    def unit(self) -> str:
        """Of the objective."""
        return self.study.objective.unit


def plan(config: Path, folder: Path) -> Plan:
    """Read a config with an `[optimize]` table and build its study.

    Args:
        config: the TOML file.
        folder: results folder, which the paths in the kept config are relative to.

    Raises:
        ConfigError: a key is unknown, missing or unsuitable; the message names it and what to try.
    """
    tree = configs.read(config)
    if "optimize" not in tree:
        raise ConfigError(
            f"{config} has no [optimize] table. Add one with objective = {{kind = ...}} and variables = [...]."
        )
    table = tree.pop("optimize")
    _check(table)
    simulation = configs.build(tree, config)
    study = _study(simulation, table)
    simulation.check_protocol()
    study.initial  # noqa: B018  a path that leads nowhere says so now
    finer = None
    if "finer" in table:
        other = tree
        for path, value in _flat(table["finer"], "").items():
            other = placed(other, path, value)
        finer = _study(configs.build(other, config), table)
    return Plan(
        simulation.title, study, simulation, _text(tree, table, config, folder), table.get("method"),
        table.get("iterations", 50), float(table.get("tolerance", 1e-5)), table.get("starts", 1),
        table.get("seed", 0), finer,
    )  # fmt: skip


def _check(table: Any) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"`optimize` = {table!r} must be a table: write [optimize].")
    unknown = [key for key in table if key not in KEYS]
    if unknown:
        raise ConfigError(f"Unknown key `{unknown[0]}` in optimize. Valid: {', '.join(KEYS)}.")
    for key in ("objective", "variables"):
        if key not in table:
            raise ConfigError(f"optimize lacks `{key}`. It needs an objective and a list of variables.")
    method = table.get("method")
    if method is not None and method not in METHODS:
        raise ConfigError(f"optimize.method = {method!r} is unknown. Use one of {', '.join(METHODS)}.")
    for key, least in (("iterations", 1), ("starts", 1), ("seed", 0)):
        value = table.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"optimize.{key} = {value!r} must be a whole number of at least {least}.")
    tolerance = table.get("tolerance", 1.0)
    if not isinstance(tolerance, int | float) or not tolerance > 0:
        raise ConfigError(f"optimize.tolerance = {tolerance!r} must be a positive number.")


def _study(simulation: configs.Simulation, table: Mapping[str, Any]) -> Study:
    variables = [
        configs.made(simulation, entry, f"optimize.variables[{k}]", AbstractVariable)
        for k, entry in enumerate(_list(table["variables"], "variables"))
    ]
    objective = configs.made(simulation, table["objective"], "optimize.objective", AbstractGoal)
    limits = [
        configs.made(simulation, {"kind": "Limit", **entry}, f"optimize.limits[{k}]", Limit)
        for k, entry in enumerate(_list(table.get("limits", []), "limits"))
    ]
    newton = simulation.newton
    if "test" not in simulation.tree.get("newton", {}):
        newton = dataclasses.replace(newton, test=UpdateTest(DIFFERENTIATED))
    experiment = Experiment(simulation.problem, simulation.state, simulation.protocol)
    options = {"newton": newton, "control": simulation.control, "stepper": simulation.stepper}
    return Study(experiment, variables, objective, limits, bool(table.get("maximise", False)), options)


def _list(given: Any, key: str) -> list[Any]:
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        raise ConfigError(f"`optimize.{key}` must be a list of tables: write [[optimize.{key}]], once for each.")
    return given


def _flat(table: Any, above: str) -> dict[str, Any]:
    """TOML reads mesh.nx without quotes as a table in a table."""
    if not isinstance(table, Mapping):
        raise ConfigError('`optimize.finer` must be a table of keys of the config, such as { "mesh.nx" = 40 }.')
    out: dict[str, Any] = {}
    for key, value in table.items():
        path = f"{above}.{key}".lstrip(".")
        out |= _flat(value, path) if isinstance(value, Mapping) and "kind" not in value else {path: value}
    return out


def _text(tree: Mapping[str, Any], table: Mapping[str, Any], source: Path, folder: Path) -> str:
    import tomli_w

    return tomli_w.dumps(configs.relocated({**tree, "optimize": dict(table)}, source, folder))
