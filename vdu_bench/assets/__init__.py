"""What ships with the package for the embedded tier: models, posteriors and judges as store artifacts, and data."""
