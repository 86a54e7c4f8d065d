"""One self-contained page of all results: tables that sort and filter, figures, and what stands behind each cell."""
