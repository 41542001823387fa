"""Types, settings, recipes, files and errors that every other room shares."""
