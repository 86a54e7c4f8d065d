"""What comes out of the store is the model that went in, in each form, and evaluate's reader takes it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cells import cells
from diffusers import DDPMPipeline
from elsewhere import K, draw, load
from killing import die_in, kill_after
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from vdu_bench.engine.export.models import Form, export_model
from vdu_bench.engine.store import Store
from vdu_bench.engine.weights import MODEL, save_model
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.records import Record

KEPT = Callable[[DiffusionModel, DiffusionModel], Record]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def keep(store: Store) -> KEPT:
    """Puts a base and what was made of it into the store, as a run does; the record."""

    def keeping(base: DiffusionModel, made: DiffusionModel) -> Record:
        below = store.build("base", {}, lambda folder: base.save(folder / MODEL) or {})[0]
        own = store.build("unlearned", {}, lambda folder: {"stored": save_model(made, base, folder)})[0]
        record = next(record for record in cells(seeds=[0]) if record.method == "vdu")
        stages = {"base": below.address, "unlearned": own.address}
        return record.model_copy(update={"stages": stages, "digests": {"base": below.digest}})

    return keeping


def moved(base: DiffusionModel, rank: int = 2, names: tuple[str, ...] = ("to_k.weight", "conv1.weight")) -> None:
    """Change some weights by a product of that rank."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in base.denoiser.named_parameters():
        if name.endswith(names):
            flat = parameter.data.flatten(1)
            up, down = (torch.randn(n, rank, generator=generator) for n in flat.shape)
            parameter.data += (0.1 * up @ down.T).reshape(parameter.shape)


@pytest.fixture
def edited(tiny_pipeline: Path) -> TextToImage:
    model = TextToImage.load(tiny_pipeline)
    moved(model)
    return model


def test_a_pipeline_for_diffusers_and_for_evaluate(
    tiny_text_to_image: TextToImage, edited: TextToImage, keep: KEPT, store: Store, tmp_path: Path
) -> None:
    record = keep(tiny_text_to_image, edited)
    line = export_model(record, store, tmp_path / "whole", "pipeline")
    assert line == f"{tmp_path / 'whole'}: a diffusers pipeline"
    again, words = load(tmp_path / "whole", tmp_path / "whole")
    assert words == "a whole pipeline"
    assert torch.equal(draw(again), draw(edited))
    with pytest.raises(UserError, match="is not empty"):
        export_model(record, store, tmp_path / "whole", "pipeline")


