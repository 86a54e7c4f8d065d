"""The page for those who read it with other eyes, other hands, or on paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hostile import no_samples
from page_reader import Page, sorted_by

from vdu_bench.reports.plots.contrast import WORDS, contrast

MARKS = 3.0
"""Contrast that WCAG 2.2 AA asks of the edge of a control."""


@pytest.fixture(scope="module")
def colors() -> dict[str, tuple[str, str]]:
    """By name, on light and on dark."""
    style = (files("vdu_bench.reports.page") / "assets" / "page.css").read_text(encoding="utf-8")
    return {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", style)}


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_edges_are_told_from_every_ground(colors: dict[str, tuple[str, str]], dark: bool) -> None:
    for ground in ("ground", "card", "raised", "accent-soft"):
        for words in ("text", "quiet", "accent", "alarm"):
            assert contrast(colors[words][dark], colors[ground][dark]) >= WORDS, (words, ground)
    for ground in ("ground", "card"):
        assert contrast(colors["edge"][dark], colors[ground][dark]) >= MARKS, ground


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Page]:
    made = Page(browser, page_file)
    made.open()
    yield made
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def as_if(page: Page, media: str = "", **features: str) -> None:
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": wanted})


@pytest.mark.browser
def test_a_column_sorts_by_the_space_bar(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.header("junk rate").find_element("css selector", "[role=button]").send_keys(Keys.SPACE)
    page.settle(sorted_by("junk rate", "ascending"))


@pytest.mark.browser
def test_the_window_is_named_after_its_task(page: Page) -> None:
    page.open("#digits_8")
    assert page.driver.title.startswith("digits_8, Results ")


@pytest.mark.browser
def test_the_menu_of_a_figure_says_what_it_is(page: Page) -> None:
    menus = page.driver.find_elements("css selector", ".canvas summary")
    assert menus
    for menu in menus:
        assert menu.accessible_name.startswith("Save the figure digits_1")
        assert float(page.run("return getComputedStyle(arguments[0].parentElement).opacity", menu)) == 1


@pytest.mark.browser
def test_names_under_a_figure_are_large_enough_for_a_finger(page: Page) -> None:
    heights = page.run(
        "return [...document.querySelectorAll('.legend a')].map(one => one.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) >= 24


@pytest.mark.browser
def test_marks_are_words_too(page: Page) -> None:
    marks = page.driver.find_elements("css selector", ".board abbr.mark")
    words = {mark.get_attribute("textContent") for mark in marks}
    assert {"† not told from the best", "◇ on the Pareto front"} <= words


@pytest.mark.browser
def test_the_hint_goes_away_with_escape(page: Page) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(page.driver).move_to_element(page.find(".figure svg [aria-label^='gradient_ascent']")).perform()
    page.settle("return !document.getElementById('tip').hidden")
    ActionChains(page.driver).send_keys(Keys.ESCAPE).perform()
    page.settle("return document.getElementById('tip').hidden")


@pytest.mark.browser
def test_colours_that_the_system_forces_leave_the_focus_to_be_seen(page: Page) -> None:
    as_if(page, forced_colors="active")
    page.open("#digits_8/vdu")
    styles = page.run("return [...document.activeElement.children].map(one => getComputedStyle(one).outlineStyle)")
    assert set(styles) == {"solid"}
    pressed, other = page.run(
        """
        const color = (pressed) =>
          getComputedStyle(document.querySelector(`.choice [aria-pressed=${pressed}]`)).backgroundColor;
        return [color(true), color(false)]"""
    )
    assert pressed != other


@pytest.mark.browser
def test_paper_is_light_and_shows_whole_tables(page: Page) -> None:
    as_if(page, prefers_color_scheme="dark")
    page.open("#digits_1")
    screen = page.run("return getComputedStyle(document.body).color")
    width = {"width": 794, "height": 1100, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", width)
    as_if(page, "print", prefers_color_scheme="dark")
    assert page.run("return getComputedStyle(document.body).color") == "rgb(27, 32, 38)" != screen
    assert page.run(
        "return [...document.querySelectorAll('.scroll')].every(one => getComputedStyle(one).overflowX === 'visible')"
    )
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
@pytest.mark.usefixtures("libraries")
def test_long_names_of_many_tasks_fit_a_narrow_window(
    browser: Any, tmp_path: Path, make_records: Callable[..., list[Any]]
) -> None:
    from vdu_bench.reports.page.page import page_text

    names = [f"digits_{index}+posterior.snapshots=5+samples=1000" for index in range(15)]
    (tmp_path / "index.html").write_text(page_text(make_records(names, seeds=(0,)), no_samples, "Many"))
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        page = Page(browser, tmp_path / "index.html")
        page.open()
        assert page.run("return [innerWidth, document.documentElement.scrollWidth]") == [320, 320]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
