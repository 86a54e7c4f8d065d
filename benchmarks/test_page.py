"""A page of ten thousand records: how long it takes to make, and to open."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from vdu_bench.records import read_records

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
TASKS, STRENGTHS, SEEDS = 40, 23, 5


@pytest.fixture(scope="module", params=[3, 0], ids=["plain", "attacked"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 records: 40 tasks, 50 rows, 5 seeds; real ones of digits, each number moved by some 5 %.

    Of a seed of the reference without attacks, and of one with all of them, which have twice as many numbers.
    """
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("many")
    texts = {
        record.method: record.model_dump_json()
        for record in read_records(REFERENCE)
        if (record.task, record.seeds.sample) == ("digits_1", request.param)
    }
    rows: list[tuple[str, int | None]] = [(method, None) for method in ("original", "retrain", "real", "finetune")]
    rows += [(method, steps) for method in ("vdu", "esd") for steps in range(STRENGTHS)]
    for task in range(TASKS):
        for method, steps in rows:
            for seed in range(SEEDS):
                record = json.loads(texts[method])
                record["task"], record["seeds"]["sample"] = f"task_{task}", seed
                if steps is not None:
                    record["settings"]["steps"] = record["method_changes"]["steps"] = steps + 1
                for metric in record["metrics"].values():
                    if metric["estimate"].get("value") is not None:
                        metric["estimate"]["value"] *= rng.normal(1.0, 0.05)
                file = folder / "records" / f"task_{task}" / f"{method}+{steps}" / f"seed{seed}.json"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_make_and_open(benchmark, many: Path, tmp_path: Path) -> None:
    """The timed rounds are the whole command; opening is until the table and all figures are drawn."""
    command = [sys.executable, "-m", "vdu_bench", "page", str(many), "--out", str(tmp_path), "--store", str(tmp_path)]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=3)
    page = tmp_path / "index.html"
    benchmark.extra_info["page, MB"] = page.stat().st_size / 1e6
    if chromium := shutil.which("chromium"):
        benchmark.extra_info["opened, seconds"] = _opened(chromium, page)
    print("\n" + "; ".join(f"{key}: {value:.1f}" for key, value in benchmark.extra_info.items()))


def _opened(chromium: str, page: Path) -> float:
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    drawn = """
        return document.querySelector('main').getAttribute('aria-busy') === 'false'
          && [...document.querySelectorAll('.canvas')].every(one => one.dataset.ready)"""
    try:
        started = time.perf_counter()
        driver.get(page.as_uri())
        WebDriverWait(driver, 60, 0.05).until(lambda one: one.execute_script(drawn))
        return time.perf_counter() - started
    finally:
        driver.quit()