@pytest.mark.parametrize("form", ["pipeline", "changed"])
def test_a_full_disk_is_told_and_leaves_no_half(
    form: Form,
    tiny_model: UnconditionalDDPM,
    keep: KEPT,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tiny_model.clone()
    moved(made)
    record, folder = keep(tiny_model, made), tmp_path / "out"

    def full(_: object, place: Path, *__: object) -> None:
        (place if form == "pipeline" else place.parent).joinpath("half").write_text("half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(UnconditionalDDPM, "save", full)
        patch.setattr("vdu_bench.engine.export.models.save_file", full)
        with pytest.raises(UserError, match=f"^cannot write to {folder}: No space left on device; free some room, or"):
            export_model(record, store, folder, form)
    assert not folder.exists()
    export_model(record, store, folder, form)


def test_a_killed_export_is_repeated(tiny_model: UnconditionalDDPM, keep: KEPT, store: Store, tmp_path: Path) -> None:
    made = tiny_model.clone()
    moved(made)
    record, folder = keep(tiny_model, made), tmp_path / "whole"
    die_in(lambda: kill_after(UnconditionalDDPM, "save"), lambda: export_model(record, store, folder, "pipeline"))
    assert not folder.exists()
    export_model(record, store, folder, "pipeline")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "whole"]


def test_an_unconditional_pipeline(tiny_model: UnconditionalDDPM, keep: KEPT, store: Store, tmp_path: Path) -> None:
    made = tiny_model.clone()
    moved(made)
    record = keep(tiny_model, made)
    export_model(record, store, tmp_path / "whole", "pipeline")
    network = DDPMPipeline.from_pretrained(tmp_path / "whole").unet.state_dict()
    assert all(torch.equal(value, network[name]) for name, value in made.denoiser.state_dict().items())
    with pytest.raises(UserError, match="an unconditional pipeline, which takes no LoRA"):
        export_model(record, store, tmp_path / "lora", "lora")
    tiny_model.save(tmp_path / "base")
    export_model(record, store, tmp_path / "changed", "changed")
    again, _ = load(tmp_path / "changed" / "digits_1-vdu-seed0.safetensors", tmp_path / "base", "unconditional")
    assert torch.equal(draw(again), draw(made))


def test_the_changed_tensors_alone(
    tiny_text_to_image: TextToImage,
    tiny_pipeline: Path,
    edited: TextToImage,
    keep: KEPT,
    store: Store,
    tmp_path: Path,
) -> None:
    record = keep(tiny_text_to_image, edited)
    line = export_model(record, store, tmp_path / "out", "changed")
    file = tmp_path / "out" / "digits_1-vdu-seed0.safetensors"
    changed = load_file(file)
    own = edited.denoiser.state_dict()
    assert line == f"{file}: {len(changed)} tensors that differ from the base's"
    assert set(changed) == {name for name in own if name.endswith(("to_k.weight", "conv1.weight"))}
    assert all(torch.equal(value, own[name]) for name, value in changed.items())
    with safe_open(file, framework="pt") as archive:
        assert archive.metadata()["base"] == record.digests["base"]
    again, _ = load(file, tiny_pipeline)
    assert torch.equal(draw(again), draw(edited))


def test_changed_tensors_of_two_networks_say_whose_they_are(
    tiny_text_to_image: TextToImage,
    tiny_pipeline: Path,
    edited: TextToImage,
    keep: KEPT,
    store: Store,
    tmp_path: Path,
) -> None:
    next(iter(edited.text_encoder.parameters())).data += 0.5
    record = keep(tiny_text_to_image, edited)
    export_model(record, store, tmp_path / "out", "changed")
    (file,) = (tmp_path / "out").iterdir()
    assert {name.partition(".")[0] for name in load_file(file)} == {"unet", "text_encoder"}
    again, _ = load(file, tiny_pipeline)
    assert torch.equal(draw(again), draw(edited))
    with pytest.raises(UserError, match="is no LoRA: its text_encoder is changed, too"):
        export_model(record, store, tmp_path / "lora", "lora")


def test_a_lora_where_the_change_is_one(
    tiny_text_to_image: TextToImage,
    tiny_pipeline: Path,
    edited: TextToImage,
    keep: KEPT,
    store: Store,
    tmp_path: Path,
) -> None:
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    # One layer's change is of less rank than the others'.
    layer = edited.denoiser.get_parameter(K)
    layer.data = tiny_text_to_image.denoiser.get_parameter(K).data.clone()
    layer.data[3] += 1
    record = keep(tiny_text_to_image, edited)
    line = export_model(record, store, tmp_path / "lora", "lora")
    assert "a LoRA of rank 2 for" in line
    again, words = load(tmp_path / "lora", tiny_pipeline)
    assert "at scale 1" in words
    for name, value in edited.denoiser.state_dict().items():
        torch.testing.assert_close(again.denoiser.state_dict()[name], value, rtol=0, atol=2e-6)
    # diffusers' own way, without the suite.
    pipeline = tiny_text_to_image.pipeline()
    pipeline.load_lora_weights(tmp_path / "lora")
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    torch.testing.assert_close(pipeline.unet.get_parameter(K), layer, rtol=0, atol=2e-6)


def test_a_change_that_is_no_lora_is_refused_with_its_ranks(
    tiny_text_to_image: TextToImage, tiny_pipeline: Path, keep: KEPT, store: Store, tmp_path: Path
) -> None:
    full = TextToImage.load(tiny_pipeline)
    moved(full, rank=64, names=("to_k.weight",))
    with pytest.raises(
        UserError, match=r"its change is of ranks 64 of 64 \(.*to_k\), .* and \d+ more; use --as changed"
    ):
        export_model(keep(tiny_text_to_image, full), store, tmp_path / "lora", "lora")


def test_a_bias_is_no_part_of_a_lora(
    tiny_text_to_image: TextToImage, edited: TextToImage, keep: KEPT, store: Store, tmp_path: Path
) -> None:
    edited.denoiser.get_parameter("conv_in.bias").data += 1
    with pytest.raises(UserError, match="is no LoRA: conv_in.bias is changed"):
        export_model(keep(tiny_text_to_image, edited), store, tmp_path / "lora", "lora")


def test_a_model_that_is_its_base(tiny_text_to_image: TextToImage, keep: KEPT, store: Store, tmp_path: Path) -> None:
    record = keep(tiny_text_to_image, tiny_text_to_image)
    with pytest.raises(UserError, match="is its base: not a weight is changed"):
        export_model(record, store, tmp_path / "out", "changed")
    export_model(record, store, tmp_path / "whole", "pipeline")
    assert torch.equal(draw(load(tmp_path / "whole", tmp_path / "whole")[0]), draw(tiny_text_to_image))


def test_what_has_no_model_says_why(keep: KEPT, store: Store, tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    record = keep(tiny_model, tiny_model)
    real = record.model_copy(update={"stages": {"base": record.stages["base"]}})
    failed = record.model_copy(update={"status": "failed", "reason": "ValueError: no", "stages": {}})
    gone = record.model_copy(update={"stages": {**record.stages, "unlearned": "ab" * 32}})
    for one, words in (
        (real, "it is of held-out images"),
        (failed, r"has no model: it failed \(ValueError: no\)"),
        (gone, "the unlearned model of digits_1/vdu/seed0 is not in the store .*--store"),
    ):
        with pytest.raises(UserError, match=words):
            export_model(one, store, tmp_path / "out", "pipeline")
    diverged = store.build("unlearned", {"other": 1}, lambda _: {"stored": "none"})[0]
    stages = {**record.stages, "unlearned": diverged.address}
    with pytest.raises(UserError, match=r"it diverged \(a loss is not finite\)"):
        export_model(
            record.model_copy(update={"stages": stages, "status": "diverged", "reason": "a loss is not finite"}),
            store,
            tmp_path / "out",
            "pipeline",
        )


def test_a_base_that_lies_elsewhere(tiny_pipeline: Path, edited: TextToImage, store: Store, tmp_path: Path) -> None:
    base = store.build("base", {"elsewhere": 1}, lambda _: {"source": str(tiny_pipeline)})[0]
    before: nn.Module = TextToImage.load(tiny_pipeline)
    own = store.build("unlearned", {}, lambda folder: {"stored": save_model(edited, before, folder)})[0]
    record = next(record for record in cells(seeds=[0]) if record.method == "vdu")
    record = record.model_copy(update={"stages": {"base": base.address, "unlearned": own.address}})
    export_model(record, store, tmp_path / "whole", "pipeline")
    assert torch.equal(draw(load_model(tmp_path / "whole", "text_to_image")), draw(edited))
