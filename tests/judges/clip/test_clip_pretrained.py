from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import open_clip.factory
import open_clip.pretrained
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.judges.clip.pretrained import load_pretrained
from vdu_bench.judges.clip.specs import PretrainedClip

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 9, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
TAG = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "interpolation": "bilinear", "resize_mode": "squash"}
PROMPTS = ["a hat", "a person with a hat", "nothing", "a hat"]


@pytest.fixture(scope="module", autouse=True)
def _known_to_open_clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A model ``tiny`` in open_clip's list, with weights ``quick``, which were "trained" with QuickGELU."""
    file = tmp_path_factory.mktemp("configs") / "tiny.json"
    file.write_text(json.dumps(TINY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS, file])
        patch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
        open_clip.factory._rescan_model_configs()
        tag = {**TAG, "hf_hub": "someone/tiny_clip/", "quick_gelu": True}
        patch.setitem(open_clip.pretrained._PRETRAINED, "tiny", {"quick": tag})
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, _known_to_open_clip: None) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = open_clip.create_model("tiny")
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(model.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Smooth ones, neither square nor of the model's size."""
    coarse = torch.rand(4, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    return (torch.nn.functional.interpolate(coarse, (24, 40), mode="bilinear") * 255).round().to(torch.uint8)


def documented(images: Tensor, prompts: list[str], model: Any, preprocess: Any, dtype: torch.dtype) -> Tensor:
    """The usage in open_clip's README."""
    tokenizer = open_clip.get_tokenizer("tiny")
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    with torch.no_grad():
        seen = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]).to(dtype)).float()
        told = model.encode_text(tokenizer(prompts)).float()
    seen /= seen.norm(dim=-1, keepdim=True)
    told /= told.norm(dim=-1, keepdim=True)
    return 100 * (seen @ told.T).diagonal()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)]
)
def test_scores_are_open_clip_s_own(weights: Path, images: Tensor, precision: Any, dtype: torch.dtype) -> None:
    scorer = load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(weights), precision=precision))
    assert scorer.name == f"tiny/mine/{precision}"
    model, _, preprocess = open_clip.create_model_and_transforms("tiny", str(weights), precision=precision)
    expected = documented(images, PROMPTS, model, preprocess, dtype)
    torch.testing.assert_close(scorer.score(images, PROMPTS).float(), expected, atol=1e-5, rtol=1e-6)
    assert expected.std() > 0.1


def test_a_file_is_read_as_the_weights_that_it_is_said_to_be(weights: Path, images: Tensor) -> None:
    """With the activation and the preprocessing that open_clip knows of these weights: with others they score wrong."""
    scorer = load_pretrained(PretrainedClip(model="tiny", weights="quick", file=str(weights)))
    model, _, preprocess = open_clip.create_model_and_transforms(
        "tiny", str(weights), force_quick_gelu=True, **{f"image_{key}": value for key, value in TAG.items()}
    )
    expected = documented(images, PROMPTS, model, preprocess, torch.float32)
    torch.testing.assert_close(scorer.score(images, PROMPTS).float(), expected, atol=1e-5, rtol=1e-6)
    plain = load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(weights)))
    told = [model.embed_prompts(PROMPTS) for model in (scorer, plain)]
    assert not torch.allclose(*told, atol=1e-4)


def test_downloaded_weights_are_read_like_a_file(
    weights: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_clip, "download_pretrained", lambda known: str(weights) if "hf_hub" in known else "")
    downloaded = load_pretrained(PretrainedClip(model="tiny", weights="quick"))
    local = load_pretrained(PretrainedClip(model="tiny", weights="quick", file=str(weights)))
    assert downloaded.name == local.name == "tiny/quick/fp32"
    assert torch.equal(downloaded.score(images, PROMPTS), local.score(images, PROMPTS))


def test_the_papers_weights_are_such() -> None:
    """open_clip's default for this model's name is another activation, and it only warns of that."""
    assert open_clip.get_pretrained_cfg("ViT-L-14", "openai")["quick_gelu"]
    assert not open_clip.get_model_config("ViT-L-14").get("quick_gelu", False)


def test_tensors_alone_are_read_from_a_pickle(weights: Path, images: Tensor, tmp_path: Path) -> None:
    safe = load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(weights)))
    torch.save({"state_dict": safe.model.state_dict()}, tmp_path / "tiny.pt")
    pickled = load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(tmp_path / "tiny.pt")))
    assert pickled.digest() == safe.digest()
    assert torch.equal(pickled.score(images, PROMPTS), safe.score(images, PROMPTS))


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    (tmp_path / "tiny.pt").write_bytes(pickle.dumps(Hostile(target), protocol=2))
    with pytest.raises(UserError, match="tensors alone.*take safetensors"):
        load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(tmp_path / "tiny.pt")))
    assert not target.exists()


def test_without_a_network_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(known: dict[str, Any]) -> str:
        raise FileNotFoundError(f"Failed to download file for {known['hf_hub']}")

    monkeypatch.setattr(open_clip, "download_pretrained", unreachable)
    words = r"'openai' of ViT-L-14 cannot be downloaded .*path of a copy as `file` .*timm/vit_large_patch14_clip_224"
    with pytest.raises(UserError, match=words):
        load_pretrained(PretrainedClip())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"model": "tinny"}, "open_clip has no model 'tinny'; did you mean 'tiny'"),
        ({"model": "tiny", "weights": "quik"}, "no weights 'quik' for tiny; did you mean 'quick'.*as `file`"),
        ({"model": "tiny", "weights": "quick", "file": "nowhere.pt"}, "nowhere.pt is no file.*'quick' of tiny"),
    ],
)
def test_what_there_is_not_is_named(spec: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_pretrained(PretrainedClip(**spec))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_file({"visual.proj": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="tiny cannot be made with the weights in .*other.safetensors"):
        load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(tmp_path / "other.safetensors")))


def test_the_global_generator_is_left_alone(weights: Path) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(weights)))
    assert torch.equal(torch.get_rng_state(), state)


def test_prompts_as_long_as_the_context_are_not_cut(weights: Path) -> None:
    scorer = load_pretrained(PretrainedClip(model="tiny", weights="mine", file=str(weights)))
    scorer.embed_prompts(["a hat", "one two three four five six seven"])
    with pytest.raises(UserError, match="longer than the 9 tokens"):
        scorer.embed_prompts(["one two three four five six seven eight"])
