"""A classifier from a few clips: python examples/embeddings/few_shot.py WIDTHxHEIGHT HEAD_FOLDER LABEL/CLIP.json ...

The folder of each clip is its label; one clip of each class is enough. The head is for `motionrep predict --head`.
"""

import sys
from pathlib import Path

import motionrep
from motionrep.head_api.loading import save_head
from motionrep_heads.few_shot import FewShotHead


def main(size: str, output: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    encoder = motionrep.load_encoder("ktpformer-s")
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    embeddings = [motionrep.embed(clip, encoder) for clip in clips]
    head = FewShotHead.from_clips(embeddings, [Path(path).parent.name for path in paths])
    save_head(head, Path(output), "few_shot", embeddings[0].encoder, encoder_digest=embeddings[0].encoder_digest)
    print(f"{output}: {len(paths)} exemplars of {', '.join(head.labels)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
