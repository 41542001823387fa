"""A station in a hospital's network: receives studies, has them read as jobs, and sends the answers back."""
