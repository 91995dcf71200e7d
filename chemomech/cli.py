"""The command line: run, sweep, optimize, check, mesh, doctor, materials, thermo, report."""

from __future__ import annotations

import difflib
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from .errors import ChemomechError, ConfigError, FileError
from .run import Cursor, Observer, Record

debugging = False
KEY_NUMBERS = ("time [s]", "soc [-]", "voltage [V]", "max von Mises [Pa]")


class _Commands(typer.core.TyperGroup):
    """Turns every failure into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ChemomechError as error:
            _fail(str(error), error)
        except KeyboardInterrupt:
            _fail("Interrupted.", None, code=130)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if type(error).__module__.startswith(("click", "typer")):
                raise
            _fail(f"{type(error).__name__}: {error}. This is a bug: please report it, with the config.", error)


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Chemo-mechanics of battery electrodes.",
)  # fmt: skip
Config = Annotated[Path, typer.Argument(help="TOML file; see the folder configs/.")]


def main() -> None:
    """Entry point of the command `chemomech`."""
    app()


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Chemo-mechanics of battery electrodes."""
    global debugging
    debugging = debug


@app.command()
def run(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Results folder; default results/NAME-OF-CONFIG.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
) -> None:
    """Run a config and write a results folder with a report."""
    from . import inspection
    from .io.results import require_folder

    folder = out or Path("results") / config.stem
    require_folder(folder, "config.toml", resume=resume, overwrite=overwrite)
    with _one_line_warnings() as heard:
        simulation, found = _built(config)
        results = _results(folder, simulation, resume)
        results.warnings = heard = [*heard, *found]
        results.solver = inspection.solver_of(simulation)
        _simulate(simulation, results)
        _finish(results, heard)


@app.command()
def sweep(
    config: Config,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="PATH=VALUES: protocol.0.c_rate=0.1,1, or start:stop:count[:log]. May be repeated."),
    ] = None,
    zipped: Annotated[bool, typer.Option("--zip", help="First values together, then the second ...; no grid.")] = False,
    out: Annotated[Path | None, typer.Option(help="Results folder; default results/NAME-OF-CONFIG_sweep.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cases at a time; default half of the cores.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each case; default its share of the cores.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is not finished, failed or new.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list the cases; run nothing.")] = False,
    slurm: Annotated[bool, typer.Option("--slurm", help="Run as Slurm jobs; needs submitit.")] = False,
    partition: Annotated[str | None, typer.Option(help="Of Slurm.")] = None,
    time: Annotated[str, typer.Option(help="Limit of a Slurm job, which is requeued and goes on.")] = "1 h",
    mem: Annotated[str | None, typer.Option(help='Memory of a Slurm job, such as "8 GB".')] = None,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of a Slurm job.")] = 0,
    slurm_option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for sbatch. May be repeated.")] = None,
) -> None:
    """Run a config over values of its keys; one table compares the cases."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the cases need the GPU's memory more
    _enable_x64()
    from . import sweep as sweeps

    folder = out or Path("results") / f"{config.stem}_sweep"
    axes, console = [sweeps.parse_axis(text) for text in values or []], _console(stderr=True)
    _require_sweep_folder(folder, resume, overwrite, dry_run)
    with _one_line_warnings(), console.status("checking cases") as status:
        show = lambda done, count: status.update(f"checking cases: {done} of {count}")  # noqa: E731
        mode = "zip" if zipped else None
        planned = sweeps.plan(config, folder, axes, mode, resume=resume, checked=show)
    for text in planned.warnings:
        _warn(text)
    if dry_run:
        _print_table(("case", *planned.swept), zip((c.folder.name for c in planned.cases), *planned.swept.values()))
        return
    if slurm:
        options = dict(_name_and_value(text) for text in slurm_option or [])
        workers = sweeps.Slurm(
            folder, jobs, time=time, mem=mem, cpus=threads, gpus=gpus, partition=partition, options=options
        )
    else:
        workers = sweeps.Local(folder, jobs, threads)
    sweeps.prepare(planned, overwrite=overwrite)
    _run_sweep(planned, workers)


@app.command()
def optimize(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="Results folder; default results/NAME-OF-CONFIG_design.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
) -> None:
    """Look for the best design of a config: its [optimize] table names variables, objective and limits."""
    from .io.results import require_folder

    folder = out or Path("results") / f"{config.stem}_design"
    require_folder(folder, "evaluations.jsonl", resume=resume, overwrite=overwrite)
    _prepare_jax()
    from . import optimize as optimising

    with _one_line_warnings():
        planned = optimising.plan(config, folder)
        if resume and not optimising.holds_optimisation(folder):
            raise ConfigError(f"{folder} holds no optimisation (it has no evaluations.jsonl). Choose another --out.")
        _optimise(planned, folder, resume)


@app.command()
def check(config: Config) -> None:
    """Print a config's problem as built, and what is doubtful about it."""
    _prepare_jax()
    from . import config as configs
    from . import inspection

    with _one_line_warnings():
        simulation = configs.load(config)
    try:
        found = inspection.warnings_of(simulation)
        failure = None
    except ConfigError as error:
        found, failure = [], error
    _print_blocks(simulation)
    for text in found:
        _warn(text)
    if failure is not None:
        raise failure


