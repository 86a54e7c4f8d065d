"""LoRAs onto a base: what diffusers makes of them, and a refusal where a matrix finds no place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from elsewhere import K, draw, load
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


@pytest.fixture
def lora(tiny_pipeline: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a LoRA of random matrices for the tiny pipeline, by diffusers' own means; its scale is 6 / 2."""
    peft = pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    from diffusers.training_utils import _collate_lora_metadata
    from diffusers.utils import convert_state_dict_to_diffusers

    def write(text_encoder: bool = False, prefixed: bool = True) -> Path:
        pipeline = StableDiffusionPipeline.from_pretrained(tiny_pipeline, safety_checker=None)
        networks = {"unet": ["to_k", "to_v"], **({"text_encoder": ["q_proj"]} if text_encoder else {})}
        layers = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            for name, modules in networks.items():
                module = getattr(pipeline, name)
                module.add_adapter(peft.LoraConfig(r=2, lora_alpha=6, target_modules=modules, init_lora_weights=False))
                layers[f"{name}_lora_layers"] = convert_state_dict_to_diffusers(peft.get_peft_model_state_dict(module))
        if prefixed:
            metadata = _collate_lora_metadata({name: getattr(pipeline, name) for name in networks})
            StableDiffusionPipeline.save_lora_weights(tmp_path / "lora", **layers, **metadata)
        else:
            pipeline.unet.save_lora_adapter(tmp_path / "lora")
        return tmp_path / "lora"

    return write


@pytest.mark.parametrize("text_encoder", [False, True])
def test_a_lora_is_what_diffusers_makes_of_it(
    text_encoder: bool, lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    folder = lora(text_encoder)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_pipeline, safety_checker=None)
    pipeline.load_lora_weights(folder)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    pipeline.save_pretrained(tmp_path / "fused")
    whole = load_model(tmp_path / "fused", "text_to_image")
    state = torch.random.get_rng_state()
    model, own = load(folder, tiny_pipeline)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(draw(model), draw(whole))
    base = load_model(tiny_pipeline, "text_to_image")
    assert not torch.equal(draw(model), draw(base))
    matrices = load_file(folder / "pytorch_lora_weights.safetensors")
    assert own.startswith(f"a LoRA of {len(matrices) // 2} pairs of matrices (unet{', text_encoder' * text_encoder})")
    # Alpha over rank is 3, which stands in the file's header alone.
    module = f"unet.{K.removesuffix('.weight')}.lora"
    product = matrices[f"{module}.up.weight"] @ matrices[f"{module}.down.weight"]
    change = model.denoiser.get_parameter(K) - base.denoiser.get_parameter(K)
    torch.testing.assert_close(change, 3 * product, atol=1e-6, rtol=1e-4)
    # A file of any name is the same LoRA.
    file = shutil.copy(folder / "pytorch_lora_weights.safetensors", tmp_path / "hats.safetensors")
    assert torch.equal(draw(load(file, tiny_pipeline)[0]), draw(whole))
    # The model has no trace of how it was made: it is saved as any other.
    model.save(tmp_path / "again")
    assert torch.equal(draw(load_model(tmp_path / "again", "text_to_image")), draw(whole))


