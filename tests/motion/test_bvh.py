import math
from pathlib import Path

import pytest
import torch
from paths import WALK_BVH

from motionrep.motion.bvh_files import read_bvh

ARM = """HIERARCHY
ROOT hip
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 2 3 90 0 90 0 0 0
0 0 0 0 0 0 90 90 0
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, newline: str = "\n") -> Path:
        path = tmp_path / "clip.bvh"
        path.write_bytes(text.replace("\n", newline).encode())
        return path

    return write


def test_channels_in_order_are_a_product_on_column_vectors(write):
    """By hand: Rz(90) Ry(0) Rx(90) takes x to y, y to z, z to x; Rz(90) Rx(90) Ry(0) the same; swapped it differs."""
    bvh = read_bvh(write(ARM))
    x_to_y_to_z = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(bvh.local_rotmat[0, 0], x_to_y_to_z, atol=1e-6, rtol=0)
    torch.testing.assert_close(bvh.local_rotmat[1, 1], x_to_y_to_z, atol=1e-6, rtol=0)
    swapped = read_bvh(write(ARM.replace("3 Zrotation Xrotation Yrotation", "3 Xrotation Zrotation Yrotation")))
    x_to_z = torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])  # Rx(90) Rz(90)
    torch.testing.assert_close(swapped.local_rotmat[1, 1], x_to_z, atol=1e-6, rtol=0)


@pytest.mark.parametrize("text", ["\ufeff" + ARM, ARM.replace("HIERARCHY", "Hierarchy")], ids=["mark", "small"])
def test_a_byte_order_mark_and_small_letters_do_not_matter(write, text):
    assert torch.equal(read_bvh(write(text)).local_rotmat, read_bvh(write(ARM)).local_rotmat)


def test_position_channels_replace_the_offset_and_end_sites_are_named_after_their_parent(write):
    bvh = read_bvh(write(ARM))
    assert bvh.joints == ("hip", "arm", "arm end")
    assert bvh.parents == (-1, 0, 1)
    assert bvh.local_position[0].tolist() == [[1, 2, 3], [10, 0, 0], [5, 0, 0]]
    assert bvh.fps == 30.0


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [
        ("0.0333", 30), ("0.033333", 30), ("0.033", 30), ("0.0167", 60), ("0.0083", 120), ("8.3e-3", 120), (".04", 25),
        ("0.00833333333333", 120), ("0.03333", 30), ("0.033332", 30), ("2", 0.5), ("0.0333667", 1 / 0.0333667),
        ("0.041708", 1 / 0.041708),
    ],
)  # fmt: skip
def test_a_rounded_frame_time_is_that_of_whole_frames_per_second(write, frame_time, fps):
    """0.0333 gave 30.03 frames per second. 29.97 and 23.976, told by as many digits, stay as they are."""
    assert read_bvh(write(ARM.replace("0.0333333", frame_time))).fps == fps


def test_a_joint_may_have_several_end_sites(write):
    """The second was refused, as a joint of the same name."""
    end = "    End Site\n    {\n      OFFSET 5 0 0\n    }\n"
    bvh = read_bvh(write(ARM.replace(end, end + end + end)))
    assert bvh.joints == ("hip", "arm", "arm end", "arm end 2", "arm end 3")
    assert bvh.parents == (-1, 0, 1, 1, 1)


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_do_not_matter(write, newline):
    expected, got = read_bvh(write(ARM)), read_bvh(write(ARM, newline))
    assert torch.equal(expected.local_rotmat, got.local_rotmat)
    assert torch.equal(expected.local_position, got.local_position)


def test_braces_may_stand_on_the_line_of_the_joint(write):
    assert read_bvh(write(ARM.replace("\n  {", " {").replace("hip\n{", "hip {"))).joints == ("hip", "arm", "arm end")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CHANNELS 3 Z", "CHANNELS 4 Z", "line 9: CHANNELS announces 4 but names 3"),
        ("Xrotation Yrotation\n    End", "Xrotation Wrotation\n    End", "line 9: unknown channel 'Wrotation'"),
        ("OFFSET 10 0 0", "OFFSET 10 0", "line 8: OFFSET needs 3 finite"),
        ("    OFFSET 10 0 0\n", "", "line 13: joint 'arm' has no OFFSET"),
        ("JOINT arm", "JOINT hip", "line 6: joint names must be there and differ, got 'hip'"),
        ("1 2 3 90 0 90 0 0 0", "1 2 3 90 0 90 0 0", "line 19: a frame of this skeleton needs 9 finite"),
        ("1 2 3 90 0 90 0 0 0", "1 2 3 90 0 90 0 0 x", "line 19: a frame of this skeleton needs 9 finite"),
        ("0 0 0 0 0 0 90 90 0", "0 0 0 nan 0 0 90 90 0", "line 20: a frame of this skeleton needs 9 finite"),
        ("Frames: 2", "Frames: 3", "2 frames in the file, 'Frames:' announces 3"),
        ("0 0 0 0 0 0 90 90 0", "0 0 0 0 0 0 90 90 0\n" * 3, "4 frames in the file, 'Frames:' announces 2"),
        ("Frames: 2", "Frames: 0", "Frames and Frame Time must be positive"),
        ("0.0333333", "zero", "line 18: Frame Time needs 1 finite"),
        ("}\nMOTION", "MOTION", "MOTION comes before the HIERARCHY is complete"),
        ("  JOINT arm", "  JOIN arm", "line 6: 'JOIN' was not expected here"),
    ],
)
def test_a_broken_file_names_file_and_line(write, old, new, message):
    assert old in ARM
    with pytest.raises(ValueError, match=r"clip\.bvh.*" + message.replace(".", r"\.")):
        read_bvh(write(ARM.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Zposition", "ZPosition"), ("Yrotation", "YROTATION"), ("End Site", "END SITE"), ("End Site", "end site"),
        ("ROOT", "Root"), ("JOINT", "Joint"), ("OFFSET", "Offset"), ("CHANNELS", "channels"),
    ],
)  # fmt: skip
def test_keywords_may_be_spelt_with_other_capitals(write, old, new):
    """Blender reads them; they were refused."""
    other, usual = read_bvh(write(ARM.replace(old, new))), read_bvh(write(ARM))
    assert other.joints == usual.joints
    assert torch.equal(other.local_position, usual.local_position)
    assert torch.equal(other.local_rotmat, usual.local_rotmat)


def test_one_frame_more_than_announced_is_read_with_a_warning(write, caplog):
    """Rokoko Studio's exports are so (AnimatedDrawings, examples/bvh/rokoko); they were refused."""
    bvh = read_bvh(write(ARM.replace("Frames: 2", "Frames: 1")))
    assert torch.equal(bvh.local_rotmat, read_bvh(write(ARM)).local_rotmat)
    assert "clip.bvh: holds 2 frames, 'Frames:' announces 1" in caplog.text