@app.command()
def mesh(
    kind: Annotated[str | None, typer.Argument(help="Geometry, such as ellipsoid; see --list.")] = None,
    values: Annotated[list[str] | None, typer.Argument(help='Such as a="50 nm".', metavar="[KEY=VALUE]...")] = None,
    out: Annotated[Path | None, typer.Option(help="File, .msh or .vtu; default KIND.msh.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the geometries, or the keys of one.")] = False,
    surface: Annotated[str | None, typer.Option(help="Facet set that reacts; default: by the kind.")] = None,
    density: Annotated[str | None, typer.Option(help='For area per mass, such as "3600 kg/m^3".')] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier file.")] = False,
) -> None:
    """Mesh a geometry: a file, a picture, and its sets, quality and descriptors."""
    from .geometry import kinds as geometries

    known = geometries.kinds()
    if listed and kind in (None, *known):
        _list_geometries(known, kind)
        return
    made = known.get(kind or "")
    if made is None:
        near = difflib.get_close_matches(str(kind), known, n=1, cutoff=0.5)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise ConfigError(f'There is no geometry "{kind or ""}".{hint} Use one of {", ".join(known)}.')
    path = out or Path(f"{kind}.msh")
    _require_mesh_file(path, overwrite)
    table = geometries.table(made, values or [])
    with _one_line_warnings():
        _write_and_describe(str(kind), table, path, surface, density)


@app.command()
def doctor() -> None:
    """Check the installation: each line is ok, or says how to mend it."""
    from .doctor import checks

    console = _console()
    for item in checks():
        mark = "[green]ok[/]  " if item.ok else ("[yellow]no[/]  " if item.optional else "[red]bad[/] ")
        console.print(f"{mark} [bold]{item.name}[/]  {_plain(item.text)}", soft_wrap=True)
    if any(not item.ok and not item.optional for item in checks()):
        raise typer.Exit(1)


@app.command()
def materials(name: Annotated[str | None, typer.Argument(help="Show the table of one material.")] = None) -> None:
    """List the materials, or the values of one with their sources."""
    _enable_x64()
    from . import materials as library

    console = _console()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name is None:
            for known in library.names():
                console.print(f"[bold]{known}[/]  {_plain(library.load(known).formula)}")
            return
        material = library.load(name)
    console.print(f"[bold]{material.name}[/]  {_plain(material.formula)}")
    _print_table(("symbol", "value", "source", "mark"), material.table)
    for reference in material.references:
        console.print(f"  {_plain(reference)}", soft_wrap=True)


@app.command()
def thermo(
    names: Annotated[list[str], typer.Argument(help="Materials; see `chemomech materials`.", metavar="MATERIAL...")],
    out: Annotated[Path | None, typer.Option(help="Folder; default results/thermo.")] = None,
    temperature: Annotated[str | None, typer.Option(help='Such as "320 K"; default the material\'s.')] = None,
    thickness: Annotated[str, typer.Option(help="Of a platelet that reacts on both faces.")] = "20 nm",
    normal: Annotated[str, typer.Option(help="Of a film, in crystal axes.")] = "0,0,1",
    strain: Annotated[float, typer.Option(help="Largest in-plane strain of the film.")] = 0.02,
) -> None:
    """Phases, coherency, interfaces, films and critical currents of materials, in numbers and a picture; no mesh."""
    _prepare_jax()
    from . import materials as library
    from .thermo import sheet as sheets

    direction, folder = _direction(normal), out or Path("results") / "thermo"
    with _one_line_warnings():
        chosen = [library.load(name) for name in names]
    for material in chosen:
        made = sheets.sheet(material, temperature, thickness, direction, strain)
        written = _write_sheet(made, folder)
        console = _console()
        console.print(f"[bold]{_plain(made.title)}[/]  {_plain(material.formula)}")
        _print_table(("section", "quantity", "value", "unit"), _sheet_rows(made))
        for text in made.missing:
            console.print(f"  {_plain(text)}", soft_wrap=True)
        console.print(f"picture: {_plain(str(written))}", soft_wrap=True)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Results folder of a run.")]) -> None:
    """Draw the pictures and the report page of a results folder again."""
    from . import optimize as optimising
    from . import sweep as sweeps
    from . import viz

    with _one_line_warnings():
        if optimising.holds_optimisation(folder):
            _enable_x64()
            written = optimising.report(folder)
        else:
            written = sweeps.report(folder) if sweeps.holds_sweep(folder) else viz.report(folder)
    _console().print(f"report: {_plain(str(written[-1]))}", soft_wrap=True)


