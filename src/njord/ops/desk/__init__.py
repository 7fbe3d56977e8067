"""What people and programs can ask of the platform, in words of the domain: no HTTP, no JSON, no user names.

Everything is for one account or for the market, and everything that touches them runs in the market's own thread.
"""
