"""What the market looks like and what things are worth: stored data, importers, bars, books, microstructure."""
