"""The built-in probes draw what they always drew, and a context counts what it hands out."""

from __future__ import annotations

import weakref

import pytest
import torch
from prompted import IMAGES, NAMES, PROMPTS
from retrying import Retry

from vdu_bench.collecting import uncollected
from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise
from vdu_bench.probes.catalog import PROBES
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.given import Given
from vdu_bench.probes.needs import ProbeNeed
from vdu_bench.probes.pairs import Pairs
from vdu_bench.probes.redraw import Redraw
from vdu_bench.probes.samples import Samples
from vdu_bench.tasks.task import Task

SHOWN = torch.tensor([[False, True], [False, False]])
WITH_HATS = SHOWN | torch.tensor([True, False])
PAIRS = CounterfactualPairs("hat", NAMES, IMAGES.images[:2], IMAGES.images[2:4], SHOWN, WITH_HATS)
HELD_OUT = ImageSet(
    torch.randint(256, (5, 3, 16, 16), generator=torch.Generator().manual_seed(8)).to(torch.uint8),
    torch.tensor([[False, False], [True, False], [False, True], [True, True], [True, False]]),
    NAMES,
)
SPLITS = DataSplits(IMAGES, HELD_OUT, pairs={"hat": PAIRS})


@pytest.fixture
def faces(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"samples": 4, "prompts": PROMPTS})


def digits_context(task: Task, model: UnconditionalDDPM, *needs: ProbeNeed, seed: int = 0) -> ProbeContext:
    return ProbeContext(task, model, "any", needs, seed, load_digits())


def faces_context(task: Task, model: TextToImage, *needs: ProbeNeed) -> ProbeContext:
    return ProbeContext(task, model, "any", needs, 0, SPLITS)


def test_they_are_found_by_name() -> None:
    for name, probe in (("samples", Samples), ("pairs", Pairs), ("given", Given), ("redraw", Redraw)):
        assert PROBES.get(name) is probe


