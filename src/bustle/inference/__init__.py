"""From an image or volume to a prediction and its files, and model packages."""
