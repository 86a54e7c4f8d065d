"""Words in figures are read by those who see little contrast."""

from __future__ import annotations

import pytest
import seaborn as sns

from vdu_bench.reports.method_style import LIGHT_COLORS
from vdu_bench.reports.plots.contrast import WORDS, contrast, text_color, text_on


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#d55e00", "#d55e00") == 1


@pytest.mark.parametrize("color", LIGHT_COLORS)
def test_a_methods_name_is_read_on_white(color: str) -> None:
    found = text_color(color)
    assert contrast(found, "white") >= WORDS
    if contrast(color, "white") >= WORDS:
        assert found == color
    else:
        assert contrast(found, "white") < WORDS + 0.3


def test_a_number_is_read_on_every_colour_of_a_heat_map() -> None:
    for ground in sns.color_palette("crest", 256):
        assert contrast(text_on(ground), ground) >= WORDS
