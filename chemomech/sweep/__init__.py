"""Sweeps over the values of a config: one results folder a case, one table of results."""

from .axes import Axis, combinations, parse_axis, placed, table_axes
from .cases import Case, Plan, holds_sweep, plan, prepare
from .local import Local
from .overview import brief, counted, report
from .run import run
from .slurm import Slurm
from .table import read_table

__all__ = [
    "Axis", "Case", "Local", "Plan", "Slurm", "brief", "combinations", "counted", "holds_sweep", "parse_axis",
    "placed", "plan", "prepare", "read_table", "report", "run", "table_axes",
]  # fmt: skip
