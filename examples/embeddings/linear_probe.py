"""Linear probe: python examples/embeddings/linear_probe.py WIDTHxHEIGHT LABEL/CLIP.json ... (folders are the labels)"""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import motionrep
from motionrep.embedding.sklearn import MotionEmbedder


def main(size: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    labels = [Path(path).parent.name for path in paths]
    # The embedder learns nothing from the clips, so it may stand before the folds and run once.
    vectors = MotionEmbedder(pooling="both").fit_transform(clips)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    folds = StratifiedKFold(min(5, *map(labels.count, set(labels))), shuffle=True, random_state=0)
    scores = cross_val_score(probe, vectors, labels, cv=folds)
    print(f"{len(clips)} clips of {len(set(labels))} classes, accuracy {scores.mean():.2f} in {len(scores)} folds")


if __name__ == "__main__":
    main(*sys.argv[1:])
