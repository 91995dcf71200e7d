"""Which Slurm jobs the cases of a sweep were submitted as: `slurm/jobs.json`, ids by the names of their folders."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..errors import FileError
from ..io.results import write_text


def known(folder: Path) -> dict[str, str]:
    """The jobs of the cases of a sweep; they may have ended."""
    try:
        return dict(json.loads(_path(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def remember(folder: Path, jobs: Mapping[str, str]) -> None:
    """Add jobs, or replace those of the same cases.

    Raises:
        FileError: the file cannot be written.
    """
    _path(folder).parent.mkdir(parents=True, exist_ok=True)
    write_text(_path(folder), json.dumps({**known(folder), **jobs}))


def cancel(folder: Path) -> None:
    """Cancel the jobs and forget them, so that none writes into what takes the place of its case, or is taken for it.

    Raises:
        FileError: Slurm is not at hand.
    """
    jobs = known(folder)
    if jobs:
        try:  # its exit status is of no use: it is not zero for jobs that have ended
            subprocess.run(["scancel", *jobs.values()], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        except OSError as error:
            raise FileError(
                f"Slurm jobs of {folder} may still be at work, and scancel cannot be run ({error.strerror or error}). "
                f"Overwrite it where Slurm is; or, if they have ended, remove {_path(folder)}."
            ) from None
    _path(folder).unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder / "slurm" / "jobs.json"
