"""Which of the suite's tasks and methods have records among its own results: the others are untried as they are."""

from __future__ import annotations

TASKS = frozenset(
    {
        *("digits_1", "digits_8", "faces_bangs", "faces_eyeglasses", "faces_hats"),
        *("mnist_1_small", "mnist_8_small"),
    }
)

METHODS = frozenset(
    {
        *("original", "real", "retrain"),
        *("erasediff", "esd", "finetune", "gradient_ascent", "neggrad_plus", "perturb", "retrack", "salun"),
        *("selective_amnesia", "siss", "vdu", "vdu_contrast"),
        *("adv_unlearn", "concept_ablation", "forget_me_not", "rece", "spm", "uce"),
    }
)