# --- parts of a run -----------------------------------------------------------------------------------------------


def _built(config: Path) -> tuple[Any, list[str]]:
    _prepare_jax()
    from . import config as configs
    from . import inspection

    simulation = configs.load(config)
    simulation.check_protocol()
    found = inspection.warnings_of(simulation)
    for text in found:
        _warn(text)
    return simulation, found


def _results(folder: Path, simulation: Any, resume: bool) -> Any:
    from . import config as configs
    from .io.results import Results

    if resume and (folder / "config.toml").exists():
        configs.require_same(simulation, folder)
    text = configs.text_for(simulation, folder)
    return Results(folder, simulation.problem, text, simulation.title, resume=resume)


def _simulate(simulation: Any, results: Any) -> None:
    """Run under a progress bar; whatever happens, the summary says so and the results stay."""
    console = _console(stderr=True)
    try:
        with _Progress(simulation, results, console) as progress:
            simulation.run(observer=progress, cursor=results.cursor, keep=False)
        results.finish("finished")
    except KeyboardInterrupt:
        _note(results, "interrupted")
        _fail(f"Interrupted. The results are kept; go on with --resume --out {results.folder}.", None, code=130)
    except Exception as error:
        _note(results, f"stopped: {error}")
        raise


def _note(results: Any, status: str) -> None:
    try:
        results.finish(status)
    except ChemomechError:  # the disk may be full: the message of the first failure is the one to show
        return


def _finish(results: Any, heard: list[str]) -> None:
    from . import viz
    from .io.results import merged

    written = viz.report(results.folder)
    console, last = _console(), results.last
    shown = {k: last[k] for k in KEY_NUMBERS if last.get(k, float("nan")) == last.get(k)}
    steps = 0 if results.history is None else results.history.rows
    ended = ", ".join(results.endings) or "nothing to do"
    console.print(f"[green]finished[/] {steps} steps; protocol steps ended by: {_plain(ended)}", soft_wrap=True)
    console.print("  ".join(f"{_plain(k)} = {v:.5g}" for k, v in shown.items()), soft_wrap=True)
    console.print(f"linear solver: {_plain(results.solver)}", soft_wrap=True)
    if listed := merged(heard):
        console.print(f"{len(listed)} warning(s), listed in the report", soft_wrap=True)
    console.print(f"report: {_plain(str(written[-1]))}", soft_wrap=True)


