"""Portraits with known attributes, drawn by DiceBear's `pixel-art` style (https://www.dicebear.com, CC0 1.0).

The style has a grid of 16x16 of its own, so that at this size every pixel is one flat colour.

What each attribute means here (the labels are read from the options that DiceBear reports, not from our wishes):

- eyeglasses: any of the `glasses`, clear or tinted, but for the two rimless ones (``dark04``, ``light04``), which at
  this size look like eyebrows.
- hat: any `hat`. It hides the hair above the brow.
- bangs: DiceBear has no such attribute. A hair style counts as bangs if it covers the whole forehead in the
  row above the glasses (row 3, columns 4 to 11, counted from 0), and as none if it leaves that row's middle half
  (columns 6 to 9) bare. Styles in between (a side parting, a single lock) are not used at all. No face with a hat
  has bangs: the hair under a hat is always one without.
- long_hair: a style that hangs down beside the chin on both sides. Braids and buns are not used, being
  neither long nor short, and neither are curls, whose checkered pixels a small autoencoder cannot hold.
- beard: any `beard`, but for the single stroke of ``variant04``.

The style's definition is changed in one point. It masks a beard by the *luminance* of the hair's colour,
so that dark beards all but vanish, and lightens it by 30 % white, so that others vanish on darker skin. Here the mask
is by alpha, opaque, and nothing is lightened: a beard has the colour of the hair.

So that an attribute that is there can be seen, hair differs from skin, and hats from both, by `MIN_CONTRAST`.
"""

from __future__ import annotations

import functools
import importlib.resources
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vdu_bench.data.sources.faces import NAMES, TILE
from vdu_bench.errors import UserError
from vdu_bench.extras import install
from vdu_bench.seeds import derive_seed

SEED = 0
# bangs are drawn for the faces without a hat alone
PREVALENCE = {"eyeglasses": 0.35, "hat": 0.30, "bangs": 0.45, "long_hair": 0.40, "beard": 0.25}

LONG_WITH_BANGS = ("long02", "long03", "long13")
LONG_WITHOUT = ("long01", "long04", "long07", "long09", "long12", "long20", "long21")
SHORT_WITH_BANGS = ("short01", "short14", "short15", "short16", "short17", "short22")
SHORT_WITHOUT = ("short02", "short03", "short04", "short06", "short07", "short10", "short18")
# for pairs: the style without bangs, of the same length, whose silhouette differs least
TWINS = {
    "long13": "long07",
    "short01": "short02",
    "short14": "short02",
    "short15": "short02",
    "short16": "short10",
    "short17": "short06",
    "short22": "short02",
}

GLASSES = tuple(f"{tint}{number:02d}" for tint in ("dark", "light") for number in (1, 2, 3, 5, 6, 7))
BEARDS = tuple(f"variant{number:02d}" for number in (1, 2, 3, 5, 6, 7, 8))
# garments, eyes and mouths without half-transparent parts or checks of single pixels: noise at this size
CLOTHES = tuple(f"variant{number:02d}" for number in (3, 4, 5, 8, 11, 14, 17))
EYES = tuple(f"variant{number:02d}" for number in (1, 3, 4, 6, 7, 8, 9, 11))
MOUTHS = tuple(
    f"{mood}{number:02d}"
    for mood, numbers in (("happy", (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12)), ("sad", range(1, 11)))
    for number in numbers
)
BACKGROUNDS = ("#f2f2f2", "#cfe3f2", "#dcefd8")
SKINS = ("#ffdbac", "#f5cfa0", "#eac393", "#e0b687", "#cb9e6e", "#b68655", "#a26d3d", "#8d5524")
HAIRS = (
    *("#cab188", "#603a14", "#83623b", "#a78961", "#611c17", "#603015", "#612616", "#28150a"),
    *("#009bbd", "#bd1700", "#91cb15"),
)
EYE_COLOURS = ("#76778b", "#588387", "#876658")
# without the red that passes for a darker skin
GLASSES_COLOURS = ("#191919", "#4b4b4b", "#43677d")
# without the style's dark brown and grey, which pass for hair
HATS = ("#2663a3", "#3d8a6b", "#cc6192", "#614f8a", "#a62116")
MIN_CONTRAST = 65.0

Drawn = tuple[NDArray[np.uint8], dict[str, Any]]


@dataclass(frozen=True)
class Face:
    """What is decided about a portrait before it is drawn; DiceBear derives the rest from the seed.

    Attributes:
        seed: DiceBear's seed. Each thing is drawn from it by name, so that adding a hat does not move the mouth.
        eyeglasses: there are some.
        hat: there is one.
        beard: there is one.
        hair: the name of the hair style.
        skin: colour, ``#rrggbb``; so are the next three.
        hair_colour: of hair and beard.
        hat_colour: of the hat, if there is one.
        background: plain.
    """

    seed: str
    eyeglasses: bool
    hat: bool
    beard: bool
    hair: str
    skin: str
    hair_colour: str
    hat_colour: str
    background: str


