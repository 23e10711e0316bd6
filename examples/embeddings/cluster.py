"""Clustering: python examples/embeddings/cluster.py WIDTHxHEIGHT CLUSTERS CLIP.json ..."""

import sys

from sklearn.cluster import AgglomerativeClustering

import motionrep
from motionrep.embedding.sklearn import MotionEmbedder


def main(size: str, clusters: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    vectors = MotionEmbedder().fit_transform(clips)
    groups = AgglomerativeClustering(int(clusters), metric="cosine", linkage="average").fit_predict(vectors)
    for group, path in sorted(zip(groups.tolist(), paths, strict=True)):
        print(group, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
