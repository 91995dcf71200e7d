"""Tables of scalars over the steps."""

from pathlib import Path

import numpy as np
import pytest

from chemomech.errors import FileError
from chemomech.io.history import History, read_history

COLUMNS = ("time [s]", "voltage [V]")


def fill(path, steps):
    history = History(path, COLUMNS)
    for step in steps:
        history.append(step, {"time [s]": 0.1 * step, "voltage [V]": 1 / 3})
    return history


def test_rows_are_on_disk_at_once_and_exact(tmp_path):
    path = tmp_path / "history.csv"
    fill(path, range(3))
    table = read_history(path)
    assert list(table) == ["step", *COLUMNS]
    assert table["step"].tolist() == [0, 1, 2]
    assert table["step"].dtype == int
    assert table["voltage [V]"].tolist() == [1 / 3] * 3


def test_arrays_of_one_value_and_nan_are_rows_too(tmp_path):
    history = History(tmp_path / "history.csv", COLUMNS)
    history.append(np.int32(4), {"time [s]": np.float32(1.0), "voltage [V]": np.nan})
    assert np.isnan(read_history(history.path)["voltage [V]"]).all()


def test_resume_truncates_and_goes_on(tmp_path):
    path = tmp_path / "history.csv"
    fill(path, range(6))
    history = History(path, COLUMNS)
    history.truncate(2)
    history.append(3, {"time [s]": 7.0, "voltage [V]": 8.0})
    assert read_history(path)["step"].tolist() == [0, 1, 2, 3]
    assert history.rows == 4
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


def test_a_row_cut_short_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "history.csv"
    fill(path, range(2))
    with open(path, "a") as file:
        file.write("2,0.2")
    assert read_history(path)["step"].tolist() == [0, 1]
    History(path, COLUMNS).append(2, {"time [s]": 0.2, "voltage [V]": 1.0})
    assert read_history(path)["step"].tolist() == [0, 1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full to play a full disk")
def test_a_full_disk_says_what_is_kept(tmp_path):
    history = fill(tmp_path / "history.csv", range(2))
    history.path = Path("/dev/full")
    message = (
        "cannot write /dev/full: No space left on device; 2 rows written before are kept; free space or pass --out"
    )
    with pytest.raises(FileError, match=message):
        history.append(2, {"time [s]": 0.2, "voltage [V]": 1.0})


def test_wrong_columns_and_files_are_refused(tmp_path):
    path = tmp_path / "history.csv"
    history = fill(path, range(2))
    with pytest.raises(FileError, match=r"missing or unknown current \[A\], voltage \[V\]"):
        history.append(2, {"time [s]": 0.2, "current [A]": 1.0})
    with pytest.raises(FileError, match="has columns step, time .* instead of step, charge.*new folder"):
        History(path, ["charge [C]"])
    with pytest.raises(FileError, match="Cannot read the history"):
        read_history(tmp_path / "nothing.csv")
    path.write_text("time,x\n1,2\n")
    with pytest.raises(FileError, match="first column is not 'step'"):
        read_history(path)
    path.write_text("step,x\n1,2\n2,a\n3,4\n")
    with pytest.raises(FileError, match="Line 3 .* is damaged"):
        read_history(path)
