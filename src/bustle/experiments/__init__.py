"""Whole pieces of work: train a run, predict, evaluate, compare."""
