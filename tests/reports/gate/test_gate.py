from __future__ import annotations

import math

import numpy as np
import pytest
from cells import cells

from vdu_bench.measured import Outcomes
from vdu_bench.records import Record
from vdu_bench.reports.gate.tolerances import Tolerance
from vdu_bench.reports.gate.verdicts import Comparison, Verdict, compare


def scaled(metric: str, factor: float, method: str = "vdu", seeds: tuple[int, ...] = (0, 1, 2)) -> list[Record]:
    """The usual cells with one method's metric multiplied."""
    records = cells()
    for record in records:
        if record.method == method and record.seeds.sample in seeds:
            record.metrics[metric].estimate.value *= factor
    return records


def found(comparison: Comparison) -> dict[str, list[str]]:
    return {
        kind: [f"{verdict.method}.{verdict.metric}" for verdict in comparison.verdicts if verdict.kind == kind]
        for kind in ("worse", "unsure", "better")
    }


def one(comparison: Comparison, name: str) -> Verdict:
    (verdict,) = [v for v in comparison.verdicts if f"{v.method}.{v.metric}" == name]
    return verdict


def test_an_identical_copy_passes() -> None:
    comparison = compare(cells(), cells())
    assert comparison.passed
    assert {verdict.kind for verdict in comparison.verdicts} == {"same"}
    assert all(verdict.loss == 0 and math.isnan(verdict.p_value) for verdict in comparison.verdicts)


def test_what_is_gated() -> None:
    metrics: dict[str, set[str]] = {}
    for verdict in compare(cells(), cells()).verdicts:
        metrics.setdefault(verdict.method, set()).add(verdict.metric)
    costs = {"nfe_forward", "training_images"}
    assert metrics["vdu"] == {"pul", "fd_judge", "junk_rate"} | costs
    assert metrics["original"] == {"fd_judge", "junk_rate"} | costs


@pytest.mark.parametrize("seeds", [(0, 1, 2), (1,)])
def test_a_method_that_no_longer_forgets_is_caught(seeds: tuple[int, ...]) -> None:
    new = cells(seeds=seeds)
    originals = {record.seeds.sample: record for record in new if record.method == "original"}
    for record in new:
        if record.method == "vdu":
            record.outcomes["forget"] = originals[record.seeds.sample].outcomes["forget"]
            record.metrics["pul"].estimate.value = 0.0
    comparison = compare(cells(), new)
    assert not comparison.passed
    assert found(comparison) == {"worse": ["vdu.pul"], "unsure": [], "better": []}
    verdict = one(comparison, "vdu.pul")
    assert verdict.loss == pytest.approx(80, abs=4)
    # Three seeds of one method that changed have nobody to lean on.
    assert verdict.p_value < (1e-6 if len(seeds) == 1 else 0.01)
    assert verdict.seeds == seeds
    assert verdict.loss - verdict.margin < verdict.old < verdict.loss + verdict.margin


def test_a_planted_loss_of_15_points_is_caught_and_its_reverse_is_a_gain() -> None:
    assert found(compare(cells(), cells({"vdu": 0.35})))["worse"] == ["vdu.pul"]
    comparison = compare(cells({"vdu": 0.35}), cells())
    assert comparison.passed
    assert found(comparison)["better"] == ["vdu.pul"]
    assert one(comparison, "vdu.pul").loss == pytest.approx(-15, abs=3)


def test_another_draw_of_the_same_is_no_loss() -> None:
    assert compare(cells(), cells(draw=1)).passed


def test_the_original_changing_is_not_taken_for_the_methods_loss() -> None:
    """A base that makes the class twice as often, of which methods still leave the same share."""
    comparison = compare(cells(), cells(rate=0.2))
    assert found(comparison)["worse"] == []
    assert one(comparison, "vdu.pul").loss == pytest.approx(0, abs=4)


def test_without_a_pul_the_concept_rate_is_gated() -> None:
    sides = [cells(), cells({"vdu": 0.9})]
    for record in (record for side in sides for record in side):
        del record.metrics["pul"]
    assert found(compare(*sides))["worse"] == ["vdu.concept_rate"]


def test_without_the_original_pul_is_held_against_the_seeds() -> None:
    sides = [
        [record for record in records if record.method != "original"] for records in (cells(), cells({"vdu": 0.9}))
    ]
    verdict = one(compare(*sides), "vdu.pul")
    assert verdict.kind == "worse"
    assert verdict.loss == pytest.approx(70, abs=4)


