"""Sphinx builds the documentation from the Markdown pages beside this file: `make docs`."""

project = "bustle"
author = "The bustle developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "bustle"
myst_heading_anchors = 3
default_role = "code"  # as in the docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
