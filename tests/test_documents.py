"""Every Python block of the README and every notebook runs; the README's set-up commands are where CI looks."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    """Fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.mark.slow
def test_readme_python_blocks_run_in_order():
    """They share a namespace, as a reader would type them."""
    namespace: dict = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["solution"].soc[-1] == pytest.approx(0.1, abs=1e-6)


def test_readme_starts_with_the_two_commands():
    """One line each: the main job, then the tests."""
    first, second = blocks("sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "chemomech run configs/lfp_platelet.toml" in first
    assert "pytest" in second


def test_readme_names_every_config():
    """The table of configs is complete."""
    text = README
    for short in ("_5pct", "_20pct"):
        text = text.replace(f"`{short}`", f"`configs/spinodal{short}.toml`")
    names = [p.relative_to(ROOT).as_posix() for p in (ROOT / "configs").rglob("*.toml")]
    assert not [name for name in names if name not in text]


def test_readme_sweeps_can_run():
    """Each command is understood, and its paths are those of its config."""
    from typer.main import get_command

    from chemomech import cli, config, sweep

    lines = re.findall(r"^    chemomech (sweep .*)$", README, flags=re.M)
    assert len(lines) == 2
    for line in lines:
        command = get_command(cli.app).commands["sweep"]
        given = command.make_context("sweep", shlex.split(line)[1:]).params
        tree = config.read(ROOT / given["config"])
        for axis in map(sweep.parse_axis, given["values"]):
            assert sweep.placed(tree, axis.path, axis.values[-1]) != tree
            assert len(axis.values) > 1


def test_readme_meshes_can_be_made():
    """Each command names a geometry and keys of it, none missing; the table names every geometry."""
    from chemomech.geometry import kinds

    lines = re.findall(r"^    chemomech mesh (.*)$", README, flags=re.M)
    assert len(lines) == 2
    for line in lines:
        kind, *given = shlex.split(line)
        made = kinds.kinds()[kind]
        values = kinds.table(made, [text for text in given if "=" in text])
        known = kinds.parameters(made)
        assert {p.name for p in known if p.needed} <= set(values) <= {p.name for p in known}
    assert not [kind for kind in kinds.kinds() if f"`{kind}`" not in README]


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem)
def test_notebook_runs_and_is_paired(path, tmp_path):
    """The script executes as a notebook; the committed .ipynb holds the same cells and its outputs."""
    import jupytext
    import nbclient

    notebook = jupytext.read(path)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute(cwd=str(tmp_path))
    committed = jupytext.read(path.with_suffix(".ipynb"))
    assert [c.source for c in committed.cells] == [c.source for c in notebook.cells]
    assert any(c.get("outputs") for c in committed.cells)
