"""What the methods move of a text-to-image model: the weights that are selected, and nothing else."""

from __future__ import annotations

import pytest
import torch
from prompted import context_of

from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import make_method
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.selection import Selection, selected_parameters

SELECTIONS: dict[str, Selection] = {
    "auto": "cross_attention",
    "self_attention": "self_attention",
    "all_but_cross_attention": "all_but_cross_attention",
    "all": "all",
}
QUICK = {"steps": 2, "batch_size": 2}
METHODS = {
    # Without a cap, which a network that never learnt anything is beyond.
    "vdu": {**QUICK, "learning_rate": 0.1, "error_cap": None},
    "vdu, in parameter space": {**QUICK, "learning_rate": 1e-3, "error_cap": None, "space": "parameter"},
    "finetune": {**QUICK, "learning_rate": 1e-3},
    "gradient_ascent": {**QUICK, "learning_rate": 1e-3},
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("weights", SELECTIONS)
def test_only_the_selected_weights_move(tiny_text_to_image: TextToImage, name: str, weights: str) -> None:
    base = tiny_text_to_image
    method = make_method(name.partition(",")[0], {**METHODS[name], "weights": weights})
    before = {key: p.clone() for key, p in base.denoiser.named_parameters()}
    frozen = [p.clone() for part in (base.vae, base.text_encoder) for p in part.parameters()]
    unlearned = method.unlearn(base, context_of(base, method))
    after = dict(unlearned.denoiser.named_parameters())
    # Plain parameters again, under the names that a checkpoint has.
    assert list(after) == list(before)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == set(selected_parameters(base.denoiser, SELECTIONS[weights]))
    assert all(torch.equal(p, before[key]) for key, p in base.denoiser.named_parameters())
    now = [p for part in (base.vae, base.text_encoder) for p in part.parameters()]
    assert all(map(torch.equal, frozen, now))
    assert not any(p.requires_grad for p in after.values())


def test_vdu_asks_for_the_posterior_of_what_it_trains(tiny_text_to_image: TextToImage) -> None:
    """One that covers the cross-attention alone is enough for it, and not for more."""
    names = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    mean = {name: p.detach().clone() for name, p in names.items()}
    narrow = WeightPosterior(mean, {name: torch.full_like(p, 0.01) for name, p in mean.items()})
    method = make_method("vdu", QUICK)
    context = context_of(tiny_text_to_image, method, narrow)
    method.unlearn(tiny_text_to_image, context)
    ledger = context.ledger()
    assert (ledger.posterior, ledger.prompts, ledger.forget_images, ledger.retain_images) == (True, False, 4, 0)
    method = make_method("vdu", {**QUICK, "weights": "all"})
    with pytest.raises(UserError, match="the posterior does not cover"):
        method.unlearn(tiny_text_to_image, context_of(tiny_text_to_image, method, narrow))


def test_captions_go_with_the_images_that_are_handed_out(
    tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = make_method("finetune", QUICK)
    context = context_of(tiny_text_to_image, method)
    condition, asked = tiny_text_to_image.condition, []
    monkeypatch.setattr(tiny_text_to_image, "condition", lambda prompts: (asked.extend(prompts), condition(prompts))[1])
    batch = context.retain.batch(8)
    # The four without a hat, twice: two with bangs, two with nothing.
    assert not any("hat" in prompt for prompt in asked)
    assert sum("bangs" in prompt for prompt in asked) == 4
    assert torch.equal(batch.condition, condition(asked))
