"""Screening of lattice pairs: time of 5 000, first call and next, and of 10 000 parameter sets of one pair.

usage: python -m benchmarks.lattice_screening [--pairs 5000] [--max-index 2] [--cores 2]
       [--out benchmarks/results/NAME.json]

Cubic, tetragonal, orthorhombic, monoclinic and hexagonal hosts are strained at random (standard deviation 0.05 an
entry); every other product has a cell of twice the height, and each is given by vectors of another cell of its lattice.
`worse` counts the pairs whose correspondence strains more than the strain they were made with: there are to be none.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.record import hardware, run, write


def synthetic(count: int):
    """Hosts, products, and the distance of the strain between them."""
    import numpy as np

    from chemomech.thermo import Lattice
    from chemomech.thermo.sublattices import changes_of_basis

    rng = np.random.default_rng(0)
    system = rng.integers(0, 5, count)
    lengths, angles = rng.uniform(3e-10, 12e-10, (count, 3)), np.full((count, 3), np.pi / 2)
    lengths[system == 0] = lengths[system == 0][:, :1]
    lengths[np.isin(system, (1, 4)), 1] = lengths[np.isin(system, (1, 4)), 0]
    angles[system == 3, 1] = np.radians(rng.uniform(90, 120, np.sum(system == 3)))
    angles[system == 4, 2] = np.radians(120)
    parents = Lattice(lengths, angles)
    strain = np.eye(3) + 0.05 * rng.normal(size=(count, 3, 3))
    vectors = strain @ np.asarray(parents.basis)
    vectors[::2, :, 2] *= 2
    table = changes_of_basis()
    products = Lattice.from_basis(vectors @ table[rng.integers(0, len(table), count)])
    values = np.linalg.svd(strain)[1]
    return parents, products, np.sqrt(0.25 * np.sum((values - 1 / values) ** 2, axis=1))


def timed(call) -> float:
    """Seconds of one call."""
    import jax

    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def spinels():
    """Stretches, twins and habit planes of 10 000 variations of the spinel's cell, as one compiled call."""
    import jax
    import numpy as np

    from chemomech.thermo import Lattice, correspondence, directions, transformation, twin_systems, twofold_axes

    cubic = Lattice.cubic("8.245 angstrom", "F")
    product = Lattice.tetragonal("5.662 angstrom", "9.274 angstrom", "I")
    matrix, axes = correspondence(cubic, product).matrix, twofold_axes(cubic)[0]

    def whole(lengths):
        change = transformation(cubic, Lattice(lengths, product.angles, "I"), matrix)
        return change.stretches, twin_systems(change.U, directions(cubic, axes))

    compiled = jax.jit(jax.vmap(whole))
    lengths = product.lengths * (1 + 0.01 * np.random.default_rng(0).normal(size=(10_000, 3)))
    return lambda: compiled(lengths)


def measure(pairs: int, max_index: int) -> dict:
    """Times and counts, in this process."""
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    from chemomech.thermo import screen

    parents, products, made = synthetic(pairs)
    first = timed(lambda: screen(parents, products, max_index=max_index).assessment)
    again = min(timed(lambda: screen(parents, products, max_index=max_index).assessment) for _ in range(3))
    found = np.asarray(screen(parents, products, max_index=max_index).correspondence.distance)
    call = spinels()
    compiled = timed(call)
    return {
        "pairs": pairs,
        "max index": max_index,
        "first screening seconds": round(first, 2),
        "next screening seconds": round(again, 2),
        "worse": int(np.sum(found > made * (1 + 1e-9))),
        "better": int(np.sum(found < made * (1 - 1e-6))),
        "10 000 sets first seconds": round(compiled, 2),
        "10 000 sets seconds": round(min(timed(call) for _ in range(5)), 3),
    }


def main() -> None:
    """Measure in a process of its own, pinned to some cores, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--max-index", type=int, default=2)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.pairs, arguments.max_index)))
        return
    command = [sys.executable, "-m", "benchmarks.lattice_screening", "--child"]
    command += ["--pairs", str(arguments.pairs), "--max-index", str(arguments.max_index)]
    found = run(command, cores=arguments.cores)
    write({"claim": "screening"} | hardware() | {"cores used": arguments.cores} | found, arguments.out)


if __name__ == "__main__":
    main()
