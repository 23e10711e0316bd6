"""World errors on simulated cameras: which cameras there are, whose clips, and what is refused."""

import json
import shutil

import pytest

from motionrep.cli.main import main
from motionrep.datasets.authored.motions import authored_motion
from motionrep.evaluation.synthetic_views import SyntheticViews, evaluate
from motionrep.evaluation.world_metrics import WORLD_UNITS
from motionrep.evaluation.world_views import WorldViews, evaluate_world
from motionrep.head_api.loading import head_class, save_head
from motionrep.motion.saving import save_motion


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motions")
    for name in ("walk", "unseen"):
        save_motion(authored_motion("walk", seconds=1.0), folder / f"{name}.npz")
    return folder


@pytest.fixture(scope="module")
def ground(tiny, tmp_path_factory):
    """An untrained ground head."""
    folder = tmp_path_factory.mktemp("ground") / "ground"
    save_head(head_class("ground")(channels=16), folder, "ground", "tiny")
    return folder


def test_the_ground_gives_another_world_and_a_known_way(data, tiny, ground, tmp_path):
    given, views = (data, str(tiny / "encoder")), WorldViews(windows=1)
    result = evaluate_world(*given, [str(tiny / "mesh"), str(ground)], tmp_path / "world.json", views)
    assert json.loads((tmp_path / "world.json").read_text()) == result
    assert list(result["per_camera"]) == ["still", "panning", "walking", "walking, known way"]
    for scores in result["per_camera"].values():
        assert set(scores) >= set(WORLD_UNITS) - {"rte"}
    assert result["per_camera"]["walking"] != result["per_camera"]["walking, known way"]
    level = evaluate_world(*given, [str(tiny / "mesh")], options=views)
    assert list(level["per_camera"]) == ["still", "panning", "walking"]
    assert level["per_camera"]["still"] != result["per_camera"]["still"]


def test_the_command_prints_a_row_for_each_error(data, tiny, capsys):
    options = ["--encoder", str(tiny / "encoder"), "--head", str(tiny / "mesh"), "--world", "--views", "1"]
    assert main(["evaluate", "--data", str(data), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["still", "panning", "walking"]
    assert [line.split(",")[0] for line in lines[1 : 1 + len(WORLD_UNITS)]] == list(WORLD_UNITS)


def test_people_are_needed_who_have_a_body(data, tiny):
    with pytest.raises(ValueError, match="world: needs a head that gives a body mesh"):
        evaluate_world(data, str(tiny / "encoder"), [str(tiny / "action")])


def test_contacts_are_scored_on_people_of_a_list(data, tiny, ground, tmp_path):
    """Of both folders, whatever their split."""
    (tmp_path / "more").mkdir()
    shutil.copy(data / "walk.npz", tmp_path / "more" / "walk_of_b.npz")
    people = tmp_path / "people.txt"
    people.write_text("walk*\n")
    given, options = (str(tiny / "encoder"), str(ground)), SyntheticViews(views=1, held_out=str(people))
    result = evaluate([data, tmp_path / "more"], *given, options=options)
    assert set(result["metrics"]) == {"up_error", "contact_precision", "contact_recall"}
    assert (result["protocol"]["clips"], result["protocol"]["held_out"]) == (2, str(people))
    assert "split" not in result["protocol"]
    people.write_text("run*\n")
    with pytest.raises(ValueError, match=r"none of 2 clips has a name of the list .*people\.txt"):
        evaluate(data, *given, options=options)