class _Progress(Observer):
    """Passes everything on to the results and shows how far the run is."""

    def __init__(self, simulation: Any, results: Any, console: Any):
        from rich.progress import BarColumn, Progress, TextColumn

        self.steps, self.results = simulation.protocol.steps, results
        self.began, self.first = time.monotonic(), None
        self.start: tuple[int, float, float] | None = None  # segment, its first time and state of charge
        self.printed = -1  # last step that was printed where there is no bar
        self.before = (0.0, 0.0)  # time and state of charge at the last accepted step
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[text]}"), console=console, refresh_per_second=4,
            disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("starting", total=1.0, text="compiling")

    def __enter__(self) -> _Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def accepted(self, record: Record) -> None:
        """Write, then show."""
        self.results.accepted(record)
        done = self._done(record)
        self.first = done if self.first is None else self.first
        text = (
            f"t = {record.time:.4g} s  soc = {record.soc:.4f}  V = {record.voltage:.4f}  dt = {record.dt:.2g} s  "
            f"newton {record.newton}  {self._left(done)}"
        )
        kind = self.steps[min(record.segment, len(self.steps) - 1)].kind
        self.bar.update(self.task, completed=done, description=kind, text=text)
        self.before = (record.time, record.soc)

    def checkpoint(self, cursor: Cursor) -> None:
        """Write the restart."""
        self.results.checkpoint(cursor)

    def frame(self, record: Record, state: Any) -> None:
        """Write the frame."""
        self.results.frame(record, state)
        if not self.bar.console.is_terminal and record.step != self.printed:
            self.printed = record.step
            self.bar.console.print(
                f"step {record.step}  t = {record.time:.4g} s  soc = {record.soc:.4f}  V = {record.voltage:.4f}",
                highlight=False,
            )

    def ended(self, segment: int, reason: str) -> None:
        """Tell the results."""
        self.results.ended(segment, reason)

    def warned(self, text: str) -> None:
        """Tell the results and show it above the bar."""
        self.results.warned(text)
        self.bar.console.print(f"[yellow]warning:[/] {_plain(text)}", soft_wrap=True)

    def _done(self, record: Record) -> float:
        """Fraction of the protocol: whole steps, and of this step the largest fraction of a stop event."""
        if self.start is None or self.start[0] != record.segment:
            time_before, soc_before = self.before if self.start else (record.time, record.soc)
            self.start = (record.segment, time_before, soc_before)
        _, t0, soc0 = self.start
        stops, parts = self.steps[record.segment].stops, [0.0]
        if "time" in stops:
            parts.append((record.time - t0) / stops["time"])
        if "soc" in stops and stops["soc"] != soc0:
            parts.append((record.soc - soc0) / (stops["soc"] - soc0))
        return (record.segment + min(max(parts), 1.0)) / len(self.steps)

    def _left(self, done: float) -> str:
        gained = done - (self.first or 0.0)
        if gained <= 1e-3:
            return ""
        seconds = (time.monotonic() - self.began) * (1.0 - done) / gained
        return f"ends in {seconds / 60:.0f} min" if seconds > 100 else f"ends in {seconds:.0f} s"


# --- parts of a sweep ---------------------------------------------------------------------------------------------


def _require_sweep_folder(folder: Path, resume: bool, overwrite: bool, dry_run: bool) -> None:
    from .io.results import require_folder
    from .sweep import holds_sweep

    if not dry_run:
        require_folder(folder, "sweep.csv", resume=resume, overwrite=overwrite)
    if resume and not holds_sweep(folder):
        raise ConfigError(f"{folder} holds no sweep (it has no sweep.csv). Choose another folder with --out.")


