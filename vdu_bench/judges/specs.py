"""What a task file says about its judge. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter

from vdu_bench.models.specs import FitSpec
from vdu_bench.spec import PositiveInt, Spec


class JudgeRecipe(Spec):
    """A judge from nothing: what all recipes share, augmentation and the seed.

    A recipe's dump is the address of what is made from it, so a setting of one network must not be a field here.
    """

    network: str
    max_shift: int = Field(1, ge=0, description="augmentation: translation in pixels, each way")
    max_rotation: float = Field(10.0, ge=0, description="augmentation: rotation in degrees, each way")
    outliers: float = Field(
        0.25, ge=0, lt=1, description="share of a batch that is made off-manifold and labelled as none of the classes"
    )
    seed: int = Field(0, ge=0, description="initial weights, batches, augmentation")


class NetworkRecipe(JudgeRecipe):
    """A network that is trained step by step."""

    training: FitSpec


class SmallCNNRecipe(NetworkRecipe):
    """Three convolutions, for tiny images."""

    network: Literal["small_cnn"] = "small_cnn"
    width: PositiveInt = Field(32, description="channels of the first convolution")
    features: PositiveInt = Field(64, description="width of the layer whose features measure fidelity")


class TimmRecipe(NetworkRecipe):
    """A network by timm; its last layer before the read-out measures fidelity."""

    later: ClassVar[tuple[str, ...]] = ("pretrained", "input_size")

    network: Literal["timm"]
    architecture: str = Field(description="timm's name of a convolutional network, such as resnet18")
    stem: Literal["own", "small"] = Field(
        "own", description="small: a first convolution of 3x3, stride 1, and no pooling, for images of 32 to 64 pixels"
    )
    input_size: PositiveInt | None = Field(
        None, description="height and width that images are resized to for it, such as 224; None: as they come"
    )
    mirror: bool = Field(False, description="augmentation: half of the images are mirrored left to right")
    pretrained: bool = Field(
        False,
        description="start from timm's weights for the architecture, most of them ImageNet's, instead of random ones; "
        "its name can say which, such as resnet18.a1_in1k",
    )


class SVMRecipe(JudgeRecipe):
    """Support vector machines on pixels, one for each answer, with a Gaussian kernel.

    They have no features that could measure fidelity, so this is a second judge's.
    """

    network: Literal["svm"]
    images: PositiveInt | None = Field(
        None, description="how many training images it learns from, drawn at random; None: all of them"
    )
    copies: int = Field(0, ge=0, description="augmentation: turned and moved copies of each image beside itself")
    gamma: float = Field(1.0, gt=0, description="of the kernel, in 1 / (values x variance of an image's values)")
    penalty: float = Field(10.0, gt=0, description="of an image on the wrong side of the margin, C")


class InceptionSpec(Spec):
    """torch-fidelity's Inception, for an FID."""

    file: str | None = Field(
        None, description="a local file with its weights, where there is no network to fetch them; tensors alone"
    )


def _network(value: Any) -> Any:
    # Task files, and the judges that ship, may leave the first network there was unnamed.
    return value.get("network", "small_cnn") if isinstance(value, Mapping) else getattr(value, "network", None)


AnyJudgeRecipe = Annotated[
    Annotated[SmallCNNRecipe, Tag("small_cnn")] | Annotated[TimmRecipe, Tag("timm")],
    Discriminator(
        _network,
        custom_error_type="unknown_network",
        custom_error_message="network must be small_cnn or timm",
    ),
]


AnySecondJudgeRecipe = Annotated[
    Annotated[SmallCNNRecipe, Tag("small_cnn")] | Annotated[TimmRecipe, Tag("timm")] | Annotated[SVMRecipe, Tag("svm")],
    Discriminator(
        _network,
        custom_error_type="unknown_network",
        custom_error_message="network must be small_cnn, timm or svm",
    ),
]


def read_recipe(data: Mapping[str, Any]) -> JudgeRecipe:
    """A recipe of either judge from its dump. Raises pydantic's ValidationError."""
    return TypeAdapter[JudgeRecipe](AnySecondJudgeRecipe).validate_python(data)
