"""From trained networks to a checked model package."""
