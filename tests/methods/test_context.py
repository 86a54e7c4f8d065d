from __future__ import annotations

import weakref

import pytest
import torch
from prompted import IMAGES, PROMPTS

from vdu_bench.collecting import uncollected
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.errors import RegimeError, UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.regime import forbidden_needs
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training.base_model import TrainingLog
from vdu_bench.seeds import derive_seed

EVERYTHING = ("forget_images", "retain_images", "posterior")


RETRAIN = {"needs": ("retrained",), "role": "reference"}


def context(model, regime="full", needs=EVERYTHING, **more) -> UnlearningContext:
    # Image i is filled with the value i: what was drawn can be read off. Ten of class a, thirty of class b.
    values = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    images, labels = more.pop("images", values), more.pop("labels", torch.arange(40) >= 10)
    train = ImageSet.of_classes(images, labels.long(), ["a", "b"])
    posterior = more.pop("posterior", WeightPosterior({"w": torch.zeros(1)}, {"w": torch.ones(1)}).only)
    log = TrainingLog(seconds=3.0, images=30)
    retrained = more.pop("retrain", model)
    return UnlearningContext(model, train, "a", regime, needs, 0, posterior, lambda: (retrained, log), **more)


def drawn(x0: torch.Tensor) -> list[int]:
    return ((x0[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_hands_out_the_right_images_and_counts_the_distinct_ones(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model)
    forget = drawn(c.forget.batch(7).x0)
    assert set(forget) <= set(range(10))
    assert c.ledger().forget_images == len(set(forget)) == 7
    forget += drawn(c.forget.batch(7).x0)
    assert c.ledger().forget_images == len(set(forget)) == 10
    retained = drawn(c.retain.batch(12).x0)
    assert set(retained) <= set(range(10, 40))
    ledger = c.ledger()
    assert (ledger.retain_images, ledger.images, ledger.posterior) == (12, 22, False)
    assert list(c.posterior(["w"]).std) == ["w"]
    assert c.ledger().posterior


def test_forget_only_refuses_retained_images(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, "forget_only")
    c.forget.batch(1)
    with pytest.raises(RegimeError, match="does not allow retain_images"):
        c.retain.batch(1)
    assert c.ledger().retain_images == 0


def test_what_was_not_declared_is_refused_in_every_regime(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, needs=())
    for ask in (lambda: c.forget, lambda: c.retain, lambda: c.posterior(["w"]), lambda: c.concept, c.retrained):
        with pytest.raises(RegimeError, match="without naming it in its needs"):
            ask()


def test_forget_and_retain_gives_one_for_one(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, "forget_and_retain")
    assert len(set(drawn(c.retain.batch(100).x0))) == 10
    assert c.ledger().retain_images == 10


def test_the_number_of_forget_images_can_be_limited(tiny_model: UnconditionalDDPM) -> None:
    c = context(tiny_model, forget_images=4)
    assert len(set(drawn(c.forget.batch(50).x0))) == 4
    assert c.ledger().forget_images == 4


@pytest.mark.parametrize("regime", ["full", "forget_and_retain", "forget_only"])
def test_the_retrained_model_is_for_reference_rows_alone(tiny_model: UnconditionalDDPM, regime: str) -> None:
    with pytest.raises(RegimeError, match="uses retrained without naming it"):
        context(tiny_model, regime).retrained()
    with pytest.raises(RegimeError, match="for reference rows alone"):
        context(tiny_model, regime, needs=(*EVERYTHING, "retrained")).retrained()
    c = context(tiny_model, regime, **RETRAIN)
    assert c.retraining is None
    assert c.retrained() is tiny_model
    assert c.retraining.seconds == 3
    # What it was trained on.
    assert c.ledger().retain_images == 30


def test_whose_weights_a_method_handed_back(tiny_model: UnconditionalDDPM) -> None:
    other = tiny_model.clone()
    reference = context(tiny_model, needs=("retrained",), role="reference", retrain=other)
    assert reference.origin(other) == "own", "nobody asked for it yet"
    reference.retrained()
    assert [reference.origin(model) for model in (tiny_model, other, other.clone())] == ["base", "retrain", "own"]
    # It may have changed it.
    assert context(tiny_model).origin(tiny_model) == "own"


def test_take_counts_each_image_once_and_leaves_the_epochs_alone(tiny_model: UnconditionalDDPM) -> None:
    c, other = context(tiny_model), context(tiny_model)
    assert (len(c.forget), len(c.retain)) == (10, 30)
    place = torch.tensor([2, 2, 9])
    taken = c.retain.take(place)
    assert drawn(taken.x0) == [12, 12, 19]
    assert taken.concepts.tolist() == [[False, True]] * 3
    assert c.names == ("a", "b")
    assert (taken.condition, taken.captions) == (None, None)
    assert c.ledger().retain_images == 2
    assert drawn(c.retain.batch(30).x0) == drawn(other.retain.batch(30).x0)
    assert c.ledger().retain_images == 30
    with pytest.raises(IndexError):
        c.forget.take(torch.tensor([10]))


def test_batches_are_what_masks_of_the_whole_data_set_gave(tiny_model: UnconditionalDDPM) -> None:
    """The images of the forget set in an order by the epoch, of a part of it that a permutation picks."""
    part = torch.randperm(10, generator=torch.Generator().manual_seed(derive_seed(0, "forget subset")))[:4]
    epochs = [
        part[
            torch.randperm(
                4, generator=torch.Generator().manual_seed(derive_seed(derive_seed(0, "forget"), "epoch", e))
            )
        ]
        for e in range(2)
    ]
    c = context(tiny_model, forget_images=4)
    assert drawn(torch.cat([c.forget.batch(3).x0, c.forget.batch(5).x0])) == torch.cat(epochs).tolist()


def test_no_data_set_is_copied(tiny_model: UnconditionalDDPM) -> None:
    images = torch.zeros(40, 1, 8, 8, dtype=torch.uint8)
    c = context(tiny_model, images=images)
    held = [value for pool in (c.forget, c.retain) for value in vars(pool).values() if isinstance(value, torch.Tensor)]
    assert max(value.numel() for value in held) <= 40
    assert all(pool._images.images is images for pool in (c.forget, c.retain))


def test_an_empty_pool_is_the_user_s_mistake(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(UserError, match="no such images"):
        context(tiny_model, labels=torch.zeros(40)).retain.batch(1)


def test_making_a_posterior_is_not_counted_as_the_method_s(tiny_model: UnconditionalDDPM) -> None:
    def made(names: tuple[str, ...]) -> WeightPosterior:
        tiny_model.denoise(torch.zeros(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64))
        return WeightPosterior({}, {}).only(names)

    c = context(tiny_model, posterior=made)
    twin = tiny_model.clone()
    c.posterior([])
    with pytest.raises(UserError, match="does not cover"):
        c.posterior(["w"])
    assert tiny_model.counter.forward == 0
    twin.denoise(torch.zeros(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64))
    assert tiny_model.counter.forward == 2, "it counts again, with its clones"


def test_draws_are_the_seed_s_alone(tiny_model: UnconditionalDDPM) -> None:
    first, second = context(tiny_model), context(tiny_model)
    assert torch.equal(first.forget.batch(5).x0, second.forget.batch(5).x0)
    assert torch.equal(first.timesteps(5), second.timesteps(5))


def test_methods_are_told_the_concept_prompts(tiny_model: UnconditionalDDPM) -> None:
    words = CaptionSpec(subjects=PROMPTS.captions.subjects, phrases={"a": ("an a",)})
    c = context(tiny_model, needs=("prompts",), prompts=PROMPTS.model_copy(update={"captions": words}))
    assert not c.ledger().prompts
    assert set(c.concept.draws(40)) == set(PROMPTS.concept)
    assert c.ledger().prompts
    with pytest.raises(RegimeError, match="uses prompts without naming it"):
        context(tiny_model, prompts=PROMPTS.model_copy(update={"captions": words})).concept.draws(1)


def test_methods_get_images_under_given_subjects_alone(tiny_text_to_image: TextToImage) -> None:
    c = UnlearningContext(
        *(tiny_text_to_image, IMAGES, "hat", "full", ("forget_images", "retain_images"), 0),
        *(lambda _: pytest.fail("nobody asked for it"), lambda: pytest.fail("nobody asked for it"), PROMPTS),
    )
    captions = {caption for pool in (c.forget, c.retain) for caption in pool.batch(40).captions or []}
    features = ("", " with a hat", " with bangs", " with a hat and bangs", " with bangs and a hat")
    assert captions == {f"portrait{shown}" for shown in features}


def test_what_a_regime_forbids() -> None:
    assert forbidden_needs("forget_only", EVERYTHING) == ["retain_images"]
    assert forbidden_needs("full", EVERYTHING) == []
    for regime in ("forget_only", "forget_and_retain", "full"):
        assert "retrained" in forbidden_needs(regime, (*EVERYTHING, "retrained"))
        assert forbidden_needs(regime, (*EVERYTHING, "retrained"), "reference") == []


def texts_in(value: object, seen: set[int]) -> set[str]:
    """All text that can be reached by public names."""
    if isinstance(value, str):
        return {value}
    if id(value) in seen or isinstance(value, (torch.Tensor, torch.nn.Module, type, int, float)):
        return set()
    seen.add(id(value))
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = list(value)
    else:
        parts = [getattr(value, name, None) for name in dir(value) if not name.startswith("_")]
    return set().union(*(texts_in(part, seen) for part in parts if not callable(part)))


def test_no_judged_prompt_can_be_reached(tiny_text_to_image: TextToImage) -> None:
    spec = PROMPTS.model_copy(update={"preserve": ("with bangs",)})
    c = UnlearningContext(
        *(tiny_text_to_image, IMAGES, "hat", "full", ("prompts", "forget_images", "retain_images"), 0),
        *(lambda _: pytest.fail("nobody asked for it"), lambda: pytest.fail("nobody asked for it"), spec),
    )
    found = texts_in(c, set())
    assert {*spec.concept, spec.anchor, *spec.preserve} <= found
    assert not found & {*spec.forget, *spec.retain}
    assert not hasattr(c, "prompts")
    assert (c.concept.prompts, c.concept.anchor, c.concept.preserve) == (spec.concept, spec.anchor, spec.preserve)


def test_concept_prompts_are_the_draws_of_the_method_s_generator(tiny_text_to_image: TextToImage) -> None:
    c = UnlearningContext(
        *(tiny_text_to_image, IMAGES, "hat", "full", ("prompts",), 3),
        *(lambda _: pytest.fail("nobody asked for it"), lambda: pytest.fail("nobody asked for it"), PROMPTS),
    )
    generator = torch.Generator().manual_seed(derive_seed(3, "method"))
    places = torch.randint(2, (9,), generator=generator).tolist()
    assert c.concept.draws(9) == [PROMPTS.concept[place] for place in places]
    assert torch.equal(c.generator.get_state(), generator.get_state())


@pytest.mark.parametrize("prompted", [False, True])
def test_model_and_context_go_with_the_last_who_holds_them(
    tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage, prompted: bool
) -> None:
    """At once, and not when the garbage collector comes: on a card they are gigabytes, and the next model waits."""
    with uncollected():
        model = (tiny_text_to_image if prompted else tiny_model).clone()
        if prompted:
            given = (model, IMAGES, "hat", "full", EVERYTHING, 0, lambda _: None, lambda: None, PROMPTS)
            c = UnlearningContext(*given)
            del given
        else:
            c = context(model, retrain=None)
        c.forget.batch(2)
        c.retain.batch(2)
        c.replay(1)
        gone = [weakref.ref(one) for one in (c, model, model.denoiser)]
        del c, model
        assert [one() for one in gone] == [None] * 3