def test_samples_are_the_model_s_own_from_the_shared_noise(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    seen: list[int] = []
    context = digits_context(tiny_task, tiny_model, seed=7)
    context.on_batch = seen.append
    drawn = Samples().draw(tiny_model, context)
    noise = initial_noise(40, tiny_model.latent_shape, 7)
    assert set(drawn) == {"forget"}
    assert torch.equal(drawn["forget"], tiny_model.sample(40, None, noise, tiny_task.sampler))
    assert sum(seen) == Samples().images(context) == 40


def test_both_sets_of_prompts_are_asked_from_the_same_noise(faces: Task, tiny_text_to_image: TextToImage) -> None:
    context = faces_context(faces, tiny_text_to_image)
    drawn = Samples().draw(tiny_text_to_image, context)
    noise = initial_noise(4, tiny_text_to_image.latent_shape, 0)
    assert list(drawn) == ["forget", "retain"]
    assert Samples().images(context) == 8
    for name, images in drawn.items():
        prompts = PROMPTS.cycled(name, 4)
        assert torch.equal(images, tiny_text_to_image.sample(4, prompts, noise, faces.sampler))


def test_pairs_are_redrawn_under_their_captions(faces: Task, tiny_text_to_image: TextToImage) -> None:
    context = faces_context(faces, tiny_text_to_image, "pairs")
    (images,) = Pairs().draw(tiny_text_to_image, context).values()
    prompts = ["a person with a hat and bangs", "a person with a hat"]
    noise = initial_noise(2, tiny_text_to_image.latent_shape, 0, "pairs")
    expected = tiny_text_to_image.redraw(PAIRS.with_, prompts, noise, faces.sampler, faces.pair_strength)
    assert torch.equal(images, expected)
    assert Pairs().images(context) == 2


def test_given_prompts_are_asked_from_the_first_of_the_samples_noise(
    faces: Task, tiny_text_to_image: TextToImage
) -> None:
    task = faces.model_copy(update={"samples": 7})
    context = faces_context(task, tiny_text_to_image)
    (images,) = Given().draw(tiny_text_to_image, context).values()
    noise = initial_noise(7, tiny_text_to_image.latent_shape, 0)[:3]
    prompts = ["with a hat", "wearing a hat", "with a hat"]
    assert torch.equal(images, tiny_text_to_image.sample(3, prompts, noise, task.sampler))
    assert Given().images(context) == len(images) == 3


def test_held_out_images_of_the_concept_are_redrawn_under_judged_captions(
    faces: Task, tiny_text_to_image: TextToImage
) -> None:
    context = faces_context(faces, tiny_text_to_image, "held_out_images")
    probe = Redraw(noises=2, images=2)
    (images,) = probe.draw(tiny_text_to_image, context).values()
    noise = initial_noise(4, tiny_text_to_image.latent_shape, 0, "redraw")
    chosen = HELD_OUT.images[[1, 1, 3, 3]]
    prompts = ["a person with a hat"] * 2 + ["a person with a hat and bangs"] * 2
    assert torch.equal(images, tiny_text_to_image.redraw(chosen, prompts, noise, faces.sampler, 0.5))
    assert not torch.equal(images[0], images[1]), "each noise is another"
    assert probe.images(context) == 4
    assert context.ledger().held_out_images == 2
    assert context.ledger().forget_images == 0


def test_an_unconditional_model_redraws_too(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    context = digits_context(tiny_task, tiny_model, "held_out_images", seed=3)
    (images,) = Redraw(noises=3).draw(tiny_model, context).values()
    held_out = load_digits().held_out
    chosen = held_out.images[held_out.shows(tiny_task.forget)].repeat_interleave(3, 0)
    noise = initial_noise(150, tiny_model.latent_shape, 3, "redraw")
    assert torch.equal(images, tiny_model.redraw(chosen, None, noise, tiny_task.sampler, 0.5))
    assert context.ledger().held_out_images == 50


def test_data_without_a_held_out_image_of_the_concept_are_not_redrawn(
    faces: Task, tiny_text_to_image: TextToImage
) -> None:
    without = DataSplits(IMAGES, HELD_OUT.subset(~HELD_OUT.shows("hat")))
    context = ProbeContext(faces, tiny_text_to_image, "any", ("held_out_images",), 0, without)
    assert Redraw().images(context) == 0
    assert Redraw().draw(tiny_text_to_image, context) == {}


def test_a_probe_says_what_it_works_on(tiny_task: Task, faces: Task) -> None:
    assert Samples.applies(tiny_task)
    assert Samples.applies(faces)
    assert Pairs.applies(faces)
    assert not Pairs.applies(tiny_task)
    assert not Given.applies(tiny_task)
    assert Redraw.applies(tiny_task)
    assert Redraw.applies(faces)


def test_what_was_not_declared_is_not_given(tiny_task: Task, tiny_model: UnconditionalDDPM) -> None:
    context = digits_context(tiny_task, tiny_model)
    for name, need in (
        ("forget", "forget_images"),
        ("retain", "retain_images"),
        ("held_out", "held_out_images"),
        ("pairs", "pairs"),
        ("pair_strength", "pairs"),
    ):
        with pytest.raises(ValueError, match=f"uses {need} without naming it"):
            getattr(context, name)


def test_a_probe_that_trains_is_counted_and_leaves_the_model_alone(
    tiny_task: Task, tiny_model: UnconditionalDDPM
) -> None:
    before = {name: t.clone() for name, t in tiny_model.denoiser.state_dict().items()}
    context = digits_context(tiny_task, tiny_model, "forget_images")
    plain = Samples().draw(tiny_model, digits_context(tiny_task, tiny_model))["forget"]
    drawn = Retry(given=5).draw(tiny_model, context)["retried"]
    assert not torch.equal(drawn, plain)
    assert all(torch.equal(t, before[name]) for name, t in tiny_model.denoiser.state_dict().items())
    ledger = digits_context(tiny_task, tiny_model, "forget_images").ledger()
    assert (ledger.forget_images, ledger.forward) == (0, 0), "each probe has a ledger of its own"
    again = digits_context(tiny_task, tiny_model, "forget_images")
    assert torch.equal(Retry(given=5).draw(tiny_model, again)["retried"], drawn)
    # Three steps of four images, and forty samples in three steps.
    assert again.ledger().model_dump() == {
        "forget_images": 5, "retain_images": 0, "held_out_images": 0, "forward": 3 * 4 + 3 * 40, "backward": 3 * 4,
    }  # fmt: skip


def test_settings_are_checked() -> None:
    assert Retry(steps=9).settings.steps == 9
    with pytest.raises(UserError, match="Retry has no setting 'stepz'; did you mean 'steps'"):
        Retry(stepz=9)


def test_a_probed_model_goes_with_the_last_who_holds_it(faces: Task, tiny_text_to_image: TextToImage) -> None:
    """At once, and not when the garbage collector comes."""
    with uncollected():
        model = tiny_text_to_image.clone()
        context = faces_context(faces, model, "held_out_images")
        Samples().draw(model, context)
        Redraw(noises=1, images=1).draw(model, context)
        gone = [weakref.ref(one) for one in (context, model, model.denoiser)]
        del context, model
        assert [one() for one in gone] == [None] * 3
