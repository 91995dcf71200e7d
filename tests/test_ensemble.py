"""Members side by side take the steps that each takes alone."""

import re

import equinox as eqx
import numpy as np
import pytest

import chemomech as cm
from chemomech.compiled_step import Ask, CompiledStep, _compiled_step
from chemomech.errors import ConfigError
from chemomech.fem.mesh import rectangle

SIDE = 40e-9
LFP = cm.materials.load("LiFePO4")
NEWTON = cm.Newton(linear=cm.Krylov())


def particle(n=6):
    """A platelet under current: reaction on its faces, a voltage, elasticity."""
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", thickness="20 nm")
    energy = cm.Oriented(LFP.energy, axes={"a": "x", "c": "y"})
    return cm.Problem.build(
        rectangle(SIDE, SIDE, n, n), host=LFP.host, kinematics=cm.GeneralisedPlaneStrain(thickness="20 nm"),
        potentials=[cm.Stored(energy), cm.Storage(), reaction],
    )  # fmt: skip


def bump(problem, c):
    """A composition with a smooth bump."""
    x, y = problem.mesh.points.T / SIDE
    return problem.state(c=c + 0.02 * np.cos(np.pi * x) * np.cos(2 * np.pi * y))


@pytest.mark.slow
def test_members_take_the_steps_that_each_takes_alone():
    """Different exchange currents, stiffnesses, C-rates, starts and ends; the same number of steps, c to 1e-8."""
    problem = particle()
    faster = eqx.tree_at(lambda p: p.potentials[-1].exchange.k0, problem, 0.5)
    stiffer = eqx.tree_at(lambda p: p.potentials[0].psi.psi.parts[2].C, problem, replace_fn=lambda C: 1.3 * C)
    members = [
        cm.Member(problem, bump(problem, 0.05), cm.Discharge(c_rate=1.0, until={"soc": 0.09})),
        cm.Member(faster, bump(problem, 0.9), cm.Charge(c_rate=3.0, until={"soc": 0.86})),
        cm.Member(stiffer, bump(problem, 0.1), cm.Protocol([cm.Rest({"time": "5 s"}), cm.Hold("3.3 V", {"time": 2})])),
    ]
    rounds = []
    together = cm.simulate_ensemble(members, newton=NEWTON, progress=rounds.append)
    alone = [cm.simulate(*member, newton=NEWTON) for member in members]
    for one, other in zip(together, alone, strict=True):
        assert len(one.time) == len(other.time)
        assert one.endings == other.endings
        np.testing.assert_array_equal(one.newton, other.newton)
        np.testing.assert_allclose(one.time, other.time, rtol=1e-6)
        np.testing.assert_allclose(one.voltage, other.voltage, atol=1e-7)
        np.testing.assert_allclose(one.final.c, other.final.c, atol=1e-8)
    assert rounds[0].asked == 3
    assert rounds[-1].running < 3
    assert len(rounds) < sum(len(one.time) for one in together) + 20


def plain(n=4):
    """Without elasticity."""
    reaction = cm.ButlerVolmer(cm.BazantExchange(0.16), V0="3.422 V", thickness="20 nm")
    energy = LFP.energy.terms()[0] + LFP.energy.terms()[1]
    return cm.Problem.build(
        rectangle(SIDE, SIDE, n, n), host=LFP.host, potentials=[cm.Stored(energy), cm.Storage(), reaction]
    )


