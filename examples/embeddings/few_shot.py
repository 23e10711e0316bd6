"""A classifier from a few clips: python examples/embeddings/few_shot.py WIDTHxHEIGHT HEAD_FOLDER LABEL/CLIP.json ...

The label of each clip is the name of its folder. One clip of each class is enough. Use the head with
`motionrep predict --head`.
"""

import sys
from pathlib import Path

import motionrep
from motionrep_heads.few_shot import FewShotHead


def main(size: str, output: str, *paths: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    encoder = motionrep.load_encoder("ktpformer-s")
    clips = [motionrep.load_keypoints(path, size_px=(width_px, height_px))[0] for path in paths]
    embeddings = [motionrep.embed(clip, encoder) for clip in clips]
    head = FewShotHead.from_clips(embeddings, [Path(path).parent.name for path in paths])
    first = embeddings[0]
    motionrep.save_head(head, Path(output), "few_shot", first.encoder, encoder_digest=first.encoder_digest)
    print(f"{output}: {len(paths)} exemplars of {', '.join(head.labels)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
