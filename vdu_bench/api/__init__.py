"""The suite from Python: what the command line does, and unlearning of a pipeline of one's own."""
