"""Compares clips by their embeddings: python examples/compare_clips.py WIDTHxHEIGHT KEYPOINTS.json ..."""

import sys

import torch

import motionrep


def main(size: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    encoder = motionrep.load_encoder("ktpformer-s")
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    # The spread over time tells more of a motion than the mean, which also depends on where the camera is.
    vectors = torch.stack([motionrep.embed(clip, encoder).values.std(0).flatten() for clip in clips])
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    for path, row in zip(paths, vectors @ vectors.T, strict=True):
        print(path, " ".join(f"{value:5.2f}" for value in row.tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
