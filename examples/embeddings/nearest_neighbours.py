"""k-NN: python examples/embeddings/nearest_neighbours.py WIDTHxHEIGHT LABEL/CLIP.json ... (folders are the labels)"""

import sys
from pathlib import Path

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

import motionrep
from motionrep.embedding.sklearn import MotionEmbedder


def main(size: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    labels = [Path(path).parent.name for path in paths]
    pipeline = Pipeline([("embed", MotionEmbedder()), ("nearest", KNeighborsClassifier(1, metric="cosine"))])
    folds = StratifiedKFold(min(4, *map(labels.count, set(labels))), shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, {"embed__pooling": ["mean", "spread"]}, cv=folds, refit=False).fit(clips, labels)
    for options, accuracy in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"{options['embed__pooling']:6s} {accuracy:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
