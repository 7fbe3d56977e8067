"""What we may do: pre-trade checks against a profile, and how large a position may be."""
