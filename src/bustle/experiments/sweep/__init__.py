"""Many trainings of one recipe with other values of some of its keys, compared on inner validation alone."""
