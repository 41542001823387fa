"""One fold's training: batches, steps, stages, the epoch loop and its checkpoint."""
