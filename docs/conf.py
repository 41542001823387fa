"""Sphinx builds the documentation from the Markdown pages beside this file: `make docs`."""

project = "bustle"
author = "The bustle developers"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "bustle"
myst_heading_anchors = 3