def _name_and_value(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ConfigError(f'--slurm-option "{text}" is none. Write NAME=VALUE, such as account=battery.')
    return name.strip(), value.strip()


def _run_sweep(planned: Any, workers: Any) -> None:
    """Run under a live display; whatever happens, table and report say how far each case is."""
    from . import sweep as sweeps
    from .sweep.display import Display

    interrupted = False
    try:
        with Display(planned, _console(stderr=True), workers.slots) as display:
            sweeps.run(planned, workers, display)
    except KeyboardInterrupt:
        interrupted = True
    rows, console = sweeps.read_table(planned.folder), _console()
    written = sweeps.report(planned.folder)
    shown = [sweeps.brief(row) for row in rows]
    _print_table(
        ("case", *shown[0]), ((row["case"][:9], *map(_number, short.values())) for row, short in zip(rows, shown))
    )
    for row in rows:
        if row["message"]:
            console.print(f"[red]{row['case']}[/]: {_plain(row['message'])}", soft_wrap=True)
    console.print(f"{sweeps.counted(rows)}; table: {_plain(str(planned.folder / 'sweep.csv'))}", soft_wrap=True)
    console.print(f"report: {_plain(str(written[-1]))}", soft_wrap=True)
    if interrupted:
        again = f"chemomech sweep {planned.folder / 'config.toml'} --out {planned.folder} --resume"
        _fail(f"Interrupted. The results are kept; go on with: {again}", None, code=130)
    if any(row["status"] != "finished" for row in rows):
        raise typer.Exit(1)


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


# --- parts of an optimisation -------------------------------------------------------------------------------------


def _optimise(planned: Any, folder: Path, resume: bool) -> None:
    """Run under a live display; whatever happens, what was found stays."""
    from . import optimize as optimising
    from . import viz
    from .optimize.display import Display

    console = _console(stderr=True)
    try:
        with Display(planned, console) as display:
            summary = optimising.run(planned, folder, display, resume=resume)
    except KeyboardInterrupt:
        again = f"chemomech optimize {folder / 'config.toml'} --out {folder} --resume"
        _fail(f"Interrupted. The results are kept; go on with: {again}", None, code=130)
    for name in ("before", "after"):
        viz.report(folder / name)
    written = optimising.report(folder, planned)
    console = _console()
    unit = "" if planned.unit == "1" else f" {planned.unit}"
    change = f" ({summary['best'] / summary['initial'] - 1:+.1%})" if summary["initial"] else ""
    console.print(f"[green]finished[/] objective {summary['initial']:.5g} to {summary['best']:.5g}{unit}{change}")
    _print_table(("variable", "before", "after"), (
        (name, f"{before:.6g}", f"{after:.6g}")
        for name, before, after in zip(planned.study.names[:20], summary["initial x"], summary["x"])
    ))  # fmt: skip
    if not summary["limits met"]:
        _warn("no design met all limits")
    console.print(f"report: {_plain(str(written[-1]))}", soft_wrap=True)


# --- parts of a mesh ----------------------------------------------------------------------------------------------


def _list_geometries(known: dict[str, Any], kind: str | None) -> None:
    from .geometry import kinds as geometries

    if kind is None:
        _print_table(("kind", "what it is"), ((name, geometries.summary(made)) for name, made in known.items()))
        return
    _console().print(f"[bold]{kind}[/]  {_plain(geometries.summary(known[kind]))}", soft_wrap=True)
    _print_table(("key", "unit", "default", "what it is"), (
        (p.name, p.unit, "" if p.needed or p.default is None else p.default, p.text)
        for p in geometries.parameters(known[kind])
    ))  # fmt: skip


def _require_mesh_file(path: Path, overwrite: bool) -> None:
    if path.suffix not in (".msh", ".vtu"):
        raise ConfigError(f"--out {path} is of no known type. Name a file .msh (with all sets) or .vtu (for ParaView).")
    if not path.parent.is_dir():
        raise FileError(f"Cannot write to {path.parent}: there is no such folder. Choose another file with --out.")
    for file in (path, path.with_suffix(".png")):
        try:
            exists, folder = file.exists(), file.is_dir()
        except OSError as error:  # a name that is too long
            raise FileError(f"Cannot write {file}: {error.strerror}. Choose another file with --out.") from None
        if exists and not overwrite:
            raise FileError(f"{file} exists. Choose another file with --out, or replace it with --overwrite.")
        if folder or not os.access(file if exists else file.parent, os.W_OK):
            raise FileError(f"Cannot write {file}: no permission, or a folder. Choose another file with --out.")


def _write_and_describe(kind: str, table: dict[str, Any], path: Path, surface: str | None, density: str | None) -> None:
    import json
    import tempfile

    from . import config as configs
    from .fem.mesh import LENGTHS, Mesh
    from .geometry import descriptors, mirrored, quality_of
    from .geometry.session import keep
    from .io.vtu import write_vtu

    with tempfile.TemporaryDirectory() as folder:  # nothing is left where a check below fails
        written = Path(folder) / f"{kind}.msh"
        made = configs.meshed(kind, table, save=written)
        planes = descriptors.symmetric(made)
        whole, surface = mirrored(made, *planes), surface or descriptors.reacting(made)
        ends = not table.get("periodic") and "xmin" not in whole.facet_sets
        rows = descriptors.described(whole, surface, density, ends)
        scale = made.edge_lengths()[2] / Mesh.read(written).edge_lengths()[2]
        drawn, picture = _draw_geometry(kind, made, written.with_suffix(".png")), path.with_suffix(".png")
        if path.suffix == ".msh":
            keep(written, path)
        else:
            write_vtu(path, made, cell_data={f"set:{name}": _marks(made, name) for name in made.cell_sets})
        keep(drawn, picture)
    console = _console()
    console.print(_plain(repr(made)), soft_wrap=True)
    quality = quality_of(made)
    _print_table(("of the cells", "value"), (
        ("mean ratio, least [-]", f"{quality.least:.3g}"), ("mean ratio, mean [-]", f"{quality.mean:.3g}"),
        ("smallest angle [deg]", f"{math.degrees(quality.smallest_angle):.3g}"),
        ("largest angle [deg]", f"{math.degrees(quality.largest_angle):.4g}"),
        ("edge ratio, largest [-]", f"{quality.edge_ratio:.3g}"),
    ))  # fmt: skip
    of = "of the whole body" if planes else "of the section" if "axis" in made.facet_sets else "of the mesh"
    _print_table((f"{of}; {surface} reacts", "value"), ((name, f"{value:.5g}") for name, value in rows.items()))
    if path.suffix == ".vtu":
        use = "a picture for ParaView: it keeps no facet sets, which a config needs; for that name a file .msh"
    else:
        unit = min(LENGTHS, key=lambda name: abs(math.log(LENGTHS[name] / scale)))
        quoted = json.dumps(str(path), ensure_ascii=False)
        use = f'in a config: mesh = {{ path = {quoted}, scale = "{unit}" }}'
    console.print(_plain(f"mesh: {path}; {use}"), soft_wrap=True)
    console.print(f"picture: {_plain(str(picture))}", soft_wrap=True)


def _marks(made: Any, name: str) -> Any:
    import numpy as np

    return np.isin(np.arange(len(made.cells)), made.cell_sets[name]).astype(int)


def _draw_geometry(kind: str, made: Any, path: Path) -> Path:
    from .fem.mesh import facet_nodes
    from .viz.meshes import draw_mesh
    from .viz.style import save

    facets = {name: facet_nodes(made, members) for name, members in made.facet_sets.items()}
    return save(lambda: draw_mesh(kind, made.points, {made.cell_type: made.cells}, facets), path)


# --- parts of a sheet ---------------------------------------------------------------------------------------------


def _direction(text: str) -> tuple[float, ...]:
    try:
        n = tuple(float(part) for part in text.split(","))
    except ValueError:
        n = ()
    if len(n) != 3 or not any(n) or not all(map(math.isfinite, n)):
        raise ConfigError(f'--normal "{text}" is no direction. Write three numbers, such as 0,0,1.')
    return n


def _sheet_rows(made: Any) -> Iterator[tuple[str, ...]]:
    section = ""
    for line in made.lines:
        unit = "" if line.unit == "1" else line.unit
        yield (line.section if line.section != section else "", line.name, f"{line.value:.5g}", unit)
        section = line.section


def _write_sheet(made: Any, folder: Path) -> Path:
    """NAME.csv and NAME.png in the folder; the path of the picture."""
    import csv

    from .viz import thermo as pictures
    from .viz.style import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{made.title}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("section", "quantity", "value", "unit"))
            table.writerows((line.section, line.name, repr(line.value), line.unit) for line in made.lines)
        return save(lambda: pictures.draw_sheet(made.title, made.curves), folder / f"{made.title}.png")
    except OSError as error:
        raise FileError(
            f"Cannot write to {folder}: {error.strerror or error}. Choose another folder with --out."
        ) from None


