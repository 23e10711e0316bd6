"""What an encoder is: the base class of all architectures, and what they are built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motionrep.encoders.declaration import BONE_FORMULA, NORMALISATION_FORMULAS, Normalisation, coco_weights
from motionrep.encoders.published_format import PublishedFormat
from motionrep.encoders.saving import Shareable
from motionrep.layouts import H36M_17, CocoRecipe, JointLayout
from motionrep.weights.folders import digest_of


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What an encoder is built from. Architectures add options of their own, each with a default that JSON can hold.

    Attributes:
        frames: The window. An encoder reads exactly so many frames, or, if its window is not fixed, at most so many.
        channels: Channels of the representation, per joint.
        input_channels: 2 for x and y, 3 for x, y and confidence.
        fps: Frame rate of the clips it was trained on; None if they had several, or if it is not known. `embed` and
            `Stream` read clips at about this rate.
        reads: What stands at each joint: "joints", its place, or "bones", its place from that of its parent.
    """

    frames: int = 243
    channels: int = 512
    input_channels: int = 3
    fps: float | None = None
    reads: Literal["joints", "bones"] = "joints"

    def __post_init__(self) -> None:
        if self.input_channels not in (2, 3):
            raise ValueError(f"input_channels must be 2 (x, y) or 3 (x, y, confidence), got {self.input_channels}")
        if self.reads not in ("joints", "bones"):
            raise ValueError(f"reads must be 'joints' or 'bones', got {self.reads!r}")


