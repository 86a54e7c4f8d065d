"""The task files that come with the suite, one for each family.

A package, though no code is in it: an entry point's value must name a module, a colon and a dotted name
(``vdu_bench.tasks.catalog:digits.yaml``), and whatever reads the metadata of all packages stumbles over another.
"""