def test_junk_is_the_difference_of_two_shares() -> None:
    new = cells(draw=1)
    verdict = one(compare(cells(), new), "vdu.junk_rate")
    old, now = (np.stack([r.outcomes["junk"].flags for r in side if r.method == "vdu"]) for side in (cells(), new))
    assert verdict.loss == pytest.approx(100 * (now.mean() - old.mean()))


@pytest.mark.parametrize(("tolerance", "kind"), [("10%", "worse"), ("25%", "same"), ("2", "worse"), ("3", "same")])
def test_a_tolerance_is_honoured(tolerance: str, kind: str) -> None:
    """A fifth on a distance of 12, the same in every seed."""
    given = Tolerance(float(tolerance.removesuffix("%")), tolerance.endswith("%"))
    verdict = one(compare(cells(), scaled("fd_judge", 1.2), {"fd_judge": given}), "vdu.fd_judge")
    assert verdict.kind == kind
    assert verdict.tolerance == given


def test_one_seed_that_collapsed_beside_others_of_the_same_bits_is_caught() -> None:
    """Chance had no part in seeds that are the same to the bit, whatever their number."""
    for seeds in (range(2), range(3), range(5)):
        comparison = compare(cells(seeds=seeds), broken_in_the_last(cells(seeds=seeds)))
        assert set(found(comparison)["worse"]) == {"vdu.fd_judge", "vdu.junk_rate"}, seeds


def test_the_mean_over_all_seeds_is_what_is_tolerated() -> None:
    """A fifth more in one seed of three is 7 % in the mean; in one of one it is too much."""
    for factor, kind in ((1.25, "same"), (1.4, "worse")):
        assert one(compare(cells(), scaled("fd_judge", factor, seeds=(2,))), "vdu.fd_judge").kind == kind


def test_one_seed_that_collapsed_where_all_were_drawn_anew_is_unsure() -> None:
    """A method may destroy the model now and then: three seeds cannot tell that from a fault."""
    sides = cells(), broken_in_the_last(cells(draw=1))
    for record in (record for side in sides for record in side):
        assert record.protocol is not None
        record.protocol.limits = {"ratio": 1.0, "points": 10.0}
    comparison = compare(*sides)
    assert comparison.passed
    assert set(found(comparison)["unsure"]) == {"vdu.fd_judge", "vdu.junk_rate"}
    # It is told, all the same.
    (told,) = [notice for notice in comparison.notices if notice.kind == "quality"]
    assert told.where == "digits_1/vdu"
    assert "has destroyed the model, and had not in the reference: fd_judge_2000 388, limit" in told.text
    assert not any(notice.kind == "quality" for notice in compare(sides[1], sides[1]).notices)


def broken_in_the_last(records: list[Record]) -> list[Record]:
    """Nothing but junk in VDU's last seed, a hundred times as far from real images."""
    record = [record for record in records if record.method == "vdu"][-1]
    record.outcomes["junk"] = Outcomes.of(np.ones(record.outcomes["junk"].n, dtype=bool))
    record.metrics["junk_rate"].estimate.value = 100.0
    record.metrics["fd_judge"].estimate.value *= 100.0
    return records


def test_what_one_method_lost_is_not_hidden_by_anothers_collapse() -> None:
    new = scaled("fd_judge", 1.5)
    for record in new:
        if record.method == "retrain" and record.seeds.sample == 0:
            record.metrics["fd_judge"].estimate.value *= 40.0
    assert "vdu.fd_judge" in found(compare(cells(), new))["worse"]
    # And where all was drawn anew, too.
    old, both = cells(seeds=range(5)), cells(seeds=range(5), draw=1)
    for record in both:
        if record.method in ("vdu", "esd"):
            record.metrics["fd_judge"].estimate.value *= 1.5
    assert {"vdu.fd_judge", "esd.fd_judge"} <= set(found(compare(old, both))["worse"])
    for record in both:
        if record.method == "retrain" and record.seeds.sample == 0:
            record.metrics["fd_judge"].estimate.value *= 40.0
    assert {"vdu.fd_judge", "esd.fd_judge"} <= set(found(compare(old, both))["worse"])


def test_with_a_single_seed_the_tolerance_alone_decides() -> None:
    reference = [record for record in cells() if record.seeds.sample == 0]
    for factor, kind in ((1.09, "same"), (1.11, "worse"), (0.8, "better")):
        new = [record for record in scaled("fd_judge", factor) if record.seeds.sample == 0]
        verdict = one(compare(reference, new), "vdu.fd_judge")
        assert verdict.kind == kind
        assert math.isnan(verdict.p_value)


