"""The peers: how each is started, and where it comes from when it is not there yet.

DOLFINx comes from the distribution (Debian: apt-get install python3-dolfinx) and runs under the system's Python. The
others are installed from PyPI, each into a virtual environment of its own.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).parent / "peers"
SYSTEM = "/usr/bin/python3"


class NotInstalled(Exception):
    """A peer is not there, and could not be installed."""


class Peer(NamedTuple):
    """A script of `peers/`, its options, and the packages that it needs; no packages: it runs under the system."""

    script: str
    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    parallel: bool = False  # by MPI
    checks: str = "import dolfinx"
    tolerance: str = ""  # the text that sets Newton's, in a script without the option --tol


PEERS = {
    "mumps": Peer("coupled_step_dolfinx.py", parallel=True, tolerance="solver.rtol = 1e-8"),
    "fieldsplit": Peer("coupled_step_dolfinx_fieldsplit.py"),
    "skfem": Peer("coupled_step_skfem.py", packages=("scikit-fem", "pypardiso"), checks="import skfem, pypardiso"),
    "ngsolve": Peer("coupled_step_ngsolve.py", packages=("ngsolve", "pypardiso"), checks="import ngsolve"),
    "feax": Peer(
        "coupled_step_feax.py", ("--solver", "external"), ("feax", "pypardiso"), checks="import feax, pypardiso"
    ),
}
GRADIENTS = {
    "torch-fem": Peer(
        "gradients_torchfem.py", packages=("torch-fem", "pypardiso"), checks="import torchfem, pypardiso"
    ),
}
WITHOUT = {"torch-fem": "it has no Cahn-Hilliard equation: it solves solid mechanics and heat conduction alone"}


def command(
    name: str, environments: Path, install: bool = False, ranks: int = 1, peers: Mapping[str, Peer] = PEERS
) -> list[str]:
    """The command that starts a peer, without its last arguments; a name that is none of theirs is the command itself.

    Args:
        name: a key of `peers`, or a command line.
        environments: folder with one virtual environment a peer.
        install: make the environment if it is missing.
        ranks: MPI processes, where the peer runs in parallel.
        peers: those of the coupled step, or `GRADIENTS`.

    Raises:
        NotInstalled: it is not there; the message says how to get it.
    """
    if name not in peers and name in WITHOUT:
        raise NotInstalled(f"{name} is left out: {WITHOUT[name]}")
    if name not in peers:
        return shlex.split(name)
    peer = peers[name]
    python = environments / name / "bin" / "python" if peer.packages else Path(SYSTEM)
    if install and peer.packages and not python.exists():
        _install(name, peer, python)
    if not python.exists() or subprocess.run([python, "-c", peer.checks], capture_output=True).returncode:
        packages = " ".join(peer.packages)
        hint = f"give --install (pip install {packages})" if packages else "apt-get install python3-dolfinx"
        raise NotInstalled(f"{name} is left out: `{python} -c '{peer.checks}'` fails. Try: {hint}")
    together = ["mpirun", "--allow-run-as-root", "-n", str(ranks)] if peer.parallel and ranks > 1 else []
    if together and shutil.which("mpirun") is None:
        together = []
    return [*together, str(python), str(SCRIPTS / peer.script), *peer.options]


def tightened(name: str, command: list[str], tol: float, folder: Path) -> list[str]:
    """A peer's command with another tolerance of Newton's rule: as the option --tol, or in a copy of the script.

    Raises:
        ValueError: the script does not set it where we look.
    """
    text = PEERS[name].tolerance if name in PEERS else ""
    if not text:
        return [*command, "--tol", str(tol)]
    script = SCRIPTS / PEERS[name].script
    before, found, after = script.read_text().partition(text)
    if not found:
        raise ValueError(f"{script.name} has no `{text}`")
    copy = folder / script.name
    copy.write_text(before + text.rpartition(" ")[0] + f" {tol}" + after)
    return [str(copy) if part == str(script) else part for part in command]


def _install(name: str, peer: Peer, python: Path) -> None:
    folder = python.parents[1]
    made = subprocess.run([sys.executable, "-m", "venv", folder], capture_output=True, text=True)
    if made.returncode == 0:
        made = subprocess.run([python, "-m", "pip", "install", "-q", *peer.packages], capture_output=True, text=True)
    if made.returncode:
        last = (made.stderr or made.stdout).strip().splitlines()[-1:]
        raise NotInstalled(f"{name} is left out: pip install {' '.join(peer.packages)} failed: {' '.join(last)}")
