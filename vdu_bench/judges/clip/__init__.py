"""Judges that compare images with prompts."""
