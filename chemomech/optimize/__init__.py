"""Optimisation of a config's design: every evaluation on the disk, the designs before and after, a report."""

from .folder import holds_optimisation
from .overview import report
from .plan import Plan, plan
from .running import Watcher, run

__all__ = ["Plan", "Watcher", "holds_optimisation", "plan", "report", "run"]
