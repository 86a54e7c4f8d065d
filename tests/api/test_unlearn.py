"""A pipeline of one's own: it forgets as a task's model would, and the one that was given stays as it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMPipeline, StableDiffusionPipeline, UNet2DModel
from own_pipelines import same, state_of, unlearned
from PIL import Image
from prompted import IMAGES
from torch import nn

import vdu_bench
from vdu_bench.api.own_pipeline import model_of
from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.vdu import VDU
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.specs import LaplacePosterior

SHORT = {"steps": 2, "batch_size": 3}
PICTURES = torch.randint(256, (5, 1, 8, 8), generator=torch.Generator().manual_seed(3)).to(torch.uint8)


def posterior_of(network: nn.Module, names: Callable[[str], bool] = lambda _: True) -> WeightPosterior:
    weights = {name: p.detach().float().clone() for name, p in network.named_parameters() if names(name)}
    return WeightPosterior(weights, {name: torch.full_like(p, 0.01) for name, p in weights.items()})


@pytest.fixture
def ddpm(tiny_model: UnconditionalDDPM) -> DDPMPipeline:
    """A plain pipeline, whose sampler is not the noise that it was trained with."""
    network = tiny_model.denoiser.requires_grad_(True).train()
    return DDPMPipeline(network, DDIMScheduler.from_config(tiny_model.noise_scheduler.config))


@pytest.fixture
def text(tiny_text_to_image: TextToImage) -> StableDiffusionPipeline:
    return tiny_text_to_image.pipeline()


def test_it_is_what_a_task_would_make_to_the_bit(ddpm: DDPMPipeline, tiny_model: UnconditionalDDPM) -> None:
    posterior = posterior_of(ddpm.unet)
    made = unlearned(ddpm, "vdu", PICTURES, posterior=posterior, seed=5, gamma=0.3, **SHORT)
    images = ImageSet(PICTURES, torch.ones(5, 1, dtype=torch.bool), ("it",))
    method = make_method("vdu", {"gamma": 0.3, **SHORT})
    base = tiny_model.freeze()
    context = UnlearningContext(base, images, "it", "full", method.needs, 5, posterior.only, lambda: pytest.fail("no"))
    wanted = method.unlearn(base, context).denoiser.state_dict()
    assert same(made.unet.state_dict(), wanted)
    assert not same(made.unet.state_dict(), tiny_model.denoiser.state_dict())


def test_what_was_given_stays_as_it_is(ddpm: DDPMPipeline) -> None:
    before, scheduler = state_of(ddpm), ddpm.scheduler
    made = unlearned(ddpm, VDU(**SHORT), PICTURES, posterior=posterior_of(ddpm.unet))
    assert same(state_of(ddpm), before)
    assert ddpm.scheduler is scheduler
    assert ddpm.unet.training
    assert all(p.requires_grad for p in ddpm.unet.parameters())
    assert type(made) is type(ddpm)
    assert type(made.unet) is UNet2DModel
    assert made.unet.training
    assert all(p.requires_grad for p in made.unet.parameters())
    assert made.scheduler.config == scheduler.config
    assert made.scheduler is not scheduler
    # No memory in common, or to train one would be to train the other.
    assert not {p.data_ptr() for p in made.unet.parameters()} & {p.data_ptr() for p in ddpm.unet.parameters()}


def test_the_result_is_a_pipeline_that_can_be_saved_and_read(ddpm: DDPMPipeline, tmp_path: Path) -> None:
    made = unlearned(ddpm, "gradient_ascent", PICTURES, **SHORT)
    made.save_pretrained(tmp_path / "made")
    again = load_model(tmp_path / "made", "unconditional").denoiser.state_dict()
    assert same(again, made.unet.state_dict())
    assert DDPMPipeline.from_pretrained(tmp_path / "made").scheduler.config["_class_name"] == "DDIMScheduler"


def test_half_precision_is_worked_on_in_full_and_given_back(ddpm: DDPMPipeline) -> None:
    rounded = copy.deepcopy(ddpm).to(torch.float16)
    full = copy.deepcopy(rounded).to(torch.float32)
    made = unlearned(rounded, "gradient_ascent", PICTURES, **SHORT)
    wanted = unlearned(full, "gradient_ascent", PICTURES, **SHORT)
    assert {p.dtype for p in made.unet.parameters()} == {torch.float16}
    assert same(made.unet.state_dict(), {name: v.half() for name, v in wanted.unet.state_dict().items()})


def test_images_as_people_have_them(ddpm: DDPMPipeline, tmp_path: Path) -> None:
    files = []
    (tmp_path / "folder" / "below").mkdir(parents=True)
    for number, image in enumerate(PICTURES[:, 0]):
        files.append(tmp_path / "folder" / ("below" if number > 2 else ".") / f"{number}.png")
        Image.fromarray(image.numpy()).convert("RGB").save(files[-1])
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    wanted = state_of(unlearned(ddpm, "gradient_ascent", PICTURES, **SHORT))
    opened = [Image.open(file) for file in files]
    batches = [PICTURES[:2], PICTURES[2:]]
    for given in (
        tmp_path / "folder",
        str(tmp_path / "folder"),
        files,
        opened,
        PICTURES / 255,
        list(PICTURES),
        batches,
    ):
        assert same(state_of(unlearned(ddpm, "gradient_ascent", given, **SHORT)), wanted)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nowhere", "forget: there is no nowhere"),
        ([], "there are no images"),
        (torch.zeros(2, 3, 8, 8), r"\[2, 3, 8, 8\], and the pipeline makes images of \[1, 8, 8\]"),
        (PICTURES.float(), "floating point in 0..1"),
        (7, "forget is a int: give a folder"),
        ([Path(__file__)], "cannot be read as an image"),
        ([3], "forget holds a int"),
    ],
)
def test_images_that_are_none(ddpm: DDPMPipeline, given: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        unlearned(ddpm, "gradient_ascent", given)


def test_an_empty_folder(ddpm: DDPMPipeline, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"forget: there are no images in .* \(\.png, "):
        unlearned(ddpm, "gradient_ascent", tmp_path)


def test_what_is_hidden_or_no_image_is_none_of_a_folder_s(ddpm: DDPMPipeline, tmp_path: Path) -> None:
    for number, image in enumerate(PICTURES[:, 0]):
        Image.fromarray(image.numpy()).save(tmp_path / f"{number}.png")
    wanted = state_of(unlearned(ddpm, "gradient_ascent", PICTURES, **SHORT))
    # As a Mac and a notebook leave them, and what Pillow has an ending for.
    (tmp_path / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    for name in ("notes.pdf", "film.mpg", "features.h5"):
        (tmp_path / name).write_bytes(b"no image")
    for folder in (".ipynb_checkpoints", "__MACOSX"):
        (tmp_path / folder).mkdir()
        Image.fromarray(255 - PICTURES[0, 0].numpy()).save(tmp_path / folder / "0-checkpoint.png")
    assert same(state_of(unlearned(ddpm, "gradient_ascent", tmp_path, **SHORT)), wanted)


def test_a_tilde_is_the_home_folder(ddpm: DDPMPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    Image.fromarray(PICTURES[0, 0].numpy()).save(tmp_path / "x" / "0.png")
    posterior_of(ddpm.unet).save(tmp_path / "posterior.safetensors")
    wanted = state_of(unlearned(ddpm, "vdu", PICTURES[:1], posterior=tmp_path / "posterior.safetensors", **SHORT))
    for forget in ("~/x", Path("~/x/0.png"), ["~/x/0.png"]):
        made = unlearned(ddpm, "vdu", forget, posterior="~/posterior.safetensors", **SHORT)
        assert same(state_of(made), wanted)
    with pytest.raises(UserError, match=f"{tmp_path / 'x'} has 0 folders with a U-Net"):
        unlearned(ddpm, "vdu", "~/x", posterior="~/x")
    with pytest.raises(UserError, match=f"{tmp_path / 'x'} has no safetensors"):
        unlearned(ddpm, "vdu", "~/x", posterior=["~/x", "~/x"])


@pytest.mark.parametrize(
    ("method", "given", "words"),
    [
        ("vdu", {"forget": PICTURES}, "VDU needs a posterior over the weights: posterior="),
        ("vdu", {"posterior": "laplace"}, "VDU needs images of what is to be forgotten: forget="),
        ("gradient_ascent", {}, "needs images of what is to be forgotten"),
        ("salun", {"forget": PICTURES}, "SalUn needs images of what is to be kept: retain="),
        ("finetune", {"forget": PICTURES}, "Finetune needs images of what is to be kept: retain="),
        ("uce", {}, "UCE works on text_to_image models only"),
        ("original", {}, "Original is a reference row"),
        ("retrain", {}, "Retrain is a reference row"),
        ("nobody", {}, "unknown method 'nobody'"),
        ("vdu", {"gama": 1}, "vdu has no setting 'gama'; did you mean 'gamma'"),
        (VDU(), {"gamma": 1}, "VDU has its settings already; give gamma to it"),
        ("gradient_ascent", {"forget": PICTURES, "prompts": "a one"}, "prompts: an unconditional pipeline takes no"),
        ("gradient_ascent", {"forget": PICTURES, "sampler": {"step": 3}}, "sampler has no setting 'step'"),
        ("gradient_ascent", {"forget": PICTURES, "sampler": 30}, "sampler is a int: give a SamplerSpec or its fields"),
        ("gradient_ascent", {"forget": PICTURES, "autocast": "bf16"}, "unlearn.autocast='bf16': it should be 'off', "),
        ("gradient_ascent", {"gradient_checkpointing": "some"}, "gradient_checkpointing='some': it is neither true"),
        (3, {}, "method is a int: give a method's name"),
        (Path, {}, "method is a Path: give a method's name"),
        ("vdu", {"forget": PICTURES, "posterior": 3}, "posterior is a int: give a folder of checkpoints"),
        ("vdu", {"forget": PICTURES, "posterior": [3, 4]}, "posterior holds a int: give folders"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(
    ddpm: DDPMPipeline, method: Any, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as error:
        unlearned(ddpm, method, **given)
    assert "\n" not in str(error.value)


def test_no_setting_of_a_method_is_called_like_an_argument() -> None:
    own = set(vdu_bench.unlearn.__kwdefaults__) | {"pipeline", "method", "forget"}
    for name, method in METHODS.working().items():
        assert not own & set(method.Settings.model_fields), name


def test_a_posterior_from_a_folder_of_checkpoints_is_their_mean_and_deviation(
    ddpm: DDPMPipeline, tmp_path: Path
) -> None:
    names = ("checkpoint-9", "checkpoint-10", "checkpoint-100")
    for number, name in enumerate(names):
        other = copy.deepcopy(ddpm)
        with torch.no_grad():
            for parameter in other.unet.parameters():
                parameter += 0.01 * number
        # As diffusers' scripts keep them: a U-Net in a folder of its own, and no index around it.
        other.unet.save_pretrained(tmp_path / name / "unet")
    weights = {name: p.detach() for name, p in ddpm.unet.named_parameters()}
    posterior = WeightPosterior(
        {name: p + 0.01 for name, p in weights.items()}, {name: torch.full_like(p, 0.01) for name, p in weights.items()}
    )
    settings = {**SHORT, "center": "mean", "learning_rate": 0.1}
    wanted = unlearned(ddpm, "vdu", PICTURES, posterior=posterior, **settings).unet.state_dict()
    for given in (tmp_path, [tmp_path / name for name in names]):
        made = unlearned(ddpm, "vdu", PICTURES, posterior=given, **settings).unet.state_dict()
        for name, value in made.items():
            torch.testing.assert_close(value, wanted[name], rtol=1e-3, atol=1e-5)
    (tmp_path / "lonely" / "one" / "unet").mkdir(parents=True)
    with pytest.raises(UserError, match=r"lonely has 0 folders with a U-Net"):
        unlearned(ddpm, "vdu", PICTURES, posterior=tmp_path / "lonely")
    with pytest.raises(UserError, match="there is no folder"):
        unlearned(ddpm, "vdu", PICTURES, posterior="nowhere")


def test_a_posterior_from_a_file_from_laplace_and_of_another_network(ddpm: DDPMPipeline, tmp_path: Path) -> None:
    posterior = posterior_of(ddpm.unet)
    posterior.save(tmp_path / "posterior.safetensors")
    read = WeightPosterior.load(tmp_path / "posterior.safetensors")
    wanted = unlearned(ddpm, "vdu", PICTURES, posterior=read, **SHORT)
    made = unlearned(ddpm, "vdu", PICTURES, posterior=tmp_path / "posterior.safetensors", **SHORT)
    assert same(state_of(made), state_of(wanted))
    laplace = LaplacePosterior(source="laplace", samples=3)
    made = unlearned(ddpm, "vdu", PICTURES, posterior=laplace, sampler={"steps": 2}, **SHORT)
    assert not same(state_of(made), state_of(ddpm))
    first = next(iter(posterior.std))
    wrong = WeightPosterior(posterior.mean, {**posterior.std, first: torch.ones(2)})
    with pytest.raises(UserError, match=f"posterior: {first} is \\[2\\]"):
        unlearned(ddpm, "vdu", PICTURES, posterior=wrong)
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="is no file that WeightPosterior.save wrote"):
        unlearned(ddpm, "vdu", PICTURES, posterior=tmp_path / "other.safetensors")


HATS = IMAGES.images[:3]


def test_prompts_alone_are_enough_for_methods_that_edit(text: StableDiffusionPipeline) -> None:
    before = state_of(text)
    made = unlearned(text, "uce", prompts="a hat", anchor="a person", keep=["bangs"])
    assert same(state_of(text), before)
    changed = {name for name, value in state_of(made).items() if not torch.equal(value, before[name])}
    assert changed
    assert all("attn2.to_" in name for name in changed)
    # What no method touches is shared.
    assert made.vae is text.vae
    assert made.text_encoder is text.text_encoder
    with pytest.raises(UserError, match="UCE needs prompts that ask for what is to be forgotten"):
        unlearned(text, "uce")


def test_images_have_their_own_captions(text: StableDiffusionPipeline, tmp_path: Path) -> None:
    for number, image in enumerate(HATS):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    captions = ["a hat", "a person with a hat", "a portrait with a hat"]
    rows = [json.dumps({"file_name": f"{number}.png", "text": text}) for number, text in enumerate(captions)]
    # With a newline at its end, as files have.
    (tmp_path / "metadata.jsonl").write_text("".join(f"{row}\n" for row in rows))
    posterior = posterior_of(text.unet, lambda name: "attn2" in name)
    wanted = state_of(unlearned(text, "vdu", HATS, captions=captions, posterior=posterior, **SHORT))
    assert same(state_of(unlearned(text, "vdu", tmp_path, posterior=posterior, **SHORT)), wanted)
    other = unlearned(text, "vdu", HATS, captions="a hat", posterior=posterior, **SHORT)
    assert not same(state_of(other), wanted)
    same_as_prompts = unlearned(text, "vdu", HATS, prompts="a hat", posterior=posterior, **SHORT)
    assert same(state_of(other), state_of(same_as_prompts))
    (tmp_path / "metadata.jsonl").write_text(rows[0])
    with pytest.raises(UserError, match="has captions, and none for 1.png"):
        unlearned(text, "vdu", tmp_path, posterior=posterior)
    (tmp_path / "metadata.jsonl").write_text(f'{rows[0]}\n{{"file_name": "1.png", "text": null}}\n')
    with pytest.raises(UserError, match="needs a file_name and a text for each image"):
        unlearned(text, "vdu", tmp_path, posterior=posterior)


def test_captions_under_another_key_are_not_passed_over(
    text: StableDiffusionPipeline, ddpm: DDPMPipeline, tmp_path: Path
) -> None:
    Image.fromarray(PICTURES[0, 0].numpy()).save(tmp_path / "0.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "0.png", "caption": "a hat"}\n')
    posterior = posterior_of(text.unet, lambda name: "attn2" in name)
    given = {"prompts": "a hat", "posterior": posterior}
    wrong = r"metadata.jsonl has no 'text' for any image, .* or pass captions="
    with pytest.raises(UserError, match=wrong):
        unlearned(text, "vdu", tmp_path, **given)
    with pytest.raises(UserError, match="or pass retain_captions="):
        unlearned(text, "salun", HATS, prompts="a hat", retain=tmp_path)
    # Nobody needs them, where they are said or there are no words.
    unlearned(text, "vdu", tmp_path, captions="a hat", **given, **SHORT)
    unlearned(ddpm, "gradient_ascent", tmp_path, **SHORT)
    # Another file may have them.
    (tmp_path / "metadata.csv").write_text("file_name,text\n0.png,a hat\n")
    unlearned(text, "vdu", tmp_path, posterior=posterior, **SHORT)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"forget": HATS}, "told what images show: pass prompts=..., or captions="),
        ({"forget": HATS, "captions": ["a hat"]}, "there are 1 for 3 images"),
        ({"captions": "a hat"}, "captions go with images"),
        ({"forget": HATS, "prompts": "a hat", "retain": HATS}, "pass retain_captions="),
        ({"forget": HATS, "prompts": "a hat " * 20}, "shorten it"),
        ({"forget": HATS, "prompts": 3}, "prompts has a int: give a text, or a list of them"),
        ({"forget": HATS, "captions": ["a hat", None, "a hat"]}, "captions has a NoneType: give a text"),
    ],
)
def test_words_that_are_missing_or_wrong(text: StableDiffusionPipeline, given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        unlearned(text, "vdu", posterior="laplace", **given)


def test_retained_images_have_words_too(text: StableDiffusionPipeline) -> None:
    given = {"prompts": "a hat", "retain": IMAGES.images[4:], "retain_captions": "a person"}
    made = unlearned(text, "salun", HATS, **given, **SHORT)
    assert not same(state_of(made), state_of(text))


def test_an_adapter_has_to_be_fused_first(text: StableDiffusionPipeline) -> None:
    peft = pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    text.unet.add_adapter(peft.LoraConfig(r=1, target_modules=["to_k"]))
    with pytest.raises(UserError, match=r"has an adapter .* call pipeline.fuse_lora\(\)"):
        unlearned(text, "uce", prompts="a hat")


def test_fused_projections_are_refused(text: StableDiffusionPipeline) -> None:
    """A method would train weights that nothing reads. diffusers leaves the fused ones where they were, when undone."""
    text.fuse_qkv_projections()
    for _ in range(2):
        with pytest.raises(UserError, match="its unet has fused projections, .* load it again"):
            model_of(text)
        text.unfuse_qkv_projections()


def test_pipelines_that_cannot_be_worked_on(ddpm: DDPMPipeline) -> None:
    with pytest.raises(UserError, match="a Linear is no pipeline that can be unlearned"):
        unlearned(nn.Linear(1, 1), "uce", prompts="a hat")
    with pytest.raises(UserError, match="a str is no pipeline"):
        unlearned("some/where", "uce", prompts="a hat")
    ddpm.unet._hf_hook = object()
    with pytest.raises(UserError, match=r"is offloaded; call pipeline.remove_all_hooks\(\)"):
        unlearned(ddpm, "gradient_ascent", PICTURES)
