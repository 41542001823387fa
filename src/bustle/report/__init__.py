"""Pages made of results: HTML, plots and words."""
