"""From a command to records: cells, stages, the artifact store, executors."""
