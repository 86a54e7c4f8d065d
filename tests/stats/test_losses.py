from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp

from vdu_bench.stats.losses import Losses, margins, p_values, standard_errors, summarise, two_sided


def losses(*cells: list[float], sampling: list[float] | None = None) -> Losses:
    """Cells of any number of seeds; `sampling` is one variance for each cell."""
    parts = [summarise(cell) for cell in cells]
    return Losses(
        np.array([part[0] for part in parts]),
        np.array([part[1] for part in parts]),
        None if sampling is None else np.array(sampling),
        np.array([len(cell) for cell in cells]),
    )


def test_without_sampling_variance_one_cell_is_the_paired_t_test() -> None:
    values = [0.4, 0.9, 0.7]
    expected = ttest_1samp(values, 0.2, alternative="greater").pvalue
    assert p_values(losses(values), 0.2)[0] == pytest.approx(expected)
    assert margins(losses(values))[0] == pytest.approx(t.isf(0.025, 2) * np.std(values, ddof=1) / math.sqrt(3))


def test_scatter_is_pooled_and_never_below_a_cells_own() -> None:
    calm, wild = [0.0, 0.1, 0.2], [0.0, 0.4, 0.8]
    errors, freedom = standard_errors(losses(calm, wild))
    assert errors == pytest.approx([math.sqrt(0.17 / 2 / 3), math.sqrt(0.16 / 3)])
    assert freedom == pytest.approx([2 * 0.17**2 / (0.16**2 + 0.01**2)] * 2)  # what scatters is one cell, nearly


@pytest.mark.parametrize("sampling", [None, 0.01])
def test_a_cell_that_broke_down_in_one_seed_is_left_out_of_the_pool(sampling: float | None) -> None:
    calm = [[0.3, 0.4, 0.5], [0.2, 0.3, 0.4], [-0.1, 0.0, 0.1]]
    variances = None if sampling is None else [sampling] * 4
    errors, freedom = standard_errors(losses(*calm, [0.0, 0.0, 9.0], sampling=variances))
    assert errors == pytest.approx([math.sqrt(0.01 / 3)] * 3 + [3.0])
    assert freedom == pytest.approx(([6.0] * 3 if sampling is None else [math.inf] * 3) + [2.0])
    # Where half of them do, that is how they scatter.
    half = standard_errors(losses(*calm[:2], [0.0, 0.0, 9.0], [0.0, 0.0, 8.0], [0.0, 9.0, 0.0], sampling=None))
    assert half[0][0] > 1.0


def test_a_pool_of_cells_that_scatter_alike_has_the_freedom_of_all() -> None:
    _, freedom = standard_errors(losses([0.0, 0.4, 0.8], [0.1, 0.5, 0.9], [0.2, 0.6, 1.0]))
    assert freedom == pytest.approx([6.0, 6.0, 6.0])
    _, freedom = standard_errors(losses([0.1, 0.1], [0.2, 0.2]))
    assert list(freedom) == [2.0, 2.0]


def test_a_pool_that_scatters_beyond_its_samples_has_its_own_freedom() -> None:
    """Three cells each too few to tell, which together scatter three times as far as their samples explain."""
    seeds = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])
    errors, freedom = standard_errors(losses(seeds, seeds + 1, seeds + 2, sampling=[1.0] * 3))
    assert errors == pytest.approx([1.0] * 3)
    assert freedom == pytest.approx([6.0] * 3)
    # One alone is as good as its seeds; and samples explain half as much.
    assert standard_errors(losses(seeds, sampling=[1.0]))[1] == pytest.approx([2.0])
    assert np.isinf(standard_errors(losses(seeds, sampling=[2.0]))[1]).all()


@pytest.mark.parametrize(("seeds", "least"), [(2, 0.82), (3, 0.88), (5, 0.92)])
@pytest.mark.parametrize("scatter", [0.0, 1.0, 8.0])
def test_a_cell_alone_is_covered(seeds: int, least: float, scatter: float) -> None:
    """Whatever its seeds scatter, in sampling variances; the shares are those of docs/protocol/gate.md."""
    drawn = np.random.default_rng(1).standard_normal((4000, seeds)) * np.sqrt(1 + scatter)
    mean, spread, sampling = summarise(drawn, np.ones_like(drawn))
    assert sampling is not None
    width = margins(Losses(mean[:, None], spread[:, None], sampling[:, None], np.array([seeds])))[:, 0]
    assert least <= float((np.abs(mean) <= width).mean()) <= 0.98


def test_with_sampling_variance_the_samples_are_the_least() -> None:
    errors, freedom = standard_errors(losses([0.1, 0.1, 0.1], sampling=[0.03]))
    assert errors == pytest.approx([0.1])
    assert np.isinf(freedom[0])
    assert p_values(losses([0.1, 0.1, 0.1], sampling=[0.03]), 0.05)[0] == pytest.approx(norm.sf(0.5))


def test_seeds_that_scatter_far_beyond_their_samples_are_the_sample() -> None:
    errors, freedom = standard_errors(losses([0.0, 0.0, 0.8], sampling=[0.001]))
    assert errors == pytest.approx([math.sqrt(np.var([0.0, 0.0, 0.8], ddof=1) / 3)])
    assert freedom[0] == 2


def test_one_seed_leans_on_samples_and_else_on_nothing() -> None:
    assert p_values(losses([0.3], sampling=[0.01]))[0] == pytest.approx(norm.sf(3))
    assert np.isnan(p_values(losses([0.3]))[0])
    assert np.isnan(margins(losses([0.3]))[0])


def test_cells_of_several_seeds_speak_for_one_of_a_single_seed() -> None:
    p = p_values(losses([0.1], [-0.1, 0.0, 0.1]))
    assert p[0] == pytest.approx(t.sf(1.0, 2))


def test_what_never_scatters_is_certain() -> None:
    p = p_values(losses([0.3, 0.3], [0.1, 0.1], [0.0, 0.0]), 0.1)
    assert list(p) == [0.0, 1.0, 1.0]


def test_leading_dimensions_are_kept() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4, 3))
    mean, scatter, _ = summarise(values)
    together = p_values(Losses(mean, scatter, None, np.full(4, 3)))
    assert together.shape == (5, 4)
    assert together[2] == pytest.approx(p_values(losses(*map(list, values[2]))))


def test_no_seed_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        summarise([])


def test_two_sided_is_scipys_paired_t_test_and_blind_to_the_sign() -> None:
    values = [0.4, 0.9, 0.7]
    expected = ttest_1samp(values, 0.0).pvalue
    assert two_sided(losses(values))[0] == pytest.approx(expected)
    assert two_sided(losses([-value for value in values]))[0] == pytest.approx(expected)
    assert list(two_sided(losses([0.1, -0.1], [0.2, -0.2]))) == [1.0, 1.0]
    assert np.isnan(two_sided(losses([0.3]))[0])
    assert two_sided(losses([0.0, 0.0]))[0] == 1.0
    assert two_sided(losses([0.2, 0.2]))[0] == 0.0
