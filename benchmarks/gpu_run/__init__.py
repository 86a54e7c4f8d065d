"""What benchmarks/gpu.py runs, a phase a file."""