@pytest.mark.parametrize("metric", ["nfe_forward", "training_images"])
def test_a_count_may_not_rise_at_all(metric: str) -> None:
    assert found(compare(cells(), scaled(metric, 1.001)))["worse"] == [f"vdu.{metric}"]
    assert found(compare(cells(), scaled(metric, 0.5)))["better"] == [f"vdu.{metric}"]
    assert compare(cells(), scaled(metric, 1.1), {metric: Tolerance(20, relative=True)}).passed


def varying(factors: tuple[float, float, float], seeds: tuple[int, ...] = (0, 1, 2)) -> list[Record]:
    """Cells of which VDU takes so many times the usual evaluations, seed by seed, and says that they vary."""
    records = [record for record in cells() if record.seeds.sample in seeds]
    for record in records:
        if record.method == "vdu":
            record.evaluations_vary = True
            record.metrics["nfe_forward"].estimate.value *= factors[record.seeds.sample]
    return records


def test_evaluations_that_vary_with_the_seed_are_held_against_their_scatter() -> None:
    reference = varying((1.0, 1.1, 0.9))
    assert compare(reference, varying((1.1, 0.95, 1.1))).passed
    assert found(compare(reference, varying((2.0, 2.1, 1.9))))["worse"] == ["vdu.nfe_forward"]
    verdict = one(compare(reference, varying((1.05, 1.1, 1.0))), "vdu.nfe_forward")
    assert (verdict.kind, str(verdict.tolerance)) == ("same", "10%")


def test_of_a_single_seed_a_tenth_more_evaluations_is_tolerated_where_they_vary() -> None:
    reference = varying((1.0, 1.0, 1.0), (1,))
    for factor, kind in ((1.09, "same"), (1.11, "worse")):
        assert one(compare(reference, varying((1.0, factor, 1.0), (1,))), "vdu.nfe_forward").kind == kind


def test_a_change_cannot_declare_its_own_evaluations_to_vary() -> None:
    assert found(compare(cells(), varying((1.01, 1.0, 1.0))))["worse"] == ["vdu.nfe_forward"]


def test_what_varies_is_evaluations_and_not_images() -> None:
    sides = [varying((1.0, 1.0, 1.0)) for _ in range(2)]
    for record in sides[1]:
        record.metrics["training_images"].estimate.value += record.method == "vdu"
    assert found(compare(*sides))["worse"] == ["vdu.training_images"]


def of_text(given: float = 0.3, junk: float = 0.3, draw: int = 0) -> list[Record]:
    """Cells of a text-to-image model: `pul_strict` and `pul_given` beside `pul`, each with outcomes of its own.

    Args:
        given: the share of 200 images of given prompts in which VDU leaves the concept.
        junk: the share of what VDU takes away that is junk.
        draw: what chance decides.
    """
    records = cells(rate=0.95, draw=draw)
    bases: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for record in sorted(records, key=lambda record: record.method != "original"):
        seed = record.seeds.sample
        rng = np.random.default_rng([draw, seed, 1])
        hits = record.outcomes["forget"].flags
        asked, rank, off = rng.random(200) < 0.97, rng.random(200), rng.random(len(hits))
        if record.method == "original":
            bases[seed] = hits, asked
            shown, strict = asked, hits
        else:
            shown = asked & (rank < (given if record.method == "vdu" else 0.3))
            strict = hits | (bases[seed][0] & ~hits & (off < (junk if record.method == "vdu" else 0.3)))
        for name, counts, flags, base in (
            ("pul_strict", "strict", strict, bases[seed][0]),
            ("pul_given", "given", shown, bases[seed][1]),
        ):
            metric = record.metrics["pul"].model_copy(deep=True)
            metric.label, metric.counts, metric.estimate.value = name, counts, 100 * (1 - flags.sum() / base.sum())
            record.metrics[name], record.outcomes[counts] = metric, Outcomes.of(flags)
    return records


def test_each_metric_that_is_counted_against_the_original_has_its_own_samples() -> None:
    comparison = compare(of_text(), of_text())
    gated = {verdict.metric for verdict in comparison.verdicts if verdict.method == "vdu"}
    assert {"pul", "pul_strict", "pul_given"} <= gated
    assert not gated & {"concept_rate"}
    assert not {"pul", "pul_strict", "pul_given"} & {v.metric for v in comparison.verdicts if v.method == "original"}


