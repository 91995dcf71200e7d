"""What the tests of drawn geometries share: sizes, and how many sets of parameters are tried."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from chemomech.errors import MeshError

fifty = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
sizes = some.sampled_from([40e-9, 5e-6, 2e-3])  # [m]
seeds = some.integers(0, 2**31)


def share(low, high):
    """A number between two bounds."""
    return some.floats(low, high, allow_nan=False)


def attempted(make):
    """The mesh, or None and why it is refused."""
    try:
        return make(), ""
    except MeshError as error:
        return None, str(error)
