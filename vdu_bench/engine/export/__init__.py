"""Out of the store again: a record's model and its samples, in forms that other programs read."""
