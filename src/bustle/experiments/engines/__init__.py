"""Who does many independent tasks: this process, or the processes of a Ray cluster."""
