"""The only place where rooms meet: one event in, what to do about it out; and the worlds that feed it."""
