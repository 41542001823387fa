"""Folds: which cases train, choose the epoch, and test."""
