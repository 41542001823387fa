"""One file per published system; none knows another."""
