"""From a folder of images to a model that diffusers loads, as the documents say it, by somebody who has only those.

A fresh environment has the wheel that is built here, and nothing else of the suite: an environment of its own, a home,
a store and a working folder that are new, and no path that leads to the checkout. What the suite depends on is that of
the tests' environment, since to install it again would take minutes and gigabytes.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


def blocks(page: str, *languages: str) -> list[str]:
    """What stands in a page's fences of some languages, in its order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


def commands(page: str) -> list[str]:
    """The commands of a page, in their order, without remarks."""
    lines = [line.partition("  #")[0].strip() for text in blocks(page, "", "sh") for line in text.splitlines()]
    return [line for line in lines if line.startswith("vdu-bench ")]


def photos(folder: Path) -> None:
    """Grey discs on colour for cats, stripes for dogs: 24 x 20 pixels, so that they have to be cut and resized."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:20, :24]
    for number in range(60):
        for kind in ("cat", "dog"):
            image = np.full((20, 24, 3), rng.integers(0, 256, 3), np.float64)
            x, y = rng.uniform(9, 15), rng.uniform(7, 13)
            there = (across - x) ** 2 + (down - y) ** 2 < 36 if kind == "cat" else (across + int(x)) % 6 < 3
            image[there] = 255 - image[there]
            file = folder / kind / f"{number:03}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image + rng.normal(0, 5, image.shape)).clip(0, 255).astype(np.uint8)).save(file)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the suite's wheel."""
    folder = tmp_path_factory.mktemp("fresh")
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder / "wheels", ROOT]
    # A path to the checkout would tell pip that the suite is there already.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(build, check=True, cwd=folder, env=clean)
    (wheel,) = (folder / "wheels").glob("vdu_bench-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, cwd=folder)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", *offline, wheel], check=True, cwd=folder, env=clean)
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(ask, check=True, env=clean, capture_output=True, text=True).stdout.strip())
    assert list(own.glob("vdu_bench-*.dist-info"))
    # After its own packages; and the .pth files of that folder, by which a checkout could come in, are not read.
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (own / "dependencies.pth").write_text("\n".join(paths) + "\n")
    return folder / "venv"


def test_from_a_folder_of_images_to_a_model_in_diffusers(environment: Path, tmp_path: Path) -> None:
    place, home = tmp_path / "work", tmp_path / "home"
    photos(place / "photos")
    home.mkdir()
    kept = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "LANG") if name in os.environ}
    path = f"{environment / 'bin'}{os.pathsep}{os.defpath}"

    def run(*words: str) -> str:
        done = subprocess.run(
            words, cwd=place, env={**kept, "PATH": path, "HOME": str(home)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def typed(line: str) -> str:
        command, *words = shlex.split(line)
        return run(str(environment / "bin" / command), *words)

    where = run(str(environment / "bin" / "python"), "-c", "import vdu_bench, vdu_baselines as b; print(b.__file__)")
    assert Path(where.strip()).is_relative_to(environment)

    new, long_run, quick_run, page, export = commands("own_data")[:5]
    assert long_run.startswith(quick_run.replace("pets_quick", "pets")), "the same, with more methods"
    assert page in commands("page")
    assert re.sub("pets_quick|no_cats", "", export) == re.sub("digits_1|no_ones", "", commands("python")[0])
    assert "120 images" in typed(new)
    (place / "pets_quick.yaml").write_text(blocks("own_data", "yaml")[0])
    assert "vdu" in typed(quick_run)
    records = {file.parent.name: json.loads(file.read_text()) for file in place.glob("results/records/pets_quick/*/*")}
    assert {"original", "retrain", "real", "vdu"} == set(records)
    assert {record["status"] for record in records.values()} == {"ok"}
    assert records["vdu"]["metrics"]["pul"]["estimate"]["value"] is not None
    typed(page)
    written = (place / "site" / "index.html").read_text()
    assert "pets_quick" in written
    assert "a diffusers pipeline" in typed(export)
    run(str(environment / "bin" / "python"), "-c", blocks("own_data", "python")[0])
    with Image.open(place / "not_a_cat.png") as picture:
        assert picture.size == (16, 16)
        assert np.ptp(np.asarray(picture)) > 0
    assert list(home.glob(".cache/*")), "the store was the user's own"
