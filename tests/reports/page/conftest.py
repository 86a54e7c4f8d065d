"""Records that fill every part of a page, the page of them, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import END, IMAGE, SCRIPT, no_samples

from vdu_bench.measured import Estimate, Matrix, MetricResult, Outcomes
from vdu_bench.metrics.catalog import metric_facts
from vdu_bench.records import Record
from vdu_bench.reports.page.page import page_text


def with_changes(record: Record, **changes: Any) -> Record:
    return record.model_copy(update=changes, deep=True)


def attacked(record: Record) -> Record:
    """With metrics of an attack, which differ in a number, and a matrix over numbers."""
    rate = record.metrics["concept_rate"].estimate.value
    facts = metric_facts("concept_rate").model_dump() | {"group": "robustness"}
    for times, steps in enumerate((10, 50, 200), 1):
        name = f"comes_back_{steps}"
        estimate = Estimate(value=rate * times, low=0.8 * rate * times, high=1.2 * rate * times, n=100)
        record.metrics[name] = MetricResult(**(facts | {"label": name}), estimate=estimate)
    record.metrics["relearned"] = MetricResult(**(facts | {"label": "relearned"}), estimate=Estimate(value=rate, n=100))
    record.matrices["relearned"] = Matrix(
        rows=["concept"], columns=["0 steps", "100 steps"], unit="%", before=[[10.0, 10.0]], after=[[1.0, rate]]
    )
    return record


@pytest.fixture(scope="session")
def page_records(make_record: Callable[..., Record], make_records: Callable[..., list[Record]]) -> list[Record]:
    """Two tasks; of the first a sweep, two amounts of data, an attack, a run that diverged, and names that are code."""
    records = make_records()
    for steps in (15, 120):
        for seed in (0, 1, 2):
            changes = {"settings": {"steps": steps}, "settings_changed": {"steps": steps}}
            records.append(with_changes(make_record("vdu", seed), method_changes={"steps": steps}, **changes))
    records += [with_changes(make_record(method, 0), forget_images=5) for method in ("original", "vdu")]
    records.append(with_changes(make_record("finetune", 0, status="diverged"), method="salun"))
    hostile = {
        "warnings": [IMAGE],
        "settings": {"steps": END},
        "environment": {"device": IMAGE},
        "settings_from": "task",
    }
    records.append(with_changes(make_record("vdu", 0), method=SCRIPT, **hostile))
    records.append(with_changes(make_record("vdu", 0), method="other", called=IMAGE, method_changes={"a": 1}))
    return [attacked(record) if record.role == "contestant" and record.metrics else record for record in records]


@pytest.fixture(scope="session")
def shown_records(make_record: Callable[..., Record]) -> list[Record]:
    """An original and a method of one seed, with what the judge saw in 20 samples."""
    flags = {"original": np.arange(20) % 2 == 0, "vdu": np.arange(20) == 4}
    return [
        with_changes(
            make_record(method, 0),
            outcomes={"forget": Outcomes.of(shown)},
            stages={"samples": f"{method}-samples", "original_samples": "original-samples", "unlearned": method},
        )
        for method, shown in flags.items()
    ]


@pytest.fixture(scope="session")
def libraries() -> None:
    """What is in a page is installed; without it, a test that makes one is skipped."""
    for module in ("vl_convert", "itables"):
        pytest.importorskip(module, reason="the extra 'page' is not installed")


@pytest.fixture(scope="session")
def page_file(libraries: None, page_records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    file = tmp_path_factory.mktemp("site") / "index.html"
    file.write_text(page_text(page_records, no_samples, f"Results {IMAGE}"))
    return file


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("there is no Chromium with its driver; Debian has them as chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()
