"""The table of what methods do with how much data."""