# --- printing -----------------------------------------------------------------------------------------------------


def _prepare_jax() -> None:
    """Float64, and programs that compile soon and are kept between runs."""
    from .compilation_cache import enable_cache
    from .compiler import compile_sooner

    compile_sooner()
    _enable_x64()
    enable_cache()


def _enable_x64() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)


def _console(stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _warn(text: str) -> None:
    _console(stderr=True).print(f"[yellow]warning:[/] {_plain(' '.join(text.split()))}", soft_wrap=True)


def _fail(message: str, error: BaseException | None, code: int = 1) -> None:
    """One message on stderr and a non-zero exit; the traceback only on request."""
    console = _console(stderr=True)
    if debugging and error is not None:
        import traceback

        console.print(_plain("".join(traceback.format_exception(error))), soft_wrap=True)
    console.print(f"[bold red]error:[/] {_plain(message)}", soft_wrap=True)
    raise typer.Exit(code) from None


@contextmanager
def _one_line_warnings() -> Iterator[list[str]]:
    """Show each warning as one line; the list holds them all."""
    heard: list[str] = []

    def show(message: Any, category: Any, *_: Any, **__: Any) -> None:
        heard.append(" ".join(str(message).split()))
        _warn(heard[-1])

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield heard


def _print_blocks(simulation: Any) -> None:
    from . import inspection

    console = _console()
    blocks, values = inspection.blocks_of(simulation), inspection.values_of(simulation)
    console.print(f"[bold]{_plain(simulation.title)}[/]")
    for title, rows in blocks.items():
        console.print(f"\n[bold]{title}[/]")
        for name, text in rows:
            console.print(f"  {name:<16} {_plain(text)}", soft_wrap=True)
    console.print("\n[bold]values[/]")
    _print_table(("where", "value", "unit", "source"), values)


def _print_table(header: tuple[str, ...], rows: Any) -> None:
    from rich.table import Table

    table = Table(*header, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_plain(str(entry)) for entry in row))
    _wide().print(table)


def _wide() -> Any:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
