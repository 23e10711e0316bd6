"""Keypoints to a body mesh and a video: python examples/recover_mesh.py KEYPOINTS.json WIDTHxHEIGHT OUTPUT.mp4

Prints how many frames, vertices, faces and joints there are, and the path of the video.
"""

import sys

import motionrep


def main(keypoints: str, size: str, output: str) -> None:
    width_px, height_px = map(int, size.split("x"))
    clips = motionrep.load_keypoints(keypoints, size_px=(width_px, height_px))
    embedding = motionrep.embed(clips[0], motionrep.load_encoder("ktpformer-s"))
    motion = motionrep.load_head("mesh-ktpformer-s").predict(embedding)
    mesh, joints = motion.mesh(), motion.joints()  # metres, in the camera: x right, y down, z forward
    frames, vertices, _ = mesh.vertex_m.shape
    print(f"{frames} frames, {vertices} vertices, {len(mesh.faces)} faces, {joints.layout.joint_count} joints")
    print(motionrep.render(motion, output, keypoints=clips[0], progress=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
