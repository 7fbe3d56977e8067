"""HTTP and WebSocket for people and programs: who is asking, may they, and what the platform answers."""
