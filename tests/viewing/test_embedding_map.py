"""Maps and confusion matrices of embeddings, and the command that draws them."""

import numpy as np
import pytest
import torch
from PIL import Image

from motionrep.cli import main as cli
from motionrep.embedding.tables import write_embeddings
from motionrep.layouts import H36M_17
from motionrep.types import Keypoints, MotionEmbedding
from motionrep.viewing.embedding_map import cross_validated, draw_confusion, draw_map


@pytest.fixture
def groups():
    """24 rows in three groups that lie far apart."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(3, 6) * 8, 8, axis=0)
    return (centers + rng.normal(size=(24, 6))).astype(np.float32), ["walk"] * 8 + ["wave"] * 8 + ["bow"] * 8


@pytest.fixture
def table(groups, tmp_path):
    values, labels = groups
    embeddings = [
        MotionEmbedding(
            torch.from_numpy(row).expand(2, 17, -1).clone(),
            Keypoints(torch.zeros(2, 17, 2), torch.ones(2, 17), H36M_17, 30.0, 640, 480),
            "tiny",
        )
        for row in values
    ]
    clips = [f"clip_{i}" for i in range(24)]
    write_embeddings(embeddings, tmp_path / "e.parquet", "clip", clips, {"action": labels})
    (tmp_path / "labels.csv").write_text("clip,mood\n" + "".join(f"{c},{'ab'[i % 2]}\n" for i, c in enumerate(clips)))
    return tmp_path / "e.parquet"


def _coloured(path):
    """Number of pixels of each of the colours that are neither grey nor rare."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(int)
    strong = pixels[np.ptp(pixels, axis=1) > 60] // 32
    return [count for count in np.unique(strong, axis=0, return_counts=True)[1] if count > 200]


def test_a_map_has_a_colour_for_each_label(groups, tmp_path):
    draw_map(*groups, tmp_path / "map.png", title="24 rows")
    assert len(_coloured(tmp_path / "map.png")) >= 3
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_umap_says_how_to_get_it(groups, tmp_path):
    try:
        import umap  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pip install umap-learn"):
            draw_map(*groups, tmp_path / "map.png", "umap")
    else:
        draw_map(*groups, tmp_path / "map.png", "umap")
        assert len(_coloured(tmp_path / "map.png")) >= 3


def test_a_confusion_matrix_counts_truth_down_and_predictions_across(tmp_path):
    counts = draw_confusion(["a", "a", "a", "b"], ["a", "b", "a", "c"], tmp_path / "confusion.png")
    assert counts.tolist() == [[2, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert Image.open(tmp_path / "confusion.png").width > 100


def test_a_probe_knows_groups_that_lie_apart_and_not_shuffled_labels(groups):
    values, labels = groups
    assert cross_validated(values, labels, range(24)) == labels
    shuffled = np.random.default_rng(0).permutation(labels).tolist()
    right = np.mean(np.array(cross_validated(values, shuffled, range(24))) == shuffled)
    assert right < 0.7


def test_rows_of_one_clip_are_not_on_both_sides():
    """Copies of a row would give its label away: noise, each row four times."""
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(20, 40)), 4, axis=0).astype(np.float32)
    labels, clips = list("ab" * 10), [i // 4 for i in range(80)]
    of_row = [labels[clip] for clip in clips]
    leaking, honest = (
        np.mean(np.array(cross_validated(values, of_row, groups)) == of_row) for groups in (range(80), clips)
    )
    assert leaking > 0.95
    assert honest < 0.8


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["a"] * 24, "needs two classes of two clips each; got 1 class"), (["a"] * 23 + ["b"], "with a single clip: b")],
)
def test_a_probe_needs_two_clips_of_two_classes(groups, labels, message):
    with pytest.raises(ValueError, match=message):
        cross_validated(groups[0], labels, range(24))


def test_bad_input_leaves_no_picture(groups, tmp_path):
    values, labels = groups
    with pytest.raises(ValueError, match="24 embeddings and 23 labels"):
        draw_map(values, labels[1:], tmp_path / "map.png")
    with pytest.raises(ValueError, match="a map needs at least 4 rows, got 3"):
        draw_map(values[:3], labels[:3], tmp_path / "map.png")
    with pytest.raises(ValueError, match=r"map\.gif: pictures are written as \.png"):
        draw_map(values, labels, tmp_path / "map.gif")
    with pytest.raises(ValueError, match="1 labels and 2 predictions"):
        draw_confusion(["a"], ["a", "b"], tmp_path / "c.png")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def plot(table, capsys):
    if "plot" not in cli.COMMANDS:
        pytest.skip("motionrep has no command plot")

    def call(*options):
        output = table.with_name("out.png")
        status = cli.main(["plot", str(table), "--output", str(output), *options])
        told = capsys.readouterr()
        return status, told.out + told.err, output

    return call


def test_one_command_draws_a_map(plot):
    status, told, output = plot("--label", "action")
    assert status == 0
    assert "24 rows, 3 labels" in told
    assert len(_coloured(output)) >= 3


def test_labels_may_stand_in_a_table_beside(plot, table):
    status, told, _ = plot("--label", "mood", "--labels", str(table.with_name("labels.csv")))
    assert status == 0
    assert "24 rows, 2 labels" in told


def test_one_command_draws_a_confusion_matrix(plot):
    status, told, output = plot("--label", "action", "--picture", "confusion")
    assert status == 0
    assert "100.0% of 24 rows on the diagonal" in told
    assert output.is_file()
    assert "100.0%" in plot("--label", "action", "--picture", "confusion", "--predicted", "action")[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label", "mood"), "no column 'mood' (there are clip, person, encoder, fps, action); give a .csv"),
        (("--label", "action", "--predicted", "action"), "--predicted belongs to --picture confusion"),
        (("--picture", "confusion"), "needs two classes of two clips each; got 24 class(es), with a single clip"),
    ],
)
def test_what_cannot_be_drawn_is_said(plot, options, message):
    status, told, output = plot(*options)
    assert status == 2
    assert message in told
    assert not output.is_file()


def test_labels_of_every_clip_are_needed(plot, table):
    path = table.with_name("few.csv")
    path.write_text("clip,mood\nclip_0,a\n")
    assert "few.csv: no row for clip 'clip_1' and 22 more" in plot("--label", "mood", "--labels", str(path))[1]
    path.write_text("name,mood\nclip_0,a\n")
    assert "few.csv: lacks the column(s) clip" in plot("--label", "mood", "--labels", str(path))[1]


def test_rows_that_are_all_the_same_are_refused(tmp_path):
    """t-SNE ended the process with a segmentation fault."""
    for values in (np.ones((5, 6), np.float32), np.full((5, 6), np.nan, np.float32)):
        with pytest.raises(ValueError, match="rows that differ"):
            draw_map(values, list("abcde"), tmp_path / "m.png")
