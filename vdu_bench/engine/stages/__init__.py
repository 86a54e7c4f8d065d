"""The kinds of artifacts, a file each: how a stage of it is named, made, and read back."""
