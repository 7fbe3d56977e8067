"""One folder per venue. They do not know each other."""
