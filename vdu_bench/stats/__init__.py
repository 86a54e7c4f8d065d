"""The statistics of unlearning: intervals, prevalence correction, aggregation. numpy and scipy only."""
