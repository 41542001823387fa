"""One file per loss that a recipe can name, and how losses are weighed."""
