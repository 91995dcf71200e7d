"""Measurements behind the README's claims: one script a claim, one record (JSON) a machine in `results/`."""
