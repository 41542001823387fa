"""The page in the browser and the API under it: scans are dropped, answers read, corrected, signed and exported."""
