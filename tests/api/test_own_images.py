"""What a folder of one's own images says of them."""

from __future__ import annotations

from pathlib import Path

from vdu_bench.api.own_images import _captions


def test_captions_of_a_table_are_taken_whole(tmp_path: Path) -> None:
    """With whatever breaks a line elsewhere in them."""
    captions = {"0.png": "a cat\u2028with a hat", "1.png": "two\nlines", "2.png": 'a "quoted" word, and a comma\x0c'}
    rows = ["file_name,text", *('{},"{}"'.format(name, text.replace('"', '""')) for name, text in captions.items())]
    (tmp_path / "metadata.csv").write_bytes("\r\n".join(rows).encode("utf-8-sig"))
    assert _captions(tmp_path) == (captions, None)
