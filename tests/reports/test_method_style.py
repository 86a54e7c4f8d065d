"""A method's colour and marker."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from vdu_bench.reports.method_style import HUES, MARKERS, method_styles

PAGE_DARK, WHITE = "#14181d", "#ffffff"


def luminance(color: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def registered() -> list[str]:
    return [point.name for point in entry_points(group="vdu_bench.methods")]


def test_registered_methods_look_different_and_keep_their_look() -> None:
    styles = method_styles(registered())
    assert len({(style.color, style.marker) for style in styles.values()}) == len(styles)
    for name, style in styles.items():
        assert method_styles([name, "zzz", f"{name}[a=1]", "aaa"])[name] == style


@pytest.mark.parametrize("ground", [WHITE, PAGE_DARK])
def test_all_are_seen_on_light_and_on_dark(ground: str) -> None:
    for name, style in method_styles(registered()).items():
        # 3 to 1 is what WCAG asks of parts of a figure; amber and brown lie at the two ends.
        assert contrast(style.dark if ground == PAGE_DARK else style.color, ground) >= 2.99, name


def test_a_variant_keeps_the_hue_and_changes_the_marker() -> None:
    rows = ["vdu", *(f"vdu[gamma={gamma}]" for gamma in (0.1, 0.3, 0.5, 0.7, 0.9))]
    styles = method_styles(rows)
    assert len({style.color for style in styles.values()}) == 1
    assert len({style.marker for style in styles.values()}) == len(rows)


def test_names_from_elsewhere_do_not_collide() -> None:
    rows = [f"mine_{index}" for index in range(len(HUES) * len(MARKERS) - len(registered()))]
    styles = method_styles([*rows, *registered()])
    assert len({(style.color, style.marker) for style in styles.values()}) == len(styles)


def test_more_rows_than_looks_still_have_one_each() -> None:
    assert len(method_styles(f"mine_{index}" for index in range(500))) == 500


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [*registered(), "a", "b", "vdu[x=1]", "vdu[x=2]", "b[x=1]"]
    assert method_styles(rows) == method_styles(reversed(rows))
