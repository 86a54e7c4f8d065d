"""The search for methods' settings: every method with the same budget, on seeds and prompts that no result uses."""
