"""Which cases belong together: copies, frames of one scene, patients; marks burned into frames."""
