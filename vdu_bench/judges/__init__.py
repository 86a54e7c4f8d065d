"""The classifiers that measure forgetting, and how far each can be trusted."""
