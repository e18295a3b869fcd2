"""Health, and what happens when it falls."""
