"""Clips most similar to the first: python examples/embeddings/retrieve.py WIDTHxHEIGHT QUERY.json CLIP.json ..."""

import sys

from sklearn.neighbors import NearestNeighbors

import motionrep
from motionrep.embedding.sklearn import MotionEmbedder


def main(size: str, query: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in (query, *paths)]
    vectors = MotionEmbedder().fit_transform(clips)
    index = NearestNeighbors(n_neighbors=len(paths), metric="cosine").fit(vectors[1:])
    distances, found = index.kneighbors(vectors[:1])
    for distance, number in zip(distances[0], found[0], strict=True):
        print(f"{1 - distance:.3f} {paths[number]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
