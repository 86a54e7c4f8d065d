from __future__ import annotations

from pathlib import Path

import pytest

from vdu_bench.errors import UserError
from vdu_bench.reports.listings import task_file
from vdu_bench.tasks.loading import catalog, find_task, read_tasks, with_overrides
from vdu_bench.tasks.settings import read_settings
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.writing import task_yaml


def test_the_catalog_has_the_digits() -> None:
    tasks = catalog()
    assert {"digits_1", "digits_8"} <= set(tasks)
    one, eight = tasks["digits_1"], tasks["digits_8"]
    assert (one.forget, eight.forget) == ("1", "8")
    assert one.model == eight.model
    assert one.digest() != eight.digest()


def test_a_file_of_one_s_own_works_like_a_built_in_task(tiny_file: Path) -> None:
    task = find_task(str(tiny_file))
    assert task.name == "tiny"
    assert task.sampler.name == "dpmsolver++"


def test_unknown_name_says_what_was_meant() -> None:
    with pytest.raises(UserError, match="did you mean 'digits_1'"):
        find_task("digit_1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("forget: ", "forgett: "), "unknown key forgett; did you mean 'forget'"),
        (("steps: 30", "steps: -3"), "model.training.steps"),
        (("samples: 40", "samples: 0"), "samples"),
        (("samples: 40", "samples: 1"), "at least 2"),
        (("scale: embedded", "scale: huge"), "scale"),
        (("title: ", "title: : "), "line 3"),
        (("judge:", "judge:\n  hats: 3"), "judge.hats"),
        (('forget: "5"', ""), "forget: it must be given"),
    ],
)
def test_a_malformed_file_names_the_line_or_the_key(
    tiny_file: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    text = tiny_file.read_text()
    assert change[0] in text
    bad = tmp_path / "bad.yaml"
    bad.write_text(text.replace(*change, 1))
    with pytest.raises(UserError, match=message) as caught:
        find_task(str(bad))
    assert "bad.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "message"), [("- a", "mapping"), ("", "mapping"), (b"\xff\xfe\x00", "not UTF-8")])
def test_what_is_no_task_file_is_said_to_be_none(tmp_path: Path, content: str | bytes, message: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        find_task(str(bad))
    with pytest.raises(UserError, match="cannot read"):
        find_task(str(tmp_path / "missing.yaml"))


def test_family_files(tmp_path: Path, tiny_file: Path) -> None:
    body = "\n".join(f"  {line}" for line in tiny_file.read_text().splitlines() if not line.startswith("name"))
    family = tmp_path / "family.yaml"
    family.write_text(f"common:\n{body}\ntasks:\n  a: {{forget: '3'}}\n  b: {{forget: '4', sampler: {{steps: 9}}}}\n")
    a, b = read_tasks(family)
    assert (a.name, a.forget, a.sampler.steps) == ("a", "3", 3)
    assert (b.name, b.forget, b.sampler.steps, b.sampler.batch_size) == ("b", "4", 9, 20)
    with pytest.raises(UserError, match="describes 2 tasks"):
        find_task(str(family))
    family.write_text("common: {}\ntasks: {}\nextra: 1\n")
    with pytest.raises(UserError, match="unknown key 'extra'"):
        read_tasks(family)


def test_overrides_reach_inside_and_unknown_ones_are_errors(tiny_task: Task) -> None:
    changed = with_overrides(tiny_task, {"sampler": {"steps": 11}, "samples": 7})
    assert (changed.sampler.steps, changed.sampler.batch_size, changed.samples) == (11, 20, 7)
    assert changed.digest() != tiny_task.digest()
    with pytest.raises(UserError, match="task.sampler.stepz"):
        with_overrides(tiny_task, {"sampler": {"stepz": 11}})


def test_settings_from_file_and_assignments(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("vdu: {gamma: 0.3, steps: 5}\n")
    got = read_settings(["vdu.gamma=0.7", "task.sampler.steps=9", "esd.clip_norm=null"], file)
    assert got == {
        "vdu": [{"gamma": 0.7, "steps": 5}],
        "task": [{"sampler": {"steps": 9}}],
        "esd": [{"clip_norm": None}],
    }


def test_values_with_commas_between_are_variants() -> None:
    got = read_settings(["vdu.gamma=0.1,0.3", "vdu.steps=5, 6", "task.samples=500,1000"], None)
    assert got["vdu"] == [{"gamma": gamma, "steps": steps} for gamma in (0.1, 0.3) for steps in (5, 6)]
    assert got["task"] == [{"samples": 500}, {"samples": 1000}]
    nested = read_settings(["task.sampler.steps=5,9", "task.sampler.batch_size=3"], None)
    assert nested == {"task": [{"sampler": {"steps": steps, "batch_size": 3}} for steps in (5, 9)]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[a, b]", [["a", "b"]]),
        ("[a, b],[c]", [["a", "b"], ["c"]]),
        ("all,[a, b]", ["all", ["a", "b"]]),
        ("{a: 1, b: 2}", [{"a": 1, "b": 2}]),
        ("'a, b'", ["a, b"]),
        ("'it''s one, too',b", ["it's one, too", "b"]),
        (r'"a \", b",c', ['a ", b', "c"]),
        ("don't,do", ["don't", "do"]),
        ("*to_[kv].*,*to_q.*", ["*to_[kv].*", "*to_q.*"]),
        ("1,true", [1, True]),
        ("", [None]),
    ],
)
def test_what_is_one_value_and_what_are_several(text: str, values: list[object]) -> None:
    got = read_settings([f"vdu.weights={text}"], None)["vdu"]
    assert [(type(own["weights"]), own["weights"]) for own in got] == [(type(value), value) for value in values]


@pytest.mark.parametrize(
    ("text", "words"),
    [("0.1,", "a value is empty"), (",", "empty"), ("0.1,0.1", "0.1 comes twice"), ("1,1.0", "1.0 comes twice")],
)
def test_variants_that_are_none(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_settings([f"vdu.gamma={text}"], None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("*attn2.to_[kv].weight", "*attn2.to_[kv].weight"),
        ("conv_*", "conv_*"),
        ("[cross_attention, conv_in.*]", ["cross_attention", "conv_in.*"]),
    ],
)
def test_a_pattern_needs_no_quotes(text: str, value: str | list[str]) -> None:
    assert read_settings([f"vdu.weights={text}"], None) == {"vdu": [{"weights": value}]}


@pytest.mark.parametrize("bad", ["gamma=3", "vdu.gamma", "vdu.=3", "=", "vdu.gamma=[1"])
def test_malformed_assignments_are_named(bad: str) -> None:
    with pytest.raises(UserError, match="--set"):
        read_settings([bad], None)


def test_data_are_a_name_or_a_mapping(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(tiny_file.read_text().replace("sklearn_digits", "{source: mnist, pad_to: 28}"))
    task = find_task(str(file))
    assert (task.data.source, task.data.options) == ("mnist", {"pad_to": 28})
    assert find_task(str(tiny_file)).data.options == {}
    changed = with_overrides(task, {"data": {"folder": "elsewhere"}})
    assert changed.data.options == {"pad_to": 28, "folder": "elsewhere"}
    assert changed.digest() != task.digest()
    file.write_text(tiny_file.read_text().replace("sklearn_digits", "{pad_to: 28}"))
    with pytest.raises(UserError, match=r"mine\.yaml: data\.source: it must be given"):
        find_task(str(file))


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (
            "{network: timm, training: {steps: 1, learning_rate: 1}}",
            r"bad\.yaml: judge\.architecture: it must be given",
        ),
        ("{network: tim, training: {steps: 1, learning_rate: 1}}", r"judge: network must be small_cnn or timm"),
        ("{network: timm, architecture: a, width: 3, training: {steps: 1, learning_rate: 1}}", r"key judge\.width"),
        (
            "{network: timm, architecture: a, training: {steps: 0, learning_rate: 1}}",
            r"judge\.training\.steps: 0 should",
        ),
    ],
)
def test_a_mistake_in_the_judge_is_named_as_in_the_file(
    tiny_file: Path, tmp_path: Path, judge: str, message: str
) -> None:
    lines = tiny_file.read_text().splitlines(keepends=True)
    start, end = lines.index("judge:\n"), next(i for i, line in enumerate(lines) if line.startswith("sampler"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("".join([*lines[:start], f"judge: {judge}\n", *lines[end:]]))
    with pytest.raises(UserError, match=message):
        find_task(str(bad))


def test_a_posterior_that_no_task_file_names_can_be_changed_in_part(tiny_task: Task) -> None:
    assert tiny_task.posterior is None
    fewer = with_overrides(tiny_task, {"posterior": {"snapshots": 3}})
    assert fewer.posterior_source == tiny_task.posterior_source.model_copy(update={"snapshots": 3})
    assert fewer.changes == {"posterior.snapshots": 3}
    whole = with_overrides(tiny_task, {"posterior": {"source": "snapshots", "snapshots": 3}})
    assert (whole.digest(), whole.changes) == (fewer.digest(), fewer.changes)
    # The number that it has anyway makes no other task.
    same = with_overrides(tiny_task, {"posterior": {"snapshots": tiny_task.posterior_source.snapshots}})
    assert (same.digest(), same.changes) == (tiny_task.digest(), {})
    with pytest.raises(UserError, match=r"task\.posterior\.snapshots: 1 should be greater"):
        with_overrides(tiny_task, {"posterior": {"snapshots": 1}})
    other = with_overrides(tiny_task, {"posterior": {"source": "laplace", "samples": 5}})
    assert other.changes["posterior.source"] == "laplace"


def test_a_posterior_that_its_parent_does_not_name_can_be_changed_in_part_in_a_file(
    tiny_file: Path, tiny_task: Task, tmp_path: Path
) -> None:
    def read(content: str) -> Task:
        file = tmp_path / "mine.yaml"
        file.write_text(f"{tiny_file.read_text()}\nposterior: {content}\n")
        return find_task(str(file))

    assert read("{snapshots: 3}").digest() == with_overrides(tiny_task, {"posterior": {"snapshots": 3}}).digest()
    assert read("{}").digest() == read("{snapshots: 10}").digest() == tiny_task.digest(), "as where it is not said"
    with pytest.raises(UserError, match=r"mine\.yaml: posterior\.snapshots: 1 should be greater"):
        read("{snapshots: 1}")
    with pytest.raises(
        UserError, match=r"unknown key posterior\.samples; where its source is snapshots, there is none"
    ):
        read("{samples: 3}")
    (tmp_path / "child.yaml").write_text("name: child\nextends: digits_1\nposterior: {snapshots: 3}\n")
    child = find_task(str(tmp_path / "child.yaml"))
    assert child.posterior == child.posterior_source.model_copy(update={"snapshots": 3})


@pytest.mark.parametrize(
    ("posterior", "message"),
    [
        ("{source: snapshot}", r"posterior\.source: 'snapshot' should be one of 'snapshots', 'checkpoints', 'laplace'"),
        ("{source: checkpoints, checkpoints: [a, b], snapshots: 3}", r"unknown key posterior\.snapshots; where"),
        ("{source: checkpoints, checkpoints: [a, 3]}", r"posterior\.checkpoints\.1: 3 is not a text"),
        ("{source: checkpoints}", r"posterior\.checkpoints: it must be given"),
        ("{source: snapshots, snapshots: 3, samples: 3}", r"unknown key posterior\.samples; where"),
    ],
)
def test_a_mistake_in_the_posterior_is_named_as_in_the_file(
    tiny_file: Path, tmp_path: Path, posterior: str, message: str
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(f"{tiny_file.read_text()}\nposterior: {posterior}\n")
    with pytest.raises(UserError, match=rf"bad\.yaml: .*{message}") as caught:
        find_task(str(bad))
    assert "tag" not in str(caught.value).removeprefix(str(tmp_path))


def test_a_file_does_not_take_the_name_of_an_installed_task(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    whole = catalog()["digits_1"]
    file.write_text(task_yaml(whole))
    assert find_task(str(file)) == whole
    for changed in ({"samples": 20}, {"forget": "3"}, {"title": "mine"}):
        file.write_text(task_yaml(whole.model_copy(update=changed)))
        with pytest.raises(UserError, match=r"mine.yaml: name: digits_1 is the name of an installed task.* of its own"):
            find_task(str(file))
    child = tmp_path / "child.yaml"
    child.write_text("name: child\nextends: ./mine.yaml\nsamples: 30\n")
    assert find_task(str(child)).samples == 30
    file.write_text(task_file("digits_1"))
    mine = find_task(str(file))
    assert mine.name == "digits_1_mine"
    assert mine.model_copy(update={"name": "digits_1"}) == whole
    assert "name: digits_1_mine  # a name of your own" in file.read_text()
    assert task_file(str(file)).startswith("name: digits_1_mine\n")
