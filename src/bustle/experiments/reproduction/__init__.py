"""`bustle reproduce`: the tables and figures of the five papers, run again by their own protocols and strictly."""
