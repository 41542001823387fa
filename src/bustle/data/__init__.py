"""From data sets on disk to cases, folds and network inputs."""