def test_junk_in_the_place_of_the_concept_is_a_loss_of_pul_strict_alone() -> None:
    comparison = compare(of_text(), of_text(junk=0.6))
    assert found(comparison)["worse"] == ["vdu.pul_strict"]
    assert one(comparison, "vdu.pul_strict").loss == pytest.approx(24, abs=4)
    assert found(compare(of_text(junk=0.6), of_text()))["better"] == ["vdu.pul_strict"]


def test_what_comes_back_under_given_prompts_is_a_loss_of_pul_given_alone() -> None:
    comparison = compare(of_text(), of_text(given=0.5))
    assert found(comparison)["worse"] == ["vdu.pul_given"]
    assert one(comparison, "vdu.pul_given").loss == pytest.approx(20, abs=5)


def test_another_draw_of_a_text_model_is_no_loss() -> None:
    assert compare(of_text(), of_text(draw=1)).passed


def test_scatter_is_pooled_within_a_family() -> None:
    """A distance that rose by a quarter, beside methods of another family whose distances go up and down."""
    sides = [cells(), scaled("fd_judge", 1.25)]
    wild = [cells(task="faces_hats") for _ in range(2)]
    for record in wild[1]:
        record.metrics["fd_judge"].estimate.value *= (1.14, 0.9, 1.02)[record.seeds.sample]
    alike = [side + others for side, others in zip(sides, wild, strict=True)]
    assert one_of(compare(*alike), "digits_1", "vdu.fd_judge").kind == "unsure"
    for record in (record for records in wild for record in records):
        record.family = "faces"
    assert one_of(compare(*alike), "digits_1", "vdu.fd_judge").kind == "worse"


def one_of(comparison: Comparison, task: str, name: str) -> Verdict:
    (verdict,) = [v for v in comparison.verdicts if (v.task, f"{v.method}.{v.metric}") == (task, name)]
    return verdict


def test_wall_time_is_never_gated() -> None:
    assert compare(cells(), scaled("unlearn_seconds", 100)).passed


def test_an_unknown_metric_is_gated_by_its_direction() -> None:
    sides = [cells(), cells()]
    for records, value in zip(sides, (0.30, 0.20), strict=True):
        for record in records:
            metric = record.metrics["fd_judge"].model_copy(deep=True)
            metric.label, metric.better, metric.estimate.value = "clip_score", "higher", value
            record.metrics["clip_score"] = metric
    assert "vdu.clip_score" in found(compare(*sides))["worse"]
    assert compare(*reversed(sides)).passed


def test_no_change_loosens_its_own_gate() -> None:
    new = cells({"vdu": 0.9})
    for record in new:
        record.metrics["pul"].tolerance = "100"
        record.metrics["pul"].gate = "never"
    verdict = one(compare(cells(), new), "vdu.pul")
    assert (verdict.kind, str(verdict.tolerance)) == ("worse", "2")


def test_outcomes_of_other_samples_are_no_pairs() -> None:
    """The loss is that of the estimates then, and held against the seeds."""
    new = cells(draw=1)
    for record in new:
        record.outcomes["junk"] = Outcomes.of(record.outcomes["junk"].flags[:1000])
    verdict = one(compare(cells(), new), "vdu.junk_rate")
    assert verdict.loss == pytest.approx(verdict.new - verdict.old)


def test_a_metric_that_can_no_longer_be_estimated_is_a_loss() -> None:
    new = cells()
    for record in new:
        if record.method == "vdu":
            record.metrics["pul"].estimate.value = math.nan
            record.metrics["pul"].estimate.reason = "nothing to forget"
    comparison = compare(cells(), new)
    assert not comparison.passed
    assert {notice.where for notice in comparison.notices} == {f"digits_1/vdu/seed{seed}" for seed in range(3)}
    assert comparison.notices[0].text == "no pul any more: nothing to forget"
    assert compare(new, new).passed


def test_a_seed_that_diverged_fails_and_the_others_are_still_compared() -> None:
    new = [
        record.model_copy(update={"status": "diverged", "metrics": {}, "outcomes": {}, "protocol": None})
        if (record.method, record.seeds.sample) == ("vdu", 2)
        else record
        for record in cells()
    ]
    comparison = compare(cells(), new)
    assert not comparison.passed
    assert one(comparison, "vdu.pul").seeds == (0, 1)
