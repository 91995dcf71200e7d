"""Stores of states: what they hold, what they cost, and that nothing of them is left."""

import functools
import gc
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chemomech as cm
from chemomech import adjoint
from chemomech.checkpoints import Checkpoints, Stored
from chemomech.fem.mesh import rectangle
from chemomech.recomputation import CURRENT, LEAST, WALKING, Recomputed, reach, stretch, sweeps_for


class Counter:
    """A run of two-step formulas: state n is the number n; it counts the steps taken again."""

    def __init__(self, steps, room):
        self.taken, self.most = 0, 0
        self.states = Recomputed(np.zeros(1), room, self.retake)
        for n in range(steps):
            self.states.append(np.array([n + 1.0]))
            self.look()

    def retake(self, k, states):
        self.taken += 1
        assert [x[0] for x in states[:2]] == [k, k - 1][: k + 1]
        assert all(x[0] == k - j for j, x in enumerate(states))
        return states[0] + 1.0

    def look(self):
        self.most = max(self.most, len(self.states._held | self.states._walk))

    def back(self):
        for k in reversed(range(len(self.states) - 1)):
            for j in (k + 1, k, max(k - 1, 0)):
                assert self.states[j] == j
                self.look()
            self.states.release(k)


@pytest.mark.parametrize("room", [LEAST, 9, 16, 34, 100])
@pytest.mark.parametrize("steps", [1, 7, 50, 223, 1000])
def test_states_computed_again_within_the_room_and_the_sweeps(room, steps):
    """Never more than there is room for, and each state as often as the formula says."""
    run = Counter(steps, room)
    free = room - WALKING - CURRENT - 1
    run.back()
    assert run.most <= room
    sweeps = next(r for r in range(steps + 1) if reach(free, r + 1) + CURRENT + 1 >= steps)
    assert run.taken <= sweeps * steps


def test_two_hundred_steps_once_more_with_34_states():
    """The numbers of the docstring."""
    for room, sweeps in ((34, 1.0), (21, 2.0)):
        run = Counter(200, room)
        run.back()
        assert run.taken <= sweeps * 200


def test_a_second_pass_and_one_forward():
    """What the first pass has let go is computed again; forwards each step once."""
    run = Counter(60, 16)
    run.back()
    run.back()
    run.taken = 0
    assert [float(x[0]) for x in run.states] == list(range(61))
    assert run.taken <= 60


@functools.cache
def fewest(count, room):
    """Steps of the best placement of pairs, by trying all."""
    if count <= room:
        return count
    if room < 2:
        return 10**9
    return min(m + fewest(count - m, room - 2) + fewest(max(m - 2, 0), room) for m in range(2, count + 1))


@functools.cache
def needed(count, room):
    """Steps of ours."""
    if count <= room:
        return count
    m = stretch(count, room)
    return m + needed(count - m, room - 2) + needed(max(m - 2, 0), room)


@pytest.mark.parametrize("room", [2, 3, 4, 7, 12])
def test_no_placement_of_pairs_takes_fewer_steps(room):
    for count in range(1, 60):
        assert needed(count, room) == fewest(count, room)
        assert reach(room, sweeps_for(count, room)) >= count


def test_states_in_memory_and_in_a_file(tmp_path):
    """The same, in any order, as a view of neither; the file has no name."""
    rows = np.random.default_rng(0).normal(size=(9, 5))
    store = Stored(rows[0], 3, os.fspath(tmp_path))
    for row in rows[1:]:
        store.append(row)
    for k in (8, 3, 2, 0, -1, 5):
        np.testing.assert_array_equal(store[k], rows[k])
    np.testing.assert_array_equal(np.stack(list(store)), rows)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_and_too_little_memory_say_what_to_do(tmp_path):
    store = Stored(np.zeros(3), 1, os.fspath(tmp_path / "none"))
    with pytest.raises(cm.FileError, match=r"State 1 of the run.*disk=False"):
        store.append(np.zeros(3))
    with pytest.raises(cm.ConfigError, match=r"room for 4 states of 0\.008 MB.*takes 8.*disk=True"):
        Checkpoints("32 kB", disk=False).states(np.zeros(1000), Counter(0, LEAST).retake)


@pytest.fixture(scope="module")
def body():
    """A closed square, as a function of its first composition and of where its states are kept."""
    energies = [cm.RegularSolution(chi=3.0), cm.GradientEnergy(1.6e-3)]
    problem = cm.Problem.build(
        rectangle(1.0, 1.0, 4, 4), host=cm.Host.dimensionless(), scales=cm.Scales.unit(),
        potentials=[cm.Stored(energies), cm.Storage(), cm.Diffusion(1.0)],
    )  # fmt: skip
    state = problem.state(c=lambda x: 0.5 + 0.05 * np.cos(3 * x[:, 0]))

    def energy(c, checkpoints=None):
        run = cm.simulate(
            problem, state.replace(c=c), cm.Closed(until={"time": 0.01}), frames=0, checkpoints=checkpoints
        )
        return run.free_energy[-1]

    return energy, jnp.asarray(state.c)


def open_files(folder):
    """Those of this process in a folder, with a name or without."""
    found = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [path for path in found if path.startswith(os.fspath(folder))]


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")


@pytest.mark.slow
@needs_proc
def test_the_file_is_gone_after_the_gradient(body, tmp_path):
    energy, c = body
    _, pull = jax.vjp(lambda c: energy(c, Checkpoints(0.0, tmp_path)), c)
    assert len(open_files(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []
    pull(1.0)
    del pull
    gc.collect()
    assert open_files(tmp_path) == []


@pytest.mark.slow
@needs_proc
def test_the_file_is_gone_when_the_reverse_pass_fails_or_never_comes(body, tmp_path, monkeypatch):
    energy, c = body
    jax.vjp(lambda c: energy(c, Checkpoints(0.0, tmp_path)), c)
    gc.collect()
    assert open_files(tmp_path) == []
    with monkeypatch.context() as m:
        m.setattr(adjoint._Reverse, "_step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            jax.grad(lambda c: energy(c, Checkpoints(0.0, tmp_path)))(c)
    gc.collect()
    assert open_files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("disk", [True, False])
def test_every_derivative_with_few_states(body, disk):
    """Gradient, forward mode, a Hessian times a vector, and two gradients of one run."""
    energy, c = body
    few = Checkpoints(LEAST * 8 * 50.0, disk)  # 25 nodes, c and mu
    direction = jnp.cos(7.0 * c)

    def derivatives(checkpoints):
        of = lambda c: energy(c, checkpoints)  # noqa: E731
        forward, curved = (jax.jvp(f, (c,), (direction,))[1] for f in (of, jax.grad(of)))
        return jax.grad(of)(c), forward, curved, jax.jacrev(lambda c: jnp.stack([of(c), of(c) ** 2]))(c)

    for found, right in zip(derivatives(few), derivatives(None), strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-9 * np.max(np.abs(right)))
