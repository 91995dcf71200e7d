"""The README's tables, made from the records in `results/`.

usage: python -m benchmarks.table [--check]

Writes them between the two markers of README.md; `--check` only tells whether they are up to date.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.record import RESULTS, ROOT

BEGIN, END = "<!-- tables by benchmarks/table.py: begin -->", "<!-- tables by benchmarks/table.py: end -->"
README = ROOT / "README.md"
PEERS = {
    "mumps": "DOLFINx + MUMPS",
    "fieldsplit": "DOLFINx + FGMRES, GAMG",
    "skfem": "scikit-fem",
    "ngsolve": "NGSolve",
    "feax": "feax",
}


def tables(folder: Path = RESULTS) -> str:
    """All tables, one a claim, of the records of a folder."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    parts = [
        made(found) for claim, made in CLAIMS.items() if (found := [r for r in records if r.get("claim") == claim])
    ]
    return "\n\n".join(parts)


def coupled_steps(records: list[dict]) -> str:
    """Seconds a step on each mesh, and how many times longer the peers take."""
    names = [n for n in PEERS if any(n in case["codes"] for r in records for case in r["meshes"])]
    rows = []
    for record in records:
        for case in record["meshes"]:
            ours = case["codes"]["chemomech"]
            times = [f"{case['times faster'][n]:.1f}x" if n in case["times faster"] else "" for n in names]
            size = f"{case['mesh'].removesuffix('.npz')}, {_count(case['unknowns'])}"
            how = ours["code"].split(" + ")[-1]
            rows.append([size, how, _cores(case, record), f"{ours['seconds a step']:.2g} s", *times])
    head = ["mesh, unknowns", "solver", "cores", "a step", *(PEERS[n] for n in names)]
    return _table("One coupled step; how many times longer the same step takes elsewhere", head, rows, records)


def energies(records: list[dict]) -> str:
    """How far the energies of converged steps are apart."""
    rows = [
        [
            f"{case['mesh'].removesuffix('.npz')}, {_count(case['unknowns'])}", PEERS.get(name, name),
            f"{record['tol']:.0e}", f"{difference:.1e}", f"{case['mass difference'][name]:.1e}",
        ]
        for record in records for case in record["meshes"] for name, difference in case["energy difference"].items()
    ]  # fmt: skip
    head = ["mesh, unknowns", "against", "Newton to", "energy differs by", "lithium by"]
    return _table("The same steps, converged: relative differences", head, rows, records)


def growths(records: list[dict]) -> str:
    """Time and memory against size."""
    rows = [
        [
            _count(size["unknowns"]), f"{size['setup']:.1f} s", f"{size['compile']:.1f} s", f"{size['step']:.2g} s",
            f"{size['microseconds per unknown']['step']:.1f} us", f"{size['bytes per unknown']['end'] / 1e3:.1f} kB",
            str(max(size["gmres"])),
        ]
        for record in records for size in record["sizes"]
    ]  # fmt: skip
    head = ["unknowns", "set-up", "compile", "a step", "per unknown", "memory per unknown", "GMRES, most"]
    return _table("Growth with size, a ball on the CPU", head, rows, records)


def counts(records: list[dict]) -> str:
    """GMRES iterations by mesh and stiffness."""
    columns = ("stiffness", "cases", "median", "worst", "longer steps")
    rows = [
        [row["mesh"].removesuffix(".npz"), _count(row["unknowns"]), *(_text(row.get(k)) for k in columns)]
        for record in records for row in record["table"]
    ]  # fmt: skip
    head = ["mesh", "unknowns", "stiffness", "cases", "median", "worst", "worst of longer steps"]
    title = "GMRES iterations to 1e-6 over states, chi and steps; longer ones only coherency allows"
    return _table(title, head, rows, records)


def reactions(records: list[dict]) -> str:
    """GMRES iterations by mesh and place of the reaction."""
    columns = (
        "cases", "beyond", "median", "worst", "more than closed, at a given voltage", "more with a given current",
        "transposed less forward",
    )  # fmt: skip
    rows = [
        [row["mesh"].removesuffix(".npz"), row["kind"], *(str(row[k]) for k in columns)]
        for record in records for row in record["table"]
    ]  # fmt: skip
    head = ["mesh", "reaction", *columns]
    return _table(
        "GMRES iterations to 1e-6 with a reaction of any rate; beyond: steps that error control would not take, apart",
        head,
        rows,
        records,
    )


