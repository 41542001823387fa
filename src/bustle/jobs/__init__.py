"""Work that outlives its process: what a killed worker held is taken up again, and the database row is the truth."""
