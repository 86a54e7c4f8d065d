"""Names beside points: none hides another, and each is told whose it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from vdu_bench.reports.plots.labels import Label, place_labels


@pytest.fixture
def axes() -> Axes:
    axes = Figure(figsize=(7, 4.6), layout="constrained").add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(1, 100)
    axes.set_ylim(0, 100)
    return axes


def boxes(axes: Axes, written: list[Annotation]) -> list[Bbox]:
    """Of the words alone, without their lines."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    assert isinstance(figure.canvas, FigureCanvasAgg)
    figure.draw_without_rendering()
    return [Text.get_window_extent(found, figure.canvas.get_renderer()) for found in written]


def crowd(count: int, spread: float) -> list[Label]:
    rng = np.random.default_rng(count)
    places = np.stack([np.exp(rng.normal(2, spread / 20, count)), rng.normal(50, spread, count)], axis=1)
    return [Label(f"a_method_{i}", (float(x), float(y)), "#000000") for i, (x, y) in enumerate(places)]


@pytest.mark.parametrize("spread", [1.0, 6.0])
def test_names_of_a_crowd_do_not_overlap(axes: Axes, spread: float) -> None:
    labels = crowd(16, spread)
    written = place_labels(axes, labels)
    found = boxes(axes, written)
    for one, other in itertools.combinations(found, 2):
        assert not one.overlaps(other)
    area = axes.get_window_extent()
    for box in found:
        assert area.x0 <= box.x0 < box.x1 <= area.x1
        assert area.y0 <= box.y0 < box.y1 <= area.y1


def test_a_name_alone_stands_beside_its_point_without_a_line(axes: Axes) -> None:
    (found,) = place_labels(axes, [Label("vdu", (10, 50), "#000000")])
    x, y = found.get_position()
    assert 0 < x < 30
    assert abs(y) < 5
    assert found.arrow_patch is not None
    assert not found.arrow_patch.get_visible()


def test_what_must_not_be_hidden_is_not(axes: Axes) -> None:
    axes.figure.draw_without_rendering()
    x, y = axes.transData.transform((10, 50))
    beside = Bbox([[x + 5, y - 100], [x + 300, y + 100]])
    (found,) = place_labels(axes, [Label("vdu", (10, 50), "#000000")], taken=[beside])
    assert found.get_position()[0] < 5


def test_the_same_points_give_the_same_places() -> None:
    def places() -> list[tuple[float, float]]:
        axes = Figure(figsize=(7, 4.6)).add_subplot()
        axes.set_xlim(1, 20)
        axes.set_ylim(0, 100)
        return [found.get_position() for found in place_labels(axes, crowd(8, 5.0))]

    assert places() == places()


def test_nothing_is_written_from_nothing(axes: Axes) -> None:
    assert place_labels(axes, []) == []
