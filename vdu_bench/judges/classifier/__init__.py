"""Judges that name what an image shows."""
