"""The simulated market as a place: many accounts on one exchange, each a session of its own."""
