from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vdu_bench.errors import UserError
from vdu_bench.reports.paper.published import read_publication, read_published
from vdu_bench.tasks.loading import read_tasks

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "results" / "published"
PAPER = FOLDER / "arxiv_2510.04058.yaml"
LISTED = {
    "mnist_1": 75.06,
    "mnist_8": 68.96,
    "cifar10_ship": 71.63,
    "cifar10_automobile": 60.87,
    "tinyimagenet_butcher_shop": 66.67,
    "tinyimagenet_fish": 58.75,
    "celeba_hats": 43.56,
    "celeba_eyeglasses": 57.67,
    "celeba_bangs": 46.65,
}


def test_the_paper_s_numbers_are_those_that_were_listed_and_no_others() -> None:
    numbers = read_publication(PAPER).numbers
    assert {number.task: number.value for number in numbers} == LISTED
    for number in numbers:
        assert (number.metric, number.unit, number.method) == ("pul", "%", "as listed for the paper")
        assert number.source == "a public listing of the paper's results"


def test_every_file_of_the_folder_is_one_and_names_known_tasks() -> None:
    files = sorted((ROOT / "vdu_bench" / "tasks" / "catalog").glob("*.yaml"))
    tasks = {task.name: task for file in files for task in read_tasks(file)}
    for publication in read_published(FOLDER):
        for number in publication.numbers:
            for other in number.also:
                same = ("forget", "data")
                assert all(getattr(tasks[other], key) == getattr(tasks[number.task], key) for key in same), other
                assert tasks[other].scale != tasks[number.task].scale
            assert number.task in tasks


def test_numbers_are_found_by_task_and_metric() -> None:
    publication = read_publication(PAPER)
    assert [number.value for number in publication.beside("mnist_1", "pul")] == [75.06]
    assert [number.value for number in publication.beside("mnist_8_small", "pul")] == [68.96]
    assert publication.beside("mnist_1", "fd_judge") == []
    assert publication.beside("digits_1", "pul") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extra": 1}, "extra: Extra inputs"),
        ({"source": ""}, "source"),
        ({"numbers": []}, "numbers"),
        ({"numbers": ["a"]}, r"numbers\.0"),
        ({"value": "many"}, r"numbers\.0\.value"),
        ({"value": float("nan")}, r"numbers\.0\.value"),
        ({"method": ""}, r"numbers\.0\.method"),
        ({"seed": 3}, r"numbers\.0\.seed: Extra inputs"),
        ({"also": "mnist_1_small"}, r"numbers\.0\.also"),
        ({"also": ["mnist_8"]}, "mnist_8 / pul / as listed for the paper is given twice"),
        ({"twice": True}, "mnist_1 / pul / as listed for the paper is given twice"),
    ],
)
def test_what_is_no_publication_is_named_with_its_key(tmp_path: Path, change: dict, words: str) -> None:
    content = yaml.safe_load(PAPER.read_text())
    first = content["numbers"][0]
    if "twice" in change:
        content["numbers"].append(first)
    elif set(change) <= {"extra", "source", "numbers"}:
        content |= change
    else:
        first |= change
    file = tmp_path / "paper.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=words) as caught:
        read_published(tmp_path)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no published numbers in"):
        read_published(tmp_path)
    with pytest.raises(UserError, match="cannot read"):
        read_publication(tmp_path / "none.yaml")
    (tmp_path / "paper.yaml").write_text("a: [1")
    with pytest.raises(UserError, match="is not YAML"):
        read_published(tmp_path)


def test_reading_them_needs_no_torch() -> None:
    code = "import sys, vdu_bench.reports.paper.published; print('torch' in sys.modules, 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"
