"""Augmentation: drawn once per case, carried out as one resampling."""