def designs(records: list[dict]) -> str:
    """What the design configs reach."""
    rows = []
    for case in (case for record in records for case in record["cases"]):
        finer = [_in_unit(case[f"finer {when}"], case["unit"]) for when in ("before", "after")]
        scan = case.get("scan")
        rows.append([
            case["config"], str(case["variables"]), _in_unit(case["before"], case["unit"]),
            _in_unit(case["after"], case["unit"]), f"{case['after'] / case['before'] - 1:+.0%}",
            f"{len(case['starts'])}, to {100 * case['spread']:.1g} %", f"{finer[0]}, {finer[1]}",
            f"{_in_unit(scan['least'], case['unit'])} of {scan['points']}" if scan else "",
            f"{case['seconds'] / 60:.1f} min",
        ])  # fmt: skip
    head = [
        "config", "numbers", "before", "after", "change", "starts, which agree", "finer mesh: before, after",
        "least of a scan", "time",
    ]  # fmt: skip
    return _table("Designs: peak tension before and after", head, rows, records)


def _in_unit(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:.4g} MPa" if unit == "Pa" else f"{value:.4g} {unit}"


def devices(records: list[dict]) -> str:
    """What a device does."""
    rows = []
    for record in records:
        for case in record["measured"]:
            memory, time = case["bytes per unknown"], case.get("solve", case.get("step"))
            iterations = case.get("iterations") or max(case["gmres"])
            rows.append([
                case["device"], case["case"], case["precision"], _count(case["unknowns"]), f"{time:.2g} s",
                str(iterations), str(case["kernels per iteration"]), f"{memory / 1e3:.1f} kB" if memory else "",
                *(f"{100 * case[part]['share of triad']:.0f} %" for part in ("preconditioner", "tangent")),
            ])  # fmt: skip
    head = [
        "device", "case", "cycles", "unknowns", "time", "iterations", "kernels each", "memory per unknown",
        "of bandwidth: preconditioner", "tangent",
    ]  # fmt: skip
    return _table("On a device: an elastic solve to 1e-8, a coupled step", head, rows, records)


def gradients(records: list[dict]) -> str:
    """Value and gradient over value, by solver and by where the states are kept."""
    rows = []
    for record in records:
        for row in record["rows"]:
            rows.append([row["solver"], _count(row["unknowns"]), str(row["steps"]), "memory", f"{row['ratio']:.2f}"])
        kept, size = record["kept"], _count(record["rows"][0]["unknowns"])
        for way in kept["ways"]:
            where = way["where"] if way["where"] != "again" else f"{way['states']} of them, others computed again"
            rows.append([kept["solver"], size, str(kept["steps"]), where, f"{way['ratio']:.2f}"])
    head = ["solver", "unknowns", "steps", "states kept in", "(value and gradient) / value"]
    return _table("A gradient by all material numbers, node coordinates and the first state", head, rows, records)


def gradients_beside_peers(records: list[dict]) -> str:
    """Times of each code, and how far its value and gradient are from chemomech's and from differences."""
    rows = []
    for record in records:
        for case in record["cases"]:
            for name, code in case["codes"].items():
                ours = name.startswith("chemomech")
                apart = code["value differs"], max(code["gradient differs"].values())
                rows.append([
                    f"{case['problem']}, {case['mesh'].removesuffix('.npz')}", name if ours else code["code"],
                    _count(code["unknowns"]), f"{code['value, processor']:.2g} s",
                    f"{code['value and gradient, processor']:.2g} s", f"{code['ratio']:.2f}",
                    f"{code['peak memory'] / 1e9:.2f} GB",
                    *("" if name == "chemomech" else f"{value:.0e}" if value else "0" for value in apart),
                    f"{max(code['gradient error'].values()):.0e}",
                ])  # fmt: skip
    head = [
        "problem", "code", "unknowns", "value", "value and gradient", "ratio", "memory", "value differs by",
        "gradient by", "gradient from differences",
    ]  # fmt: skip
    title = "The same gradients in a peer, processor time on one core; differences are relative, from the first row"
    return _table(title, head, rows, records)


def orientations(records: list[dict]) -> str:
    """Angles and energies of each start."""
    rows = [
        [
            f"{name} composition", f"{-run['start']:.0f}°", f"{-run['angle']:.2f}°", str(run["evaluations"]),
            f"{100 * (run['energy'] / run['first energy'] - 1):.1f} %", f"{100 * record[name]['spread']:.1g} %",
            f"{record['B'] / 1e9:.4f} GPa" if name == "given" else "",
        ]
        for record in records for name in ("given", "relaxed") for run in record[name]["runs"]
    ]  # fmt: skip
    angle, least = (records[0][f"reference {name}"] for name in ("angle", "B"))
    title = f"Crystal turned for least coherency energy; the least B(n) is {least / 1e9:.4f} GPa at {angle:.2f}°"
    head = ["lamella", "start", "optimum", "runs", "energy", "starts differ by", "B"]
    return _table(title, head, rows, records)


