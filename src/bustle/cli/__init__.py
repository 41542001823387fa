"""One file per verb of the `bustle` command, and the terminal's tables."""
