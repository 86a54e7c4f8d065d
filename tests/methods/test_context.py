from __future__ import annotations

import pytest
import torch
from prompted import PROMPTS

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.errors import RegimeError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.regime import forbidden_needs
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training.base_model import TrainingLog

EVERYTHING = ("forget_images", "retain_images", "posterior")


def context(model, regime="full", needs=EVERYTHING, **more) -> UnlearningContext:
    # Image i is filled with the value i: what was drawn can be read off. Ten of class a, thirty of class b.
    images = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    train = ImageSet.of_classes(images, (torch.arange(40) >= 10).long(), ["a", "b"])
    posterior = WeightPosterior({"w": torch.zeros(1)}, {"w": torch.ones(1)})
    log = TrainingLog(seconds=3.0, images=30)
    return UnlearningContext(model, train, "a", regime, needs, 0, posterior.only, lambda: (model, log), **more)


def drawn(x0: torch.Tensor) -> list[int]:
    return ((x0[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_hands_out_the_right_images_and_counts_the_distinct_ones(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model)
    forget = drawn(c.forget_batch(7).x0)
    assert set(forget) <= set(range(10))
    assert c.ledger().forget_images == len(set(forget)) == 7
    forget += drawn(c.forget_batch(7).x0)
    assert c.ledger().forget_images == len(set(forget)) == 10
    retained = drawn(c.retain_batch(12).x0)
    assert set(retained) <= set(range(10, 40))
    ledger = c.ledger()
    assert (ledger.retain_images, ledger.images, ledger.posterior) == (12, 22, False)
    assert list(c.posterior(["w"]).std) == ["w"]
    assert c.ledger().posterior


def test_forget_only_refuses_retained_images(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, "forget_only")
    c.forget_batch(1)
    with pytest.raises(RegimeError, match="does not allow retain_images"):
        c.retain_batch(1)
    with pytest.raises(RegimeError, match="does not allow retain_images"):
        c.retrained()
    assert c.ledger().retain_images == 0


def test_what_was_not_declared_is_refused_in_every_regime(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, needs=())
    for ask in (lambda: c.forget_batch(1), lambda: c.retain_batch(1), lambda: c.posterior(["w"]), c.retrained):
        with pytest.raises(RegimeError, match="without naming it in its needs"):
            ask()


def test_forget_and_retain_gives_one_for_one(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, "forget_and_retain")
    assert len(set(drawn(c.retain_batch(100).x0))) == 10
    assert c.ledger().retain_images == 10


def test_the_number_of_forget_images_can_be_limited(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, forget_images=4)
    assert len(set(drawn(c.forget_batch(50).x0))) == 4
    assert c.ledger().forget_images == 4


def test_retraining_counts_what_it_was_trained_on(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model)
    assert c.retrained() is tiny_model
    assert c.ledger().retain_images == 30


def test_draws_are_the_seed_s_alone(tiny_model: UnconditionalDDPM) -> None:
    first, second = context(tiny_model), context(tiny_model)
    assert torch.equal(first.forget_batch(5).x0, second.forget_batch(5).x0)
    assert torch.equal(first.timesteps(5), second.timesteps(5))


def test_concept_prompts_are_the_task_s_own_or_its_forget_prompts(tiny_model: UnconditionalDDPM) -> None:
    spec = PROMPTS.model_copy(update={"captions": CaptionSpec(subjects=("a",), phrases={"a": ("an a",)})})
    for prompts, given in ((spec, PROMPTS.concept), (spec.model_copy(update={"concept": ()}), PROMPTS.forget)):
        c = context(tiny_model, needs=("prompts",), prompts=prompts)
        assert not c.ledger().prompts
        assert set(c.concept_prompts(40)) == set(given)
        assert c.ledger().prompts
    with pytest.raises(RegimeError, match="uses prompts without naming it"):
        context(tiny_model, prompts=spec).concept_prompts(1)


def test_what_a_regime_forbids() -> None:
    assert forbidden_needs("forget_only", EVERYTHING) == ["retain_images"]
    assert forbidden_needs("full", EVERYTHING) == []