def films(records: list[dict]) -> str:
    """Misfit or thickness of each study, against its formula."""
    rows = []
    for record in records:
        aimed, thick = record["plateau"], record["thickest"]
        rows.append([
            f"plateau at {record['target']:.3f} V", f"misfit {100 * aimed['misfit']:.3f} %",
            f"{aimed['plateau']:.4f} V; C/10 on a finer mesh {aimed['by a discharge']:.4f} V",
            f"{aimed['by the tangent']:.4f} V",
        ])  # fmt: skip
        for bowing, gap in record["gaps"].items():
            formula = f"{100 * gap['by the formula']:.3f} %" if gap["by the formula"] else "none"
            ends = " and ".join(f"{value:.3f}" for value in gap.get("segregation at the bounds", []))
            still = f"; at the bounds {ends}: the gap stays open" if ends else ""
            rows.append([
                f"no gap, bowing {100 * float(bowing):g} %", f"misfit {100 * gap['misfit']:.3f} %",
                f"segregation {gap['segregation']:.3f}{still}", formula,
            ])  # fmt: skip
        rows.append([
            "thickest without a gap", f"{1e9 * thick['thickness']:.2f} nm at {100 * thick['misfit']:.1f} %",
            f"segregation {thick['segregation']:.3f}", f"{1e9 * thick['by the formula']:.2f} nm",
        ])  # fmt: skip
        for share, segregation in record["wide"].items():
            misfit = f"misfit {100 * float(share) * next(iter(record['gaps'].values()))['misfit']:.3f} %"
            rows.append(["wide film left to itself", misfit, f"segregation {segregation:.3f}", ""])
    return _table("Film strained by its substrate", ["study", "design", "result", "at one point"], rows, records)


def recoveries(records: list[dict]) -> str:
    """Numbers, their errors and how often the intervals hold the truth."""
    rows = [
        [
            name, f"{true:g}", f"{record['start'][k]:g}", f"{record['mean'][k]:.4g}", f"{record['errors'][k]:.1e}",
            f"{record['spread'][k]:.1e}", f"{record['held'][k]} of {record['seeds']}", f"{record['finer']['x'][k]:.4g}",
        ]
        for record in records for k, (name, true) in enumerate(record["true"].items())
    ]  # fmt: skip
    noise = f"{100 * records[0]['noise']:g} %"
    head = ["number", "truth", "start", "mean", "error by Laplace", "spread", "in 95 %", "from a finer mesh's movie"]
    return _table(f"Numbers recovered from movies of the composition with noise of {noise}", head, rows, records)


def screenings(records: list[dict]) -> str:
    """Lattice pairs and parameter sets a second."""
    rows = []
    for record in records:
        of = "correspondence and assessment of a pair of lattices"
        rows.append(
            [
                of,
                str(record["pairs"]),
                f"{record['first screening seconds']:.1f}",
                f"{record['next screening seconds']:.2f}",
            ]
        )
        of = "stretches, all twins, fractions and habit planes of a pair"
        rows.append([of, "10000", f"{record['10 000 sets first seconds']:.1f}", f"{record['10 000 sets seconds']:.2f}"])
    return _table(
        "Crystallography without a mesh", ["what", "how many", "s, with compilation", "s, again"], rows, records
    )


def parameter_sets(records: list[dict]) -> str:
    """Functions of composition and crystals over many parameter sets."""
    rows = [
        [row["function"], str(row["sets"]), f"{row['first seconds']:.1f}", f"{row['processor seconds']:.2f}"]
        for record in records for row in record["functions"]
    ]  # fmt: skip
    head = ["function", "sets", "s, with compilation", "processor s, again"]
    return _table("Thermodynamics without a mesh", head, rows, records)


def architectures(records: list[dict]) -> str:
    """Krylov counts by body, and stress relief by shape."""
    counts = [
        [row["body"], _count(row["unknowns"]), " ".join(map(str, row["iterations"])), str(max(row["transposed"]))]
        for record in records for row in record["counts"]
    ]  # fmt: skip
    relief = [
        [
            row["shape"], f"{row['r/a']:.2f}", _count(row["unknowns"]), f"{row['stress over planar']:.2f}",
            f"{row['95th percentile']:.2f}", str(row["CG iterations"]), f"{row['seconds to solve']:.1f} s",
        ]
        for record in records for row in record["relief"]
    ]  # fmt: skip
    first = _table(
        "GMRES iterations to 1e-6 of four steps on bodies of other shapes",
        ["body", "unknowns", "iterations", "transposed, most"], counts, records,
    )  # fmt: skip
    head = ["inverse opal", "r/a", "unknowns", "stress over planar", "95th percentile", "CG iterations", "solved in"]
    return first + "\n\n" + _table("Stress of an inverse opal that swells on its base", head, relief, records)


