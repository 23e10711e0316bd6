"""Motion embeddings for scikit-learn: `MotionEmbedder` stands at the front of any pipeline. Needs the extra `train`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from motionrep.embedding.encoding import embed
from motionrep.embedding.pooling import over_time
from motionrep.encoders import Encoder, as_encoder, load_encoder
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError('motionrep.embedding.sklearn needs scikit-learn: pip install "motionrep[train]"') from error


class MotionEmbedder(TransformerMixin, BaseEstimator):
    """Clips of keypoints in, one vector for each clip out; nothing is learned from the clips.

    It can be cloned, pickled and searched over like any estimator, also in a `Pipeline`. A pickle holds the name of the
    encoder and not its weights, unless `encoder` is an `Encoder` itself. It refuses other weights of that name.

    Args:
        encoder: What `load_encoder` takes, or an encoder.
        pooling: "mean" or "spread" (standard deviation) over the frames in which the person was seen, or "both". The
            mean usually says more, but it also depends on where the camera stands.
        flip: Averages with the mirrored clip, for motions that are the same on either side.
        device: Where to encode.
    """

    def __init__(
        self,
        encoder: str | Path | Encoder = "ktpformer-s",
        pooling: Literal["mean", "spread", "both"] = "both",
        flip: bool = False,
        device: str = "cpu",
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.flip = flip
        self.device = device

    # scikit-learn names these arguments.
    def fit(self, X: Sequence[Keypoints], y: Any = None) -> "MotionEmbedder":  # noqa: N803
        """Loads the encoder and checks the clips.

        Raises:
            ValueError: An option out of range, no clips, something else than clips, or no such encoder.
        """
        if self.pooling not in ("mean", "spread", "both"):
            raise ValueError(f"pooling must be 'mean', 'spread' or 'both', got {self.pooling!r}")
        _require_clips(X)
        network = self._network()
        self.encoder_digest_ = network.digest
        self.n_features_out_ = 17 * network.channels * (2 if self.pooling == "both" else 1)
        return self

    def transform(self, X: Sequence[Keypoints]) -> Float[np.ndarray, "clips features"]:  # noqa: N803
        """The vectors, float32: joint by joint, the mean of its channels and then their spread.

        Raises:
            ValueError: No clips, something else than clips, a clip in which nobody was seen, or an encoder with other
                weights than at the time of `fit`.
        """
        check_is_fitted(self)
        _require_clips(X)
        network = self._network()
        if (digest := network.digest) != self.encoder_digest_:
            raise ValueError(f"encoder {self.encoder!r} has other weights (sha256 {digest}) than when this was fitted")
        return np.stack([self._vector(clip, number, network) for number, clip in enumerate(X)])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Such as "left_knee_mean_3": the joint, the statistic, the channel."""
        check_is_fitted(self)
        parts = ("mean", "spread") if self.pooling == "both" else (self.pooling,)
        channels = self.n_features_out_ // (17 * len(parts))
        names = [f"{joint}_{part}_{i}" for joint in H36M_17.joints for part in parts for i in range(channels)]
        return np.array(names, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_out_")

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_loaded"}

    def _network(self) -> Encoder:
        """The encoder. It is loaded once, and again after the estimator was pickled or cloned."""
        if not isinstance(self.encoder, str | Path):
            return as_encoder(self.encoder)
        if not hasattr(self, "_loaded") or self._loaded[0] != self.encoder:
            self._loaded = (self.encoder, load_encoder(self.encoder))
        return self._loaded[1]

    def _vector(self, clip: Keypoints, number: int, network: Encoder) -> np.ndarray:
        embedding = embed(clip, network, flip=self.flip, device=self.device)
        seen = embedding.seen_frames()
        if not bool(seen.any()):
            raise ValueError(f"clip {number}: every keypoint has confidence 0, nobody was seen; leave it out")
        pooled = over_time(embedding.values, seen)
        mean, spread = pooled.tensor_split(2, dim=-1)
        return {"mean": mean, "spread": spread, "both": pooled}[self.pooling].flatten().to(torch.float32).numpy()


def _require_clips(clips: Any) -> None:
    if isinstance(clips, Keypoints) or not len(clips):
        raise ValueError("expected a list of one or more clips (motionrep.Keypoints)")
    for number, clip in enumerate(clips):
        if not isinstance(clip, Keypoints):
            raise ValueError(
                f"clip {number} is {type(clip).__name__}, expected motionrep.Keypoints, as load_keypoints reads them"
            )