def test_a_lora_of_the_u_net_alone_and_a_pickled_one(
    lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    with_prefix = draw(load(lora(), tiny_pipeline)[0])
    file = lora(prefixed=False) / "pytorch_lora_weights.safetensors"
    state = load_file(file)
    assert not any(name.startswith("unet.") for name in state)
    assert torch.equal(draw(load(file, tiny_pipeline)[0]), with_prefix)
    # A pickled file has no header; the scale is then 1, and one of three times the matrix is the same.
    tripled = {name: 3 * value if "lora_B" in name else value for name, value in state.items()}
    torch.save(tripled, tmp_path / "hats.pt")
    images = draw(load(tmp_path / "hats.pt", tiny_pipeline)[0])
    assert (images.int() - with_prefix.int()).abs().max() <= 1


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_older_names_of_a_lora_are_understood(
    suffix: str, lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    matrices = load_file(lora() / "pytorch_lora_weights.safetensors")
    expected = draw(load(tmp_path / "lora", tiny_pipeline)[0])
    kohya, processors = {}, {}
    for name, value in matrices.items():
        module, _, rest = name.removeprefix("unet.").partition(".lora.")
        dotless = f"lora_unet_{module.replace('.', '_')}"
        kohya |= {f"{dotless}.lora_{rest}": value, f"{dotless}.alpha": torch.tensor(6.0)}
        layer, _, projection = module.rpartition(".")
        scaled = 3 * value if "up" in rest else value  # this form has no alpha
        processors[f"{layer}.processor.{projection}_lora.{rest}"] = scaled
    for state in (kohya, processors):
        file = tmp_path / f"older{suffix}"
        save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
        images = draw(load(file, tiny_pipeline)[0])
        assert (images.int() - expected.int()).abs().max() <= 1


def test_each_layer_of_kohya_s_has_its_own_alpha(tiny_pipeline: Path, tmp_path: Path) -> None:
    """As of a file that was resized, or trained with an alpha for each block: alpha / r times up @ down."""
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    base, generator = TextToImage.load(tiny_pipeline), torch.Generator().manual_seed(0)
    # transformers called a text encoder's layers so when those files were made.
    networks = {"lora_unet": base.denoiser, "lora_te_text_model": base.text_encoder}
    kohya, expected = {}, {}
    for prefix, network in networks.items():
        for name, module in network.named_modules():
            plain = name.removeprefix("text_model.")
            if not plain.endswith(("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")):
                continue
            rank, alpha = 1 + len(expected) % 3, 1.0 + len(expected) % 4
            up, down = (
                torch.randn(n, generator=generator) / 10
                for n in ((len(module.weight), rank), (rank, module.weight.shape[1]))
            )
            called = f"{prefix}_{plain.replace('.', '_')}"
            kohya |= {f"{called}.lora_down.weight": down, f"{called}.lora_up.weight": up}
            kohya[f"{called}.alpha"] = torch.tensor(alpha)
            expected[prefix, name] = alpha / rank * up @ down
    save_file(kohya, tmp_path / "kohya.safetensors")
    fused, told = load(tmp_path / "kohya.safetensors", tiny_pipeline)
    assert isinstance(fused, TextToImage)
    changed = {"lora_unet": fused.denoiser, "lora_te_text_model": fused.text_encoder}
    assert {prefix for prefix, _ in expected} == set(networks)
    for (prefix, name), change in expected.items():
        ours, before = (side[prefix].get_parameter(f"{name}.weight").detach() for side in (changed, networks))
        torch.testing.assert_close(ours - before, change, rtol=1e-4, atol=1e-6)
    assert "at scale 0.333333 and 0.5" in told


def test_a_lora_that_does_not_fit_is_refused(
    lora: Callable[..., Path],
    tiny_model: UnconditionalDDPM,
    tiny_pipeline: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = lora() / "pytorch_lora_weights.safetensors"
    state = load_file(file)
    module = f"unet.{K.removesuffix('.weight')}.lora"
    for change, complaint in (
        (
            {**state, "unet.down_blocks.9.to_k.lora.down.weight": torch.ones(2, 32)},
            r"lacks unet\.down_blocks\.9\.to_k\.lora_A",
        ),
        ({name.replace("unet.", "transformer."): value for name, value in state.items()}, "cannot be put"),
        ({**state, f"{module}.down.weight": torch.ones(2, 7)}, "cannot be put onto the base"),
        ({**state, f"{module}.dora_scale": torch.ones(1)}, "is a DoRA"),
        ({name: value for name, value in state.items() if name != f"{module}.up.weight"}, f"lacks {module}_B"),
    ):
        save_file(change, file)
        with pytest.raises(UserError, match=complaint):
            load(file, tiny_pipeline)
    save_file(state, file)
    tiny_model.save(tmp_path / "base")
    with pytest.raises(UserError, match="is a LoRA, which only a StableDiffusionPipeline takes"):
        load(file, tmp_path / "base", "unconditional")
    monkeypatch.setattr("vdu_bench.models.files.lora.find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install 'peft>="):
        load(file, tiny_pipeline)


def _peft_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The U-Net's matrices as peft names them inside its layers."""
    return {
        name.removeprefix("unet.").replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B."): value
        for name, value in state.items()
    }


NAMES: dict[str, Callable[[str], str]] = {
    "an adapter's name": lambda name: name.replace(".weight", ".default.weight"),
    "an adapter's own name": lambda name: f"unet.{name.replace('.weight', '.no_hats.weight')}",
    "peft's wrapper": lambda name: f"base_model.model.{name}",
    "peft's wrapper, with a name": lambda name: f"base_model.model.{name.replace('.weight', '.default.weight')}",
    "compiled": lambda name: f"_orig_mod.{name}",
    "compiled, within": lambda name: f"unet._orig_mod.{name}",
    "in parallel": lambda name: f"module.{name}",
}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_names_that_peft_and_training_leave_are_mapped(
    suffix: str, lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    matrices = _peft_names(load_file(lora() / "pytorch_lora_weights.safetensors"))
    file = tmp_path / f"hats{suffix}"

    def put(state: dict[str, Tensor]) -> tuple[Tensor, str]:
        save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
        model, own = load(file, tiny_pipeline)
        return model.denoiser.get_parameter(K), own

    expected, told = put(matrices)
    assert told.endswith("is fused into the base, at scale 1, since the file tells none")
    assert not torch.equal(expected, load_model(tiny_pipeline, "text_to_image").denoiser.get_parameter(K))
    for what, rename in NAMES.items():
        found, own = put({rename(name): value for name, value in matrices.items()})
        assert torch.equal(found, expected), what
        assert own == told


def test_peft_s_own_folder_has_its_scale_in_its_configuration(
    lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    expected = load(lora(), tiny_pipeline)[0].denoiser.get_parameter(K)
    matrices = _peft_names(load_file(tmp_path / "lora" / "pytorch_lora_weights.safetensors"))
    folder = tmp_path / "peft"
    folder.mkdir()
    wrapped = {f"base_model.model.{name}": value for name, value in matrices.items()}
    save_file(wrapped, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["to_k", "to_v"], "base_model_name": None}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    for place in (folder, folder / "adapter_model.safetensors"):
        model, own = load(place, tiny_pipeline)
        torch.testing.assert_close(model.denoiser.get_parameter(K), expected)
        assert own.endswith("at scale 3")
    files = find_external(str(folder), "text_to_image")
    assert {file.name for file in files.read} == {"adapter_model.safetensors", "adapter_config.json"}
    for changed in ({"use_dora": True}, {"peft_type": "LOHA"}):
        (folder / "adapter_config.json").write_text(json.dumps(config | changed))
        with pytest.raises(UserError, match="of another adapter than a plain LoRA"):
            load(folder, tiny_pipeline)
    (folder / "adapter_config.json").write_text("[")
    with pytest.raises(UserError, match=r"adapter_config\.json cannot be read"):
        load(folder, tiny_pipeline)


def test_other_adapters_are_called_by_their_names(
    lora: Callable[..., Path], tiny_pipeline: Path, tmp_path: Path
) -> None:
    matrices = _peft_names(load_file(lora() / "pytorch_lora_weights.safetensors"))
    layer, file = K.removesuffix(".weight"), tmp_path / "adapter.safetensors"
    for extra, complaint in (
        (f"{layer}.hada_w1_a", "is a LoHa .* fuse it where it was made"),
        (f"{layer}.lokr_w1", "is a LoKr"),
        (f"{layer}.oft_blocks", "is an OFT adapter"),
        (f"{layer}.oft_R.default.weight", "is an OFT adapter"),
        (f"{layer}.dora_scale", "is a DoRA"),
        (f"{layer}.base_layer.weight", r"an adapter still in it \(base_layer\)"),
        (f"{layer}.lora_A", "loralib's names .* whose scale, alpha / r, is not in the file"),
        (f"{layer}.lora_A.first.weight", "several adapters, default and first"),
    ):
        others = {} if "lora_" not in extra else {f"{layer}.lora_B.default.weight": torch.ones(32, 2)}
        save_file({extra: torch.ones(2, 2), **others}, file)
        with pytest.raises(UserError, match=complaint):
            load(file, tiny_pipeline)
    # A bias where the base has none.
    of_b = {name: value for name, value in matrices.items() if "lora_B" in name}
    biases = {name.replace("weight", "bias"): torch.ones(len(value)) for name, value in of_b.items()}
    save_file(matrices | biases, file)
    with pytest.raises(UserError, match="cannot be put onto the base as a LoRA"):
        load(file, tiny_pipeline)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
@pytest.mark.parametrize("prefixed", [True, False])
def test_nothing_holds_the_copy_of_a_lora_when_it_is_removed(
    prefixed: bool, lora: Callable[..., Path], tiny_pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes no file that is mapped."""
    mapped: list[str] = []

    class Looking(tempfile.TemporaryDirectory):
        def __exit__(self, *error: object) -> None:
            lines = Path("/proc/self/maps").read_text().splitlines()
            mapped.append(next((line for line in lines if self.name in line), ""))
            super().__exit__(*error)

    folder = lora(prefixed=prefixed)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", Looking)
    load(folder, tiny_pipeline)
    assert mapped
    assert not any(mapped)
