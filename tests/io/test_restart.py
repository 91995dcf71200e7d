"""Restart files."""

import jax.numpy as jnp
import numpy as np
import pytest

from chemomech.errors import FileError
from chemomech.io.restart import load_restart, save_restart

TREE = {
    "step": 12,
    "time": 0.1 + 0.2,
    "done": False,
    "name": "LFP µ",
    "state": {
        "c": np.linspace(0, 1, 7),
        "cells": np.arange(6, dtype=np.int32).reshape(2, 3),
        "deep": {"none": np.zeros(0)},
    },
    "empty": {},
}


def test_tree_comes_back_exactly(tmp_path):
    path = tmp_path / "restart.h5"
    save_restart(path, TREE)
    tree = load_restart(path)
    assert set(tree) == set(TREE)
    assert [tree[k] for k in ("step", "time", "done", "name")] == [12, 0.1 + 0.2, False, "LFP µ"]
    assert [type(tree[k]) for k in ("step", "time", "done", "name")] == [int, float, bool, str]
    np.testing.assert_array_equal(tree["state"]["c"], TREE["state"]["c"])
    assert tree["state"]["cells"].dtype == np.int32
    assert tree["state"]["deep"]["none"].shape == (0,)
    assert tree["empty"] == {}
    assert [p.name for p in tmp_path.iterdir()] == ["restart.h5"]


def test_jax_and_numpy_scalars_are_arrays(tmp_path):
    save_restart(tmp_path / "restart.h5", {"a": jnp.arange(3.0), "b": np.float32(2.0)})
    tree = load_restart(tmp_path / "restart.h5")
    assert tree["a"].tolist() == [0.0, 1.0, 2.0]
    assert tree["b"] == 2.0


def test_a_failed_save_keeps_the_file_before(tmp_path):
    path = tmp_path / "restart.h5"
    save_restart(path, TREE)
    with pytest.raises(FileError, match="entry 'bad' is a object.*Try: numerical arrays"):
        save_restart(path, {"good": 1.0, "bad": object()})
    with pytest.raises(FileError, match="entry name 'a/b'"):
        save_restart(path, {"a/b": 1.0})
    assert load_restart(path)["step"] == 12
    assert [p.name for p in tmp_path.iterdir()] == ["restart.h5"]
    with pytest.raises(FileError, match="Cannot write .*Try: free space"):
        save_restart(tmp_path / "nowhere" / "restart.h5", TREE)


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"hello" * 100])
def test_damaged_files_are_refused(tmp_path, spoil):
    path = tmp_path / "restart.h5"
    save_restart(path, TREE)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FileError, match="Cannot read restart file .*Try: an earlier restart"):
        load_restart(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        load_restart(tmp_path / "restart.h5")
