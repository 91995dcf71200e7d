"""Differentiable finite elements for the chemo-mechanics of battery electrodes."""
