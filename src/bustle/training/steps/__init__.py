"""One file per training strategy: what an update is made of."""