class Encoder(Shareable):
    """Turns normalised keypoints into a representation of every joint in every frame.

    To add an architecture, derive a class: it is known to `load_encoder`, `finetune` and error messages as soon as its
    module is imported.

        @dataclass(frozen=True, kw_only=True)
        class PlainConfig(EncoderConfig):
            hidden: int = 64

        class Plain(Encoder):
            architecture = "plain"
            config_type = PlainConfig
            config: PlainConfig

            def __init__(self, **options):  # those of PlainConfig, as in Plain(frames=27, hidden=128)
                super().__init__(**options)
                self.embed = nn.Linear(self.input_channels, self.config.hidden)
                self.representation = nn.Linear(self.config.hidden, self.channels)

            def forward(self, keypoints):
                self.require_window(keypoints)
                return self.representation(self.embed(keypoints).relu())

    `save_pretrained`, `from_pretrained` and `push_to_hub` work as in huggingface_hub. Override `layer_groups` if the
    encoder has layers that are to be fine-tuned one by one. LoRA and fast bfloat16 need layers made of `Block`s
    (`architectures.layers`).

    Attributes:
        architecture: Its key in `ENCODERS`. A class without one is not registered, and its encoders cannot be saved.
        config_type: The class of `config`.
        published: How checkpoints of the published model are read; None if there are none.
        layout: The joints it reads, in their order.
        normalisation: "width" (see `embedding.inputs.normalise`) or "crop" (see `embedding.inputs.cropped`).
        crop_ratio: For "crop", the side of the box over the longer side of the person.
        coco_recipe: How COCO-17 keypoints become its layout (see `layouts.to_h36m_17`).
        fixed_window: False if it also reads clips shorter than `frames`.
        config: What it was built from. `frames`, `channels`, `input_channels`, `fps` and `reads` are attributes, too.
        name: Which weights these are.
        provenance: Where the weights come from; saved and loaded with them. Set it after training, as `motionrep
            finetune` does. If only the weights have changed, it is saved without its metrics.
        digest: The `weights_digest` of the weights that were loaded or saved, by which a head knows the encoder it was
            trained on. None for a new encoder, and after training mode or `load_state_dict`. Changes made by hand in
            evaluation mode are noticed only when it is saved.
    """

    config_type: ClassVar[type[EncoderConfig]] = EncoderConfig
    published: ClassVar[PublishedFormat | None] = None

    layout: JointLayout = H36M_17
    normalisation: Normalisation = "width"
    crop_ratio: float = 1.0
    coco_recipe: CocoRecipe = "motionbert"
    fixed_window: bool = True

    config: EncoderConfig
    frames: int
    channels: int
    input_channels: int
    fps: float | None
    reads: Literal["joints", "bones"]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.config = self.config_type(**options)
        self.frames, self.channels = self.config.frames, self.config.channels
        self.input_channels, self.fps = self.config.input_channels, self.config.fps
        self.reads = self.config.reads
        self.name = self.architecture or type(self).__name__

    def forward(
        self, keypoints: Float[Tensor, "batch frames joints inputs"]
    ) -> Float[Tensor, "batch frames joints channels"]:
        """The representation of windows, from normalised keypoints."""
        raise NotImplementedError

    def layer_groups(self) -> list[Sequence[nn.Module]]:
        """The modules of each layer, in order, and as the last item those behind the last layer.

        Modules that are in no group lie ahead of the first layer. Fine-tuning of the last layers and learning rates
        that decay from layer to layer go by this. The default is an encoder without layers.
        """
        return [[]]

    def layer_numbers(self) -> dict[str, int]:
        """The layer of every parameter: 0 ahead of the first, 1 to the depth, and depth + 1 behind the last."""
        number_of = {
            id(parameter): number
            for number, modules in enumerate(self.layer_groups(), 1)
            for module in modules
            for parameter in module.parameters()
        }
        return {name: number_of.get(id(parameter), 0) for name, parameter in self.named_parameters()}

    def with_frame_rate(self, fps: float) -> "Encoder":
        """A copy that reads a higher frame rate, to train on from. Its window is as long in seconds.

        Each frame becomes several, which take its place in the window and have its neighbours. A clip that repeats
        every frame as often is encoded as before.

        Raises:
            ValueError: The architecture cannot do that, the encoder declares no frame rate, or `fps` is no whole
                multiple of it.
        """
        if self.fps is None or fps < self.fps or fps % self.fps:
            known = (
                "declares no frame rate; build it with fps="
                if self.fps is None
                else f"reads {self.fps:g} frames per second; fps must be a multiple of that, such as {2 * self.fps:g}"
            )
            raise ValueError(f"encoder {self.name} {known}, got {fps:g}")
        times = int(fps / self.fps)
        with torch.no_grad():
            options, weights = self._upsampled(times)
            finer = self.rebuilt(**options, frames=times * self.frames, fps=fps)
            finer.load_state_dict(weights)
        finer.to(next(self.parameters()))
        finer.name = self.name
        recipe = f"made to read {fps:g} frames per second, after this: {self.provenance.recipe}"
        finer.provenance = replace(self.provenance, metrics=(), recipe=recipe)
        return finer.train(self.training)

    def _upsampled(self, times: int) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
        """Options and weights of an encoder that reads `times` frames for each; for `with_frame_rate`."""
        raise ValueError(
            f"encoder {self.name} reads {self.fps:g} frames per second, and a {self.architecture} cannot be made to "
            f"read another rate; take fps {self.fps:g}"
        )

    def require_window(self, keypoints: Tensor) -> None:
        """Raises ValueError unless the keypoints have the shape that this encoder declares to read."""
        frames, *rest = keypoints.shape[1:]
        fits = frames == self.frames if self.fixed_window else 1 <= frames <= self.frames
        if not fits or rest != [self.layout.joint_count, self.input_channels]:
            expected = f"{'' if self.fixed_window else 'up to '}{self.frames}"
            raise ValueError(
                f"{self.name}: expected keypoints batch x {expected} frames x {self.layout.joint_count} "
                f"joints x {self.input_channels}, got {tuple(keypoints.shape)}"
            )

    def input_declaration(self) -> dict[str, Any]:
        """What has to be fed to the encoder and what it returns, as JSON can hold it.

        `coco_17` has the weights of the COCO-17 keypoints that make each joint of the layout (`coco_weights`).
        """
        declaration = {
            "layout": self.layout.name,
            "joints": list(self.layout.joints),
            "input_channels": ["x", "y", "confidence"][: self.input_channels],
            "normalisation": self.normalisation,
            "normalisation_formula": NORMALISATION_FORMULAS[self.normalisation],
            "unseen": (
                "x, y and confidence 0" if self.input_channels == 3 else "on a line between the frames that saw it"
            ),
            "frames": self.frames,
            "fixed_window": self.fixed_window,
            "fps": self.fps,
            "output": f"representation, frames x {self.layout.joint_count} joints x {self.channels} channels, no unit",
            "coco_recipe": self.coco_recipe,
            "coco_17": coco_weights(self.layout, self.coco_recipe),
        }
        if self.reads == "bones":
            declaration |= {"reads": self.reads, "bone_formula": BONE_FORMULA}
        return declaration | ({"crop_ratio": self.crop_ratio} if self.normalisation == "crop" else {})


def as_encoder(encoder: Any) -> Encoder:
    """The encoder itself, or the one inside a module that `torch.compile` made of it.

    Everything that takes an encoder from a user takes it through this function.

    Raises:
        TypeError: It is no encoder.
    """
    inside = encoder._orig_mod if hasattr(encoder, "_orig_mod") else encoder
    if isinstance(inside, Encoder):
        return inside
    if isinstance(inside, nn.Module):
        raise TypeError(f"expected an encoder, got {type(inside).__name__}, which is no motionrep.encoders.Encoder")
    raise TypeError(f"expected an encoder, as load_encoder(...) gives, got {encoder!r}")


def weights_digest(encoder: Encoder) -> str:
    """sha256 of the names and values of all weights in float32, whatever precision they are kept in."""
    return digest_of(as_encoder(encoder).state_dict())
