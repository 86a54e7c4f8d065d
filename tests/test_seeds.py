from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vdu_bench.seeds import derive_seed


@given(seed=st.integers(0, 2**32), word=st.text(max_size=8))
def test_seeds_fit_a_generator_and_depend_on_every_word(seed: int, word: str) -> None:
    derived = derive_seed(seed, "purpose", word)
    assert 0 <= derived < 2**63
    assert derived == derive_seed(seed, "purpose", word)
    assert derived != derive_seed(seed + 1, "purpose", word)
    assert derived != derive_seed(seed, "other", word)


def test_seeds_are_the_same_on_every_platform() -> None:
    assert derive_seed(0, "init") == 1519069808562059438
