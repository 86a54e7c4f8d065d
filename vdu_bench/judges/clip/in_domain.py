"""A small CLIP of our own, for images and captions that no public one has seen the like of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file

from vdu_bench.errors import UserError, in_short
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.specs import ClipRecipe
from vdu_bench.judges.clip.words import BYTES, MARKS, pack_merges, unpack_merges
from vdu_bench.seeds import derive_seed

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
MERGES = "merges.txt.gz"
RECIPE = "recipe.json"


class InDomainClip(ClipScorer):
    """An open_clip model by a recipe, with a vocabulary of its own.

    Args:
        recipe: network, context, training.
        merges: of the byte-pair encoding, as from `word_merges`.
    """

    def __init__(self, recipe: ClipRecipe, merges: Sequence[str]) -> None:
        # Seconds to import, which runs without a CLIP score can do without.
        import open_clip

        self.recipe, self.merges = recipe, tuple(merges)
        text = {"context_length": recipe.context_length, "vocab_size": BYTES + len(self.merges) + MARKS}
        self._config = {**recipe.network, "text_cfg": {**recipe.network["text_cfg"], **text}}
        try:
            # torch's initialisers take no generator, so the global one is set aside and given back.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(recipe.seed, "clip"))
                model = open_clip.CLIP(**self._config)
        # open_clip names the wrong key, or dimensions that do not fit, in one of these.
        except (TypeError, AssertionError, RuntimeError) as error:
            raise UserError(f"{recipe.name}: open_clip makes no model of its network ({in_short(error)})") from error
        transform = open_clip.image_transform(model.visual.image_size, is_train=False)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / MERGES
            file.write_bytes(pack_merges(self.merges))
            tokenizer = open_clip.SimpleTokenizer(bpe_path=str(file), context_length=recipe.context_length)
        super().__init__(f"{recipe.name}/fp32", model, transform, tokenizer)

    def save(self, folder: Path) -> None:
        """Write weights, configuration and vocabulary, as open_clip's ``local-dir:`` reads them, and the recipe.

        For open_clip's own tokenizer the vocabulary has to be named: ``bpe_path=".../merges.txt.gz"``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.model.state_dict(), folder / WEIGHTS)
        (folder / MERGES).write_bytes(pack_merges(self.merges))
        _write(folder / CONFIG, {"model_cfg": self._config, "preprocess_cfg": {}})
        _write(folder / RECIPE, self.recipe.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Self:
        """Read what `save` wrote."""
        recipe = ClipRecipe.model_validate_json((folder / RECIPE).read_bytes())
        scorer = cls(recipe, unpack_merges((folder / MERGES).read_bytes()))
        scorer.model.load_state_dict(load_file(folder / WEIGHTS))
        scorer.model.to(device)
        return scorer


def _write(file: Path, facts: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
