"""How we do it: what has become of each of our orders."""
