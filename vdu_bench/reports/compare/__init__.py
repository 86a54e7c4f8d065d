"""Two sets of records side by side."""
