"""Outlines, overlays, cuts and surfaces: pixels and curves, no pages."""
