from __future__ import annotations

from pathlib import Path

import pytest

from vdu_bench.errors import NotFetched
from vdu_bench.fetching import hub_file, may_fetch, nothing_fetched
from vdu_bench.metrics.inception import Inception
from vdu_bench.models.pipelines.finding import find_pipeline


def test_a_command_that_may_asks_the_network(asked: list[object]) -> None:
    """So the test above would have seen it."""
    with pytest.raises(Exception, match="could not be had"):
        find_pipeline("google/ddpm-cifar10-32", "unconditional")
    assert asked


def test_nothing_is_fetched_until_the_end_of_the_block(asked: list[object]) -> None:
    with nothing_fetched():
        assert not may_fetch()
        with pytest.raises(NotFetched):
            Inception.find(None, "cpu")
    assert may_fetch()
    assert asked == []


def test_a_file_that_was_fetched_before_is_found(tmp_path: Path, asked: list[object]) -> None:
    """In a cache laid out as the hub's client does."""
    repo = tmp_path / "hub" / "models--somebody--judge"
    kept = repo / "snapshots" / "abc" / "model.safetensors"
    for file, content in ((kept, ""), (repo / "refs" / "main", "abc")):
        file.parent.mkdir(parents=True)
        file.write_text(content)
    with nothing_fetched():
        assert hub_file("somebody/judge", "model.safetensors") == kept
        with pytest.raises(NotFetched, match="somebody/judge is not on this machine"):
            hub_file("somebody/judge", "other.safetensors")
    assert asked == []
