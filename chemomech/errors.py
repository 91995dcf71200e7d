"""Errors whose message alone tells a user what went wrong, where, and what to try."""


class ChemomechError(Exception):
    """Base of all errors meant for the user; the command line shows its message without a traceback."""


class MeshError(ChemomechError):
    """A mesh is broken, cannot be read, or lacks what was asked of it."""


class ConfigError(ChemomechError):
    """A configuration is incomplete or contradicts itself."""


class UnitError(ChemomechError):
    """A quantity carries an unknown or unsuitable unit."""


class SolveError(ChemomechError):
    """A nonlinear or linear solve, or a time step, failed."""


class FileError(ChemomechError):
    """A file cannot be read or written."""
