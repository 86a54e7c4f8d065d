"""``python -m vdu_bench`` is ``vdu-bench``."""

from vdu_bench.cli.main import main

main()
