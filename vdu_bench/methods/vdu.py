"""Variational Diffusion Unlearning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod
from vdu_bench.methods.pools import Batch
from vdu_bench.methods.regime import Need
from vdu_bench.methods.search import Choice, Range, Space
from vdu_bench.methods.whitening import Whitening, squared_norm
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.training.dropout import seeded_dropout
from vdu_bench.models.training.fitting import Backward
from vdu_bench.seeds import derive_seed

SCALE_BATCHES = 8
"""How many batches the slope of the error at the base is measured on."""

LOSS_SCALE = 1024.0
"""A power of two, so that it changes no bit in float32, and no gradient vanishes in float16."""


class VDU(LossMethod):
    """Variational Diffusion Unlearning: raise the error on the forget set, held by the posterior over the weights.

        L(theta) = -(1 - gamma) E_{x0 in D_f, t, eps} [ C_t || eps - eps_theta(x_t, t, c) ||^2 ]
                   +    gamma   s/d sum_i (theta_i - mu_i)^2 / (2 sigma_i^2)

    after Panda, Varun, Jain, Maharana & Prathosh, "Variational Diffusion Unlearning" (arXiv 2510.04058): a plasticity
    inducer and a stability regularizer, from the forget set and the base's weight posterior N(mu, diag(sigma^2)) alone;
    c is an image's caption, where the model takes one.

    Choices of this project, since the paper's own settings are not known to us: the squared error is a mean over
    elements; sigma has a floor; and the loss is minimised over z, theta = mu + sigma z, where every weight moves in
    proportion to its posterior deviation and the regularizer is s |z|^2 / (2 d), d the number of weights.

    So is the scale s = g0 sqrt(d), by which gamma means the same on every network: g0 is the norm of the inducer's
    gradient in z at the base, the mean over 8 batches. Where z has a root mean square of 1, the regularizer's gradient
    has the norm s sqrt(d) / d = g0. So at gamma 0.5 the two balance one posterior deviation away from mu, if the
    inducer's gradient stays what it was; at 0 nothing holds; at 1 nothing pushes, and the model goes to mu. In
    ``space: parameter`` the loss is the very same number, s included; only what the optimiser steps in is theta.
    """

    supports = ("unconditional", "text_to_image")
    needs: ClassVar[tuple[Need, ...]] = ("forget_images", "posterior")

    class Settings(LossMethod.Settings):
        """VDU's settings; all defaults are this project's."""

        gamma: float = Field(0.1, ge=0, le=1, description="weight of the stability regularizer: 0 none, 1 it alone")
        space: Literal["posterior", "parameter"] = Field(
            "posterior", description="optimise over z (theta = mu + sigma z) or over theta itself"
        )
        center: Literal["base", "mean"] = Field(
            "base", description="mu: the base's weights, or the mean of the posterior's snapshots"
        )
        weighting: Literal["simple", "elbo"] = Field("simple", description="C_t: 1, or Ho et al. 2020, eq. 12")
        error_cap: float | None = Field(
            None,
            gt=0,
            description="images whose error is above it are mute: they give no gradient; none: all are heard. Not in "
            "the paper's formula",
        )
        variance_floor: float = Field(
            0.001, gt=0, le=1, description="quantile of all deviations that no sigma may be smaller than"
        )
        steps: int = Field(40, gt=0, description="optimiser steps")
        batch_size: int = Field(128, gt=0, description="images a step")
        learning_rate: float = Field(0.012, gt=0, description="peak learning rate, in units of z or of theta")
        schedule: Literal["constant", "cosine"] = Field(
            "cosine", description="learning rate after the warm-up: constant, or cosine to zero"
        )

        search: ClassVar[Space] = {
            "gamma": Range(0, 0.9),
            "learning_rate": Range(1e-3, 3, log=True),
            "steps": Range(10, 120, log=True, integer=True),
            "variance_floor": Choice((0.001, 0.01, 0.1)),
        }

    settings: Settings
    _posterior: WeightPosterior
    _whitening: Whitening | None
    _weights: Sequence[nn.Parameter]
    _names: Sequence[str]
    _scale: Tensor | float

    def start(self, model: DiffusionModel, context: UnlearningContext) -> None:
        selected = self.selection(model)
        posterior = context.posterior(list(selected)).floored(self.settings.variance_floor)
        if self.settings.center == "base":
            base = dict(context.base.denoiser.named_parameters())
            posterior = WeightPosterior({name: base[name].detach() for name in selected}, posterior.std)
        self._posterior = posterior
        self._names, self._weights = list(selected), list(selected.values())
        self._whitening = Whitening(model.denoiser, posterior) if self.settings.space == "posterior" else None
        if self._whitening is not None:
            self._names, self._weights = self._whitening.names, self._whitening.theta
            self._whitening.place()
        # Nothing is held at gamma 0, and so nothing is measured.
        self._scale = self._regularizer_scale(model, context) if self.settings.gamma > 0 else 0.0

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:  # noqa: ARG002
        return self._weights if self._whitening is None else self._whitening.z

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        z = self._z() if self._whitening is None else self._whitening.z
        return self._push(model, context) + self._hold(z)

    def gradients(self, model: DiffusionModel, context: UnlearningContext, backward: Backward) -> Tensor:
        if self._whitening is None:
            return super().gradients(model, context, backward)
        self._whitening.place()
        push = self._push(model, context)
        backward(push)
        self._whitening.pull()
        # After the network's, when its activations are gone.
        twins = self._whitening.twins()
        hold = self._hold(twins)
        backward(hold)
        self._whitening.take(twins)
        return push + hold

    def finish(self, model: DiffusionModel) -> None:  # noqa: ARG002
        if self._whitening is not None:
            self._whitening.place()

    def told(self, model: DiffusionModel, context: UnlearningContext, batch: Batch) -> Tensor | None:  # noqa: ARG002
        """What the model is told of forget images while it errs on them: their captions; None where it takes none."""
        return batch.condition

    def left(self, context: UnlearningContext, x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        """What the error is taken to, and grows away from, ``[N, *latent_shape]``: the noise."""
        return noise

    def _push(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        return -(1 - self.settings.gamma) * self._plasticity(model, context)

    def _hold(self, z: Sequence[Tensor]) -> Tensor:
        return self.settings.gamma * self._scale * self._stability(z)

    def _plasticity(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(self.settings.batch_size)
        condition = self.told(model, context, batch)
        t, noise = context.timesteps(len(batch.x0)), context.noise_like(batch.x0)
        x_t = model.add_noise(batch.x0, noise, t)
        left = self.left(context, x_t, t, noise)
        error = (left - model.predict_noise(x_t, t, condition)).square().flatten(1).mean(1)
        if self.settings.error_cap is not None:
            error = error.clamp(max=self.settings.error_cap)
        if self.settings.weighting == "elbo":
            error = elbo_weights(model)[t] * error
        return error.mean()

    def _z(self) -> list[Tensor]:
        """The coordinates that the weights stand for."""
        mean, std = self._posterior.mean, self._posterior.std
        return [(p - mean[name]) / std[name] for name, p in zip(self._names, self._weights, strict=True)]

    def _stability(self, z: Sequence[Tensor]) -> Tensor:
        """|z|^2 / (2 d)."""
        return squared_norm(z) / (2 * self._size)

    @property
    def _size(self) -> int:
        """d, how many weights there are."""
        return sum(p.numel() for p in self._weights)

    def _regularizer_scale(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        """s, a scalar: sqrt(d) times the mean norm of the inducer's gradient in z, before the first step."""
        norms = []
        for batch in range(SCALE_BATCHES):
            with seeded_dropout(model.denoiser, derive_seed(context.seed, "dropout of the scale", batch)):
                error = LOSS_SCALE * self._plasticity(model, context)
                slopes = torch.autograd.grad(error, list(self._weights), allow_unused=True)
            std, pairs = self._posterior.std, zip(self._names, slopes, strict=True)
            found = [slope * std[name] for name, slope in pairs if slope is not None]
            norms.append(torch.stack([slope.norm() for slope in found]).norm() / LOSS_SCALE)
        return torch.stack(norms).mean() * self._size**0.5


def elbo_weights(model: DiffusionModel) -> Tensor:
    """beta_t^2 / (2 sigma_t^2 alpha_t (1 - alphabar_t)) with sigma_t^2 = beta_t, ``[T]`` (Ho et al. 2020, eq. 12).

    Raises UserError for a schedule that ends without any signal: the last weight would be infinite.
    """
    if model.noise_scheduler.config.get("rescale_betas_zero_snr"):
        raise UserError("vdu: weighting: elbo has no weight for a last time without signal (rescale_betas_zero_snr)")
    # In float64: 1 - alphabar of the first times is what float32 leaves of a difference.
    betas = model.noise_scheduler.betas.double()
    alphas = 1 - betas
    weights = betas / (2 * alphas * (1 - alphas.cumprod(0)))
    return weights.to(model.alphas_cumprod)
