"""What a method used beside what it was handed, as far as its ledger and the count of its evaluations show that."""

from __future__ import annotations

from vdu_bench.errors import RegimeError
from vdu_bench.methods.method import Method
from vdu_bench.methods.regime import Need, Regime, forbidden_needs
from vdu_bench.records import Ledger, Timings


def check_ledger(name: str, method: Method, regime: Regime, ledger: Ledger) -> None:
    """Refuse what a method took past the context's own checks, by attributes that are not meant for it.

    Args:
        name: the method's.
        method: a contestant or a reference row, which nothing binds.
        regime: what it was allowed.
        ledger: what was handed out.

    Raises:
        RegimeError: it did not declare what it took, or the regime forbids that.
    """
    if method.role == "reference":
        return
    took: dict[Need, bool] = {
        "forget_images": ledger.forget_images > 0,
        "retain_images": ledger.retain_images > 0,
        "posterior": ledger.posterior,
        "prompts": ledger.prompts,
    }
    used = [need for need, taken in took.items() if taken]
    if undeclared := [need for need in used if need not in method.needs]:
        raise RegimeError(
            f"the method {name} took {', '.join(undeclared)}, which its needs {list(method.needs)} do not name: "
            "name them, and take them by the context's public attributes"
        )
    if forbidden := forbidden_needs(regime, used):
        raise RegimeError(f"the method {name} took {', '.join(forbidden)}, which the regime {regime!r} does not allow")


def uncounted(name: str, ledger: Ledger, timings: Timings) -> list[str]:
    """A sentence for each sign that a method which changed the model used more than what is counted.

    Args:
        name: the method's.
        ledger: what was handed out.
        timings: what it took.
    """
    if not (ledger.images or ledger.posterior or ledger.prompts or ledger.replayed):
        return [
            f"{name}: it changed the model, and took no image, prompt or posterior and no sample of the base through "
            "its context: what it learned from is not known here"
        ]
    if ledger.images and timings.nfe_forward == 0:
        return [
            f"{name}: it drew {ledger.images:,} training images, and no evaluation of the denoiser was counted: what "
            "it took is not known here"
        ]
    return []
