"""What is made of records: leaderboards, tidy rows, plots. Reads nothing else, and never imports torch."""
