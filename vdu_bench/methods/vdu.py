"""Variational Diffusion Unlearning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.whitening import unwhiten, whiten
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior


class VDU(LossMethod):
    """Variational Diffusion Unlearning: raise the error on the forget set, held by the posterior over the weights.

        L(theta) = -(1 - gamma) E_{x0 in D_f, t, eps} [ C_t || eps - eps_theta(x_t, t) ||^2 ]
                   +    gamma   1/d sum_i (theta_i - mu_i)^2 / (2 sigma_i^2)

    after Panda, Varun, Jain, Maharana & Prathosh, "Variational Diffusion Unlearning" (arXiv 2510.04058): a plasticity
    inducer and a stability regularizer, from the forget set and the base's weight posterior N(mu, diag(sigma^2)) alone.

    Choices of this project, since the paper's own settings are not known to us: the squared error is a mean over
    elements; the regularizer is divided by the number of weights d, so that gamma carries over between networks;
    sigma has a floor; each image's error is capped, so that what is forgotten is not pushed on; and the loss is
    minimised over z, theta = mu + sigma z, where every weight moves in proportion to its posterior deviation and the
    regularizer is |z|^2 / (2 d).

    Two settings are additions of this project. A trained model has learned the mean of the noise, so its error has
    hardly a slope to follow: what grows is whatever moves the output most, such as the brightness of everything. With a
    `contrast` of k the error is to eps + k (eps - eps_base(x_t)), eps_base without a prompt: on the forget set its
    slope leads away from what the class, or the caption, adds to the rest. And the model can be told a prompt that asks
    for the concept alone in place of the caption (``condition: concept``).
    """

    supports = ("unconditional", "text_to_image")
    needs = ("forget_images", "posterior", "prompts")

    class Settings(LossMethod.Settings):
        """VDU's settings; all defaults are this project's."""

        gamma: float = Field(0.1, ge=0, le=1, description="weight of the stability regularizer")
        space: Literal["posterior", "parameter"] = Field(
            "posterior", description="optimise over z (theta = mu + sigma z) or over theta itself"
        )
        center: Literal["base", "mean"] = Field(
            "base", description="mu: the base's weights, or the mean of the posterior's snapshots"
        )
        weighting: Literal["simple", "elbo"] = Field("simple", description="C_t: 1, or Ho et al. 2020, eq. 12")
        contrast: float = Field(
            0.0, ge=0, description="k: get away from eps + k (eps - eps_base(x_t)), without a prompt; 0 is the paper's"
        )
        condition: Literal["captions", "concept"] = Field(
            "captions", description="what a text-to-image model is told of an image: its caption, or a concept prompt"
        )
        error_cap: float | None = Field(0.2, gt=0, description="largest error an image is pushed to; none: no cap")
        variance_floor: float = Field(
            0.1, gt=0, le=1, description="quantile of all deviations that no sigma may be smaller than"
        )
        steps: int = Field(40, gt=0, description="optimiser steps")
        batch_size: int = Field(128, gt=0, description="images a step")
        learning_rate: float = Field(0.01, gt=0, description="peak learning rate, in units of z or of theta")
        schedule: Literal["constant", "cosine"] = Field(
            "cosine", description="learning rate after the warm-up: constant, or cosine to zero"
        )

    settings: Settings
    _posterior: WeightPosterior
    _coordinates: Sequence[nn.Parameter]
    _names: Sequence[str]

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        if self.settings.condition == "concept" and not model.prompted:
            raise UserError("vdu: condition: concept needs prompts, which an unconditional model does not take")
        selected = self.selection(model)
        posterior = context.posterior(list(selected)).floored(self.settings.variance_floor)
        if self.settings.center == "base":
            base = dict(context.base.denoiser.named_parameters())
            posterior = WeightPosterior({name: base[name].detach() for name in selected}, posterior.std)
        self._posterior = posterior
        if self.settings.space == "posterior":
            self._coordinates = whiten(model.denoiser, posterior)
        else:
            self._names, self._coordinates = list(selected), list(selected.values())

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:  # noqa: ARG002
        return self._coordinates

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        gamma = self.settings.gamma
        return -(1 - gamma) * self._plasticity(model, context) + gamma * self._stability()

    def finish(self, model: DiffusionModel) -> None:
        unwhiten(model.denoiser)

    def _plasticity(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        condition = batch.condition
        if self.settings.condition == "concept":
            condition = model.condition(context.concept.draws(len(batch.x0)))
        t, noise = context.timesteps(len(batch.x0)), context.noise_like(batch.x0)
        x_t = model.add_noise(batch.x0, noise, t)
        left = noise
        if self.settings.contrast > 0:
            with torch.no_grad():
                left = noise + self.settings.contrast * (noise - context.base.predict_noise(x_t, t))
        error = (left - model.predict_noise(x_t, t, condition)).square().flatten(1).mean(1)
        if self.settings.error_cap is not None:
            error = error.clamp(max=self.settings.error_cap)
        if self.settings.weighting == "elbo":
            error = elbo_weights(model)[t] * error
        return error.mean()

    def _stability(self) -> Tensor:
        d = sum(p.numel() for p in self._coordinates)
        z: Sequence[Tensor] = self._coordinates
        if self.settings.space == "parameter":
            mean, std = self._posterior.mean, self._posterior.std
            z = [(p - mean[name]) / std[name] for name, p in zip(self._names, self._coordinates, strict=True)]
        return sum((p.square().sum() for p in z), z[0].new_zeros(())) / (2 * d)


def elbo_weights(model: DiffusionModel) -> Tensor:
    """beta_t^2 / (2 sigma_t^2 alpha_t (1 - alphabar_t)) with sigma_t^2 = beta_t, ``[T]`` (Ho et al. 2020, eq. 12)."""
    alphas_cumprod = model.alphas_cumprod
    previous = torch.cat([alphas_cumprod.new_ones(1), alphas_cumprod[:-1]])
    alphas = alphas_cumprod / previous
    return (1 - alphas) / (2 * alphas * (1 - alphas_cumprod))
