"""Imports go one way: a module may import its own layer and the layers below it, nothing above."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "chemomech"
BELOW = {
    "errors": set(),
    "units": {"errors"},
    "courses": {"errors", "units"},
    "tensors": {"errors"},
    "density": {"errors", "units", "tensors"},
    "fem": {"errors", "units", "courses"},
    "solve": {"errors"},
    "geometry": {"errors", "units", "fem"},
    "physics": {"errors", "units", "courses", "tensors", "density"},
    "thermo": {"errors", "units", "tensors", "density", "physics", "materials"},
    "materials": {"errors", "units", "tensors", "density", "physics"},
}
BELOW["problem"] = set(BELOW) - {"geometry"}
BELOW["kernels"] = BELOW["problem"] | {"problem"}
BELOW["coefficients"] = BELOW["problem"] | {"problem"}
BELOW["measures"] = BELOW["problem"] | {"problem"}
BELOW["evolution"] = BELOW["coefficients"] | {"coefficients", "kernels", "measures"}
BELOW["modes"] = BELOW["ladder"] = BELOW["evolution"] | {"evolution"}
BELOW["protocol"] = {"errors", "units"}
BELOW["analysis"] = BELOW["evolution"] | {"evolution"}
BELOW["derivatives"] = {"errors"}
BELOW["taylor"] = {"errors", "derivatives"}
BELOW["recomputation"] = set()
BELOW["checkpoints"] = {"errors", "units", "recomputation"}
BELOW["adjoint"] = BELOW["evolution"] | {"evolution", "checkpoints"}
BELOW["retaken"] = BELOW["adjoint"] | {"adjoint", "ladder"}
BELOW["tangent_linear"] = BELOW["adjoint"] | {"adjoint"}
BELOW["differentiation"] = BELOW["tangent_linear"] | {"tangent_linear"}
BELOW["equilibrium"] = BELOW["differentiation"] | {"differentiation", "ladder", "checkpoints"}
BELOW["run"] = (
    BELOW["analysis"] | BELOW["retaken"] | {"analysis", "differentiation", "protocol", "retaken", "tangent_linear"}
)
BELOW["replay"] = BELOW["run"] | {"run"}
BELOW["simulate"] = BELOW["replay"] | {"replay"}
BELOW["design"] = BELOW["simulate"] | {"geometry", "simulate", "taylor", "equilibrium"}
BELOW["compiled_step"] = BELOW["evolution"] | {"evolution"}
BELOW["ensemble"] = BELOW["simulate"] | {"simulate", "compiled_step"}
BELOW["fields"] = {"errors", "units", "density", "fem"}
BELOW["images"] = BELOW["simulate"] | {"simulate", "equilibrium", "geometry", "fields"}
BELOW["io"] = BELOW["simulate"] | {"simulate", "viz"}
BELOW["viz"] = {"errors", "fem"}
BELOW["config"] = set(BELOW) | {"inspection"}
BELOW["inspection"] = BELOW["simulate"] | {"simulate", "materials", "fields"}
BELOW["compilation_cache"] = BELOW["compiler"] = set()
BELOW["doctor"] = {"errors", "solve", "viz", "geometry", "compilation_cache"}
BELOW["sweep"] = set(BELOW) - {"doctor", "compilation_cache", "compiler"}
BELOW["optimize"] = BELOW["sweep"] | {"config", "sweep"}
BELOW["cli"] = set(BELOW) | {"config", "inspection", "doctor", "compilation_cache", "compiler"}
BELOW["__main__"] = {"cli"}
HEAVY = {
    "gmsh", "pygmsh", "pyvista", "meshio", "typer", "rich", "pypardiso", "matplotlib", "pyamg", "vtk", "gemmi", "PIL",
    "pyvoro2",
}  # fmt: skip


def modules():
    """Every module but the package's own list of public names."""
    return [p for p in sorted(ROOT.rglob("*.py")) if p != ROOT / "__init__.py"]


def layer(path: Path) -> str:
    """The first name below the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path):
    """(layer or outside package, is it at the top of the module) of each import."""
    tree = ast.parse(path.read_text())
    depth = len(path.relative_to(ROOT).parts)
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from ((".".join(n[:2]) if n[0] == "chemomech" else n[0], id(node) in top) for n in names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                parts = node.module.split(".")
                inside = parts[0] == "chemomech"
                deeper = [parts[1]] if len(parts) > 1 else [a.name for a in node.names]
                names = deeper if inside else parts[:1]
                yield from ((f"chemomech.{n}" if inside else n, id(node) in top) for n in names)
            elif node.level == depth:
                names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
                yield from ((f"chemomech.{n}", id(node) in top) for n in names)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path):
    """No module imports a layer above its own."""
    own = layer(path)
    assert own in BELOW, f"{own} is in no layer: add it to BELOW"
    for name, _ in imported(path):
        if name.startswith("chemomech."):
            other = name.removeprefix("chemomech.")
            assert other in BELOW[own] | {own, "__version__"}, f"{path.name} imports {other}, which is above {own}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_needed(path):
    """The solver imports no mesh generator, renderer or command-line package when it is imported."""
    if layer(path) in ("cli",):
        return
    heavy = [name for name, at_top in imported(path) if at_top and name in HEAVY]
    assert not heavy, f"{path.name} imports {heavy} at import time"
