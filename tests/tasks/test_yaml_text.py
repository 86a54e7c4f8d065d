"""Numbers in YAML as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vdu_bench.tasks.settings import values_in
from vdu_bench.tasks.task_files import read_yaml_mapping
from vdu_bench.tasks.yaml_text import load_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6), ("1E6", 1e6), ("-1e3", -1e3), ("+.5e-2", 0.005), ("1.e2", 100.0), ("2.5e-05", 2.5e-5),
        ("1", 1), ("0.5", 0.5), ("e5", "e5"), ("1e", "1e"), ("1e5x", "1e5x"), ("'1e-6'", "1e-6"), ("true", True),
        ("001", "001"), ("-010", "-010"), ("08", "08"), ("0", 0), ("-0", 0), ("10", 10), ("1_000", 1000),
        ("0x1F", 31), ("0b11", 3), ("1:30", 90), ("0.10", 0.1),
    ],
)  # fmt: skip
def test_a_number_is_a_number(text: str, value: object, tmp_path: Path) -> None:
    found = load_yaml(text)
    assert (type(found), found) == (type(value), value)
    assert values_in(text, "--set") == [value]
    (tmp_path / "mine.yaml").write_text(f"denoiser: {{norm_eps: {text}}}\n")
    assert read_yaml_mapping(tmp_path / "mine.yaml", "task file") == {"denoiser": {"norm_eps": value}}


def test_nothing_else_changes_and_nothing_is_run() -> None:
    assert yaml.safe_load("1e-6") == "1e-6", "the library's own loader stays as it is"
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.system [exit]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "the key 'a' stands twice"),
        ("vdu: {gamma: 1, gamma: 2}", "the key 'gamma' stands twice"),
        ("vdu: {3: 1}", "the key 3 is no text"),
        ("2024-01-01: 1\ntrue: 2", "the key True is no text"),
    ],
)
def test_keys_are_text_and_stand_once(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError, match=words):
        load_yaml(text)


def test_what_is_merged_may_be_said_again_and_a_date_is_text() -> None:
    text = "x: {y: &a {<<: &b {k: 1}, k: 3}}\nc: {<<: *a, k: 9}\nd: 2024-01-01"
    assert load_yaml(text) == {"x": {"y": {"k": 3}}, "c": {"k": 9}, "d": "2024-01-01"}


def _doubled(first: str, twice: str) -> str:
    """Forty lines, each of which stands for what the one above stands for, twice."""
    lines = [f"a{i}: &a{i} {twice.format(f'*a{i - 1}')}" for i in range(1, 40)]
    return "\n".join([f"a0: &a0 {first}", *lines])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]", "an alias inside of what it repeats"),
        ("a: &a {b: {c: *a}}", "an alias inside of what it repeats"),
        ("\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]), "repeat too"),
        (
            "\n".join(["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40))]),
            "repeat",
        ),
        ("seed: " + "9" * 5001, "4300 digits"),
        ("[" * 5000 + "]" * 5000, r"\w"),
    ],
)
def test_what_has_no_end_or_fills_the_memory_is_not_yaml(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError, match=words):
        load_yaml(text)


def test_aliases_that_repeat_little_are_read() -> None:
    assert load_yaml("a: &a [1, 2]\nb: [*a, *a]") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
