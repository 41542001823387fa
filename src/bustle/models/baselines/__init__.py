"""One file per network that the papers compare themselves with."""
