"""One file per data set or layout that can be read."""
