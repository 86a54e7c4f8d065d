"""The statistics of unlearning: intervals, comparisons, aggregation. numpy and scipy only."""