@pytest.mark.slow
def test_aggregates_follow_directions_that_all_members_share():
    """One along x and one along y have none of their own: those of one would make the other diverge."""
    energy = cm.RegularSolution(chi=2.5) + cm.GradientEnergy(LFP.kappa)

    def along(*diffusivity):
        return cm.Problem.build(
            rectangle(SIDE, SIDE, 6, 6), host=LFP.host,
            potentials=[cm.Stored(energy), cm.Storage(), cm.Diffusion([1e-14 * v for v in (*diffusivity, 0.0)])],
        )  # fmt: skip

    def own(*problems):
        evolutions = [cm.Evolution(problem, NEWTON) for problem in problems]
        starts = [e.start(bump(e.problem, 0.5)) for e in evolutions]
        return CompiledStep(evolutions, NEWTON, np.stack(starts)).frame.made.directed is not None

    assert own(along(1.0, 0.01), along(2.0, 0.02))
    assert not own(along(1.0, 0.01), along(0.01, 1.0))
    assert not own(along(1.0, 0.01), along(1.0, 1.0))
    problems = along(1.0, 0.01), along(0.01, 1.0)
    members = [cm.Member(p, bump(p, 0.5), cm.Closed(until={"time": 0.01})) for p in problems]
    for one, member in zip(cm.simulate_ensemble(members, newton=NEWTON), members, strict=True):
        np.testing.assert_allclose(one.final.c, cm.simulate(*member, newton=NEWTON).final.c, atol=1e-8)


@pytest.mark.slow
def test_a_member_that_fails_leaves_the_others_alone():
    """What goes on takes the steps that it takes alone."""
    problem = plain()
    slow = cm.Discharge(c_rate=1.0, until={"time": "20 s"})
    control = cm.ErrorControl(dt_min=1.0)
    impossible = cm.Discharge(c_rate=1e7, until={"time": "20 s"})
    found = cm.simulate_ensemble(
        [cm.Member(problem, bump(problem, 0.1), step) for step in (slow, impossible)], newton=NEWTON, control=control
    )
    alone = cm.simulate(problem, bump(problem, 0.1), slow, newton=NEWTON, control=control)
    assert found[0].endings == ["time"]
    np.testing.assert_array_equal(found[0].newton, alone.newton)
    np.testing.assert_allclose(found[0].time, alone.time, rtol=1e-9)
    np.testing.assert_allclose(found[0].final.c, alone.final.c, atol=1e-9)
    assert found[1].endings[-1].startswith("failed: ")


@pytest.mark.slow
def test_lapack_sees_one_matrix_at_a_time():
    """Two batches of LAPACK calls at once wait for each other for ever on a machine with two cores."""
    problem = plain()
    evolutions = [cm.Evolution(problem, NEWTON)] * 2
    x = np.stack([e.start(bump(problem, 0.1)) for e in evolutions])
    solve, drive = CompiledStep(evolutions, NEWTON, x), problem.drive()
    both, one = np.ones(2, bool), np.ones(2)
    scalars = (np.stack([np.asarray(v)] * 2) for v in (drive.prescribed, drive.value))
    ask = Ask(both, both, x, x, x, one, one, *scalars)
    step = _compiled_step(solve.structure, solve.layout, solve.rules)
    text = step.lower(solve.shared, solve.own, solve.frame, ask, solve.memory).as_text()
    calls = re.findall(r'@lapack_\w+\(.*?num_batch_dims = "(\d)"', text)
    assert len(calls) == text.count("custom_call @lapack_") > 4
    assert set(calls) == {"0"}


def test_members_that_differ_have_a_message():
    problem = particle(3)
    state, step = bump(problem, 0.1), cm.Rest({"time": "1 s"})
    other = particle(4)
    with pytest.raises(ConfigError, match="Member 2 .* mesh"):
        cm.simulate_ensemble([cm.Member(problem, state, step), cm.Member(other, bump(other, 0.1), step)])
    bare = eqx.tree_at(lambda p: p.potentials, problem, problem.potentials[:-1])
    with pytest.raises(ConfigError, match="potentials"):
        cm.simulate_ensemble([cm.Member(problem, state, step), cm.Member(bare, state, step)])
    with pytest.raises(ConfigError, match="Krylov"):
        cm.simulate_ensemble([cm.Member(problem, state, step)], newton=cm.Newton())
    with pytest.raises(ConfigError, match="no members"):
        cm.simulate_ensemble([])
