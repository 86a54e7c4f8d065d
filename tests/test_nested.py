from vdu_bench.nested import merged


def test_merging_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1, "c": 2}}
    assert merged(base, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert base == {"a": {"b": 1, "c": 2}}
