"""Maps that show where an answer comes from, and how sure an outline is."""
