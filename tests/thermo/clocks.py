"""How long a compiled batch takes."""

import time

import jax


def seconds(run, batches):
    """Processor time of the fastest call, after one that compiles; other work on the machine does not count."""
    jax.block_until_ready(run(batches[0]))
    taken = []
    for batch in batches[1:]:
        began = time.process_time()
        jax.block_until_ready(run(batch))
        taken.append(time.process_time() - began)
    return min(taken)
