"""Training base models: resumable, by one process or several."""