def draw_face(series: str, number: int, **fixed: bool) -> Face:
    """The face with this number in this series (``faces``, ``pair-hat``, ...), some attributes decided by `fixed`."""
    generator = np.random.default_rng(derive_seed(SEED, "face", series, number))

    def pick(options: Sequence[str]) -> str:
        return options[int(generator.random() * len(options))]

    has = {name: bool(generator.random() < PREVALENCE[name]) for name in NAMES} | fixed
    styles = (LONG_WITHOUT, LONG_WITH_BANGS) if has["long_hair"] else (SHORT_WITHOUT, SHORT_WITH_BANGS)
    skin = pick(SKINS)
    hair_colour = pick([colour for colour in HAIRS if _contrast(colour, skin) >= MIN_CONTRAST])
    hats = [colour for colour in HATS if min(_contrast(colour, skin), _contrast(colour, hair_colour)) >= MIN_CONTRAST]
    return Face(
        seed=f"{series}-{number}",
        eyeglasses=has["eyeglasses"],
        hat=has["hat"],
        beard=has["beard"],
        hair=pick(styles[has["bangs"] and not has["hat"]]),
        skin=skin,
        hair_colour=hair_colour,
        hat_colour=pick(hats),
        background=pick(BACKGROUNDS),
    )


def draw_pair(attribute: str, number: int) -> tuple[Face, Face]:
    """The same face without and with `attribute`, one of `PAIRED`."""
    if attribute == "bangs":
        face = draw_face(f"pair-{attribute}", number, hat=False, bangs=True)
        # the other long styles with bangs have no near twin
        face = replace(face, hair=face.hair if face.hair in TWINS else "long13")
        return replace(face, hair=TWINS[face.hair]), face
    fixed = {attribute: False} if attribute != "hat" else {"hat": False, "bangs": False}
    face = draw_face(f"pair-{attribute}", number, **fixed)
    return face, replace(face, eyeglasses=True) if attribute == "eyeglasses" else replace(face, hat=True)


def render(face: Face, size: int = TILE) -> Drawn:
    """The picture, uint8 ``[3, size, size]``, and the options that DiceBear resolved.

    Args:
        face: what to draw.
        size: pixels a side. A multiple of 16 gives the same flat squares, larger.

    Raises:
        UserError: the packages of the extra ``faces`` are not installed.
    """
    try:
        import resvg_py
        from dicebear import Avatar
    except ImportError as error:
        raise UserError(f"making faces needs further packages: {install('faces')}") from error
    options = {
        "seed": face.seed,
        "backgroundColor": [face.background],
        "skinColor": [face.skin],
        "hairColor": [face.hair_colour],
        "hatColor": [face.hat_colour],
        "hairVariant": [face.hair],
        "eyesColor": list(EYE_COLOURS),
        "glassesColor": list(GLASSES_COLOURS),
        "glassesVariant": list(GLASSES),
        "beardVariant": list(BEARDS),
        "clothesVariant": list(CLOTHES),
        "eyesVariant": list(EYES),
        "mouthVariant": list(MOUTHS),
        "glassesProbability": 100 * face.eyeglasses,
        "hatProbability": 100 * face.hat,
        "beardProbability": 100 * face.beard,
        "accessoriesProbability": 0,
    }
    avatar = Avatar(_style(), options)
    png = resvg_py.svg_to_bytes(svg_string=avatar.to_string(), width=size, height=size, skip_system_fonts=True)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).transpose(2, 0, 1)
    return pixels, avatar.to_json()["options"]


def attributes(options: dict[str, Any]) -> list[bool]:
    """What a portrait shows, in the order of `NAMES`, from the options that DiceBear resolved."""
    hat, hair = "hatVariant" in options, options["hairVariant"]
    shown = {
        "eyeglasses": "glassesVariant" in options,
        "hat": hat,
        "bangs": hair in LONG_WITH_BANGS + SHORT_WITH_BANGS and not hat,
        "long_hair": hair in LONG_WITH_BANGS + LONG_WITHOUT,
        "beard": "beardVariant" in options,
    }
    return [shown[name] for name in NAMES]


@functools.cache
def _style() -> Any:
    from dicebear import Style

    definition = json.loads(
        (importlib.resources.files("dicebear_styles") / "pixel-art.json").read_text(encoding="utf-8")
    )
    for beard in definition["components"]["beard"]["variants"].values():
        mask, drawing = beard["elements"]
        mask["attributes"]["style"] = "mask-type:alpha"
        mask["children"][0]["attributes"].pop("opacity", None)
        drawing["children"] = drawing["children"][:1]
    return Style(definition)


def _contrast(one: str, other: str) -> float:
    """The Euclidean distance of two ``#rrggbb`` colours."""
    return math.dist(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]))
