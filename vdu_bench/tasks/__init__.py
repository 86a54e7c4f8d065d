"""Standard tasks: what to forget, from which model, judged how. Pure data, read from YAML."""
