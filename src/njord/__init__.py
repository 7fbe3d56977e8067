"""Njord."""