@pytest.mark.parametrize("cut", [len(ARM) - 8, ARM.index("Frame Time"), ARM.index("MOTION"), 60, 0])
def test_a_truncated_file_is_refused(write, cut):
    with pytest.raises(ValueError, match=r"clip\.bvh"):
        read_bvh(write(ARM[:cut]))


def test_a_real_clip_agrees_with_plain_forward_kinematics():
    """Positions from a second, slow reader written here, in double precision."""
    bvh = read_bvh(WALK_BVH)
    assert (len(bvh.local_rotmat), bvh.fps) == (60, 120.0)
    for frame in (0, 30, 59):
        expected = _plain_positions(WALK_BVH, frame)
        rotmat, position = [], []
        for joint, parent in enumerate(bvh.parents):
            local, place = bvh.local_rotmat[frame, joint].double(), bvh.local_position[frame, joint].double()
            rotmat.append(rotmat[parent] @ local if joint else local)
            position.append(position[parent] + rotmat[parent] @ place if joint else place)
        got = dict(zip(bvh.joints, position, strict=True))
        assert got.keys() == expected.keys()
        for name, place in expected.items():
            assert math.dist(got[name].tolist(), place) < 1e-3, name


def _plain_positions(path: Path, frame: int) -> dict[str, list[float]]:
    """World position of each joint, walking through the file word by word."""
    head, _, motion = path.read_text().partition("MOTION")
    numbers = iter(float(word) for word in motion.strip().splitlines()[2 + frame].split())
    words = iter(head.split())
    stack: list[tuple[str, list[list[float]], list[float]]] = []
    found: dict[str, list[float]] = {}
    name = ""
    for word in words:
        if word in ("ROOT", "JOINT"):
            name = next(words)
        elif word == "End":
            name = stack[-1][0] + " end"
        elif word == "OFFSET":
            offset = [float(next(words)) for _ in range(3)]
            if stack:
                _, turn, place = stack[-1]
                offset = [place[i] + sum(turn[i][k] * offset[k] for k in range(3)) for i in range(3)]
            turn = stack[-1][1] if stack else [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]
            stack.append((name, turn, offset))
            found[name] = offset
        elif word == "CHANNELS":
            name, turn, place = stack.pop()
            for _ in range(int(next(words))):
                channel, value = next(words), next(numbers)
                axis = "XYZ".index(channel[0])
                if channel.endswith("position"):
                    place[axis] = value
                else:
                    turn = _times(turn, _about(axis, math.radians(value)))
            stack.append((name, turn, place))
        elif word == "}":
            stack.pop()
    return found


def _about(axis: int, angle: float) -> list[list[float]]:
    cos, sin = math.cos(angle), math.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = [[float(row == column) for column in range(3)] for row in range(3)]
    turn[first][first] = turn[second][second] = cos
    turn[first][second], turn[second][first] = -sin, sin
    return turn


def _times(left: list[list[float]], right: list[list[float]]) -> list[list[float]]:
    return [[sum(left[i][k] * right[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
