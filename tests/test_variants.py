from __future__ import annotations

from vdu_bench.variants import CALLED, changed, file_name, row_name, unfit, variant_name


def test_only_what_differs_counts_however_deep() -> None:
    before = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "gone": 4, "same": [1, 2]}
    after = {"a": 1, "b": {"c": 5, "d": {"e": 3, "f": None}}, "same": [1, 2], "new": 6}
    assert changed(before, after) == {"b.c": 5, "b.d.f": None, "gone": None, "new": 6}
    assert changed(before, before) == {}
    assert changed({"a": {"b": 1}}, {"a": None}) == {"a": None}
    assert changed({"a": None}, {"a": {"b": 1}}) == changed({}, {"a": {"b": 1}}) == {"a.b": 1}
    assert changed({"a": None}, {"a": {}}) == {"a": {}}


def test_names_hold_what_was_changed() -> None:
    assert file_name("vdu", {}) == row_name("vdu", {}) == "vdu"
    changes = {"gamma": 0.3, "steps": 60, "error_cap": None}
    assert file_name("vdu", changes) == "vdu+gamma=0.3+steps=60+error_cap=null"
    assert row_name("vdu", changes) == "vdu[gamma=0.3, steps=60, error_cap=null]"


def test_a_name_that_was_given_stands_for_the_changes() -> None:
    assert file_name("vdu", {"gamma": 0.3}, "strong") == "vdu+strong"
    assert row_name("vdu", {"gamma": 0.3}, "strong") == "vdu[strong]"


def test_a_task_s_name_says_what_it_was_limited_to_and_what_was_changed() -> None:
    assert variant_name("t", None, {}) == variant_name("t", "all", {}) == "t"
    assert variant_name("t", 25, {}) == "t-forget25"
    assert variant_name("t", 25, {"forget": "8"}) == "t-forget25+forget=8"


def test_what_does_not_fit_into_a_file_s_name_is_a_digest_that_tells_values_apart() -> None:
    one, other = (file_name("vdu", {"weights": value}) for value in (["*a*", "*b*"], ["*a*", "*c*"]))
    assert one != other
    for name in (one, other, file_name("vdu", {"weights": "*to_k.weight"}), file_name("t", {"prompts": {"a": 1}})):
        assert all(letter.isalnum() or letter in "+=._-" for letter in name), name
    assert file_name("digits_1", {"base": "/some/where/my_model/"}) == "digits_1+base=my_model"
    many = {f"setting_{number}": number for number in range(30)}
    assert len(file_name("vdu", many)) < 20
    assert file_name("vdu", many) != file_name("vdu", {**many, "setting_3": 4})


def test_names_fit_every_file_system() -> None:
    for name in ("con", "Prn", "aux.txt", "nul", "COM1", "lpt9", "con ", "a.", "a "):
        assert "Windows" in unfit(name), name
    for name in ("concept", "com0", "lpt", "vdu", "a.b", "vdu+con", "com10"):
        assert unfit(name) == "", name
    for name in ("a", "a.b", "A-_1", "a_", "x" * 32):
        assert CALLED.fullmatch(name), name
    for name in ("", "a.", ".", "-a", "x" * 33, "a\n"):
        assert not CALLED.fullmatch(name), name
