"""Leaderboards and tidy rows."""
