"""What stands on every page with answers."""

DISCLAIMER = "Research software, not a medical device. An answer is never a diagnosis."
