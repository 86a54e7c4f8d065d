"""Image sets and where they come from."""
