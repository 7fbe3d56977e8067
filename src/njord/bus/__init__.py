"""How messages travel: their bytes, and the bus that carries them inside one process."""
