"""Metrics, intervals and tests on numbers and masks; no files of a run, no pages."""