def bent_wires(records: list[dict]) -> str:
    """Domains by bend and interface length, how long a layer lasts, and iterations."""
    return "\n\n".join(
        _table(title, head, rows, records)
        for title, head, rows in (_domains(records), _layers(records), _wire_counts(records)) if rows
    )  # fmt: skip


def _domains(records: list[dict]) -> tuple[str, list[str], list[list[str]]]:
    rows = [
        [
            f"{100 * case['bend']:g} %", f"{case['ratio']:g}", f"{case['noise']:g}", str(case["seeds"]),
            *(f"{case['mean']['tension'][k]:.{n}f} / {case['mean']['compression'][k]:.{n}f}" for k, n in
              (("segments", 1), ("mean", 2))),
        ]
        for record in records for case in [*record.get("sweep", []), *record.get("louder", [])]
    ]  # fmt: skip
    head = ["strain at the edges", "l/h", "noise", "seeds", "rich segments, tension / compression", "composition there"]
    return "A bent strip after 5 h^2/D, means over seeds of the noise", head, rows


def _layers(records: list[dict]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for record in records:
        for case, rest in zip(record.get("lifetimes", []), record.get("rest", []), strict=False):  # of both parts
            broken = f"{case['broken']:.0f}" if case["broken"] else f"whole at {case['last']:.0f}"
            rows.append([
                f"{100 * case['bend']:g} %", f"{case['ratio']:g}", broken,
                *(f"{rest[name]['energy']:.4f}, {rest[name]['unstable']}" if rest[name] else "none found"
                  for name in ("layer", "one bar", "two bars")),
            ])  # fmt: skip
    head = [
        "strain at the edges", "l/h", "layer breaks at [h^2/D]",
        "layer at rest: mean energy [R T c_max], unstable modes", "bar at one end", "bars at both",
    ]  # fmt: skip
    return "How long the layer along the edge in tension lasts, and what it costs", head, rows


def _wire_counts(records: list[dict]) -> tuple[str, list[str], list[list[str]]]:
    rows = [
        [name, _count(row[name]["unknowns"]), str(row[name]["states"]), f"{row[name]['median']:.1f}",
         f"{row[name]['worst']:.1f}"]
        for record in records for row in record.get("counts", []) for name in ("strip", "square wire")
    ]  # fmt: skip
    return "GMRES iterations to 1e-6 along such runs", ["body", "unknowns", "states", "median", "worst"], rows


CLAIMS: dict[str, Callable[[list[dict]], str]] = {
    "coupled step": coupled_steps,
    "converged coupled step": energies,
    "growth": growths,
    "counts": counts,
    "reaction counts": reactions,
    "gradient": gradients,
    "gradient beside a peer": gradients_beside_peers,
    "device": devices,
    "designs": designs,
    "design orientation": orientations,
    "design film": films,
    "design recovery": recoveries,
    "screening": screenings,
    "parameter sets": parameter_sets,
    "architectures": architectures,
    "bent wire": bent_wires,
}


def _cores(case: dict, record: dict) -> str:
    """Cores that a process was tied to, or the threads that it was allowed."""
    if case["cores"]:
        return str(case["cores"])
    threads = record["OMP_NUM_THREADS"]
    return f"{record['cores']}, {threads} thread{'s' if threads != '1' else ''}" if threads.isdigit() else "all"


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def _count(n: int) -> str:
    return f"{n / 1e6:.1f} M" if n >= 999_500 else f"{n / 1e3:.0f} k" if n >= 1000 else str(n)


def _table(title: str, head: list[str], rows: list[list[str]], records: list[dict]) -> str:
    where = sorted({f"{r['cpu'].strip()}, {r['cores']} cores, commit {r['commit'][:7]}" for r in records})
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join([f"{title} ({'; '.join(where)}):", "", *lines])


def written(readme: str) -> str:
    """The README with its tables brought up to date."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    text = README.read_text()
    if args.check:
        sys.exit(0 if written(text) == text else "README.md is behind benchmarks/results: python -m benchmarks.table")
    README.write_text(written(text))


if __name__ == "__main__":
    main()
