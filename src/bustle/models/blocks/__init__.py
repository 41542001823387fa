"""Parts that several networks share, in two and three dimensions."""
