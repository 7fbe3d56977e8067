"""What we would like to do. Strategies read the market and their own orders through a desk, and return intents."""
