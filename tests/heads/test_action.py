"""Actions of several persons, the contrastive term, few-shot heads, and scores over time."""

import dataclasses
import json
import math

import pytest
import torch

import motionrep
from motionrep.cli import main as cli
from motionrep.embedding.pooling import over_persons, over_time, side_by_side
from motionrep.head_api.loading import head_entry_points, load_head, save_head
from motionrep.layouts import H36M_17
from motionrep.types import ActionSegment, ActionTimeline, Keypoints, MotionEmbedding
from motionrep_heads.action import ActionHead
from motionrep_heads.contrastive import supervised_contrastive
from motionrep_heads.few_shot import FewShotHead

CHANNELS, LABELS = 8, ("jump", "walk", "wave")


def _embedding(frames=20, seed=0, first_frame=0, unseen=(), encoder="tiny", fps=10.0):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.ones(frames, 17)
    confidence[list(unseen)] = 0
    clip = Keypoints(torch.zeros(frames, 17, 2), confidence, H36M_17, fps, 640, 480, str(seed), first_frame)
    return MotionEmbedding(torch.randn(frames, 17, CHANNELS, generator=generator), clip, encoder)


@pytest.fixture
def head():
    torch.manual_seed(0)
    return ActionHead(CHANNELS, LABELS, hidden=16, joint_channels=4).eval()


@pytest.fixture
def few():
    return FewShotHead.from_clips([_embedding(seed=i) for i in range(3)], LABELS)


@pytest.fixture(params=["head", "few"])
def either(request):
    """Both heads for actions."""
    return request.getfixturevalue(request.param)


def test_clips_without_a_class_do_not_count_in_the_loss():
    """Clips of keypoints alone have label -1, which the cross entropy refused beside a head that learns from them."""
    torch.manual_seed(0)
    head = ActionHead(CHANNELS, LABELS, hidden=16, joint_channels=4, contrastive=0.5).eval()
    output = head(torch.randn(4, 6, 17, CHANNELS), torch.ones(4, 6, dtype=torch.bool))
    some = head.loss(output, {"label": torch.tensor([0, 0, -1, -1])})
    alone = head.loss({name: tensor[:2] for name, tensor in output.items()}, {"label": torch.tensor([0, 0])})
    assert set(some) == {"cross_entropy", "contrastive"}
    torch.testing.assert_close(some, alone)
    assert not any(head.loss(output, {"label": torch.full((4,), -1)}).values())
    head.weight = 0.5
    torch.testing.assert_close(
        head.loss(output, {"label": torch.tensor([0, 0, -1, -1])})["contrastive"] * 2, some["contrastive"]
    )


def test_mean_and_spread_are_of_the_valid_frames():
    values = torch.tensor([1.0, 3.0, 100.0])[:, None, None]
    pooled = over_time(values, torch.tensor([True, True, False]))
    torch.testing.assert_close(pooled, torch.tensor([[2.0, 1.0]]))


def test_what_was_not_seen_may_be_anything():
    values = torch.tensor([1.0, torch.nan])[:, None, None]
    torch.testing.assert_close(over_time(values, torch.tensor([True, False])), torch.tensor([[1.0, 1e-3]]))
    vectors = torch.tensor([[[2.0], [torch.nan]], [[1.0], [5.0]], [[7.0], [7.0]]])
    present = torch.tensor([[True, False], [True, True], [False, False]])
    assert over_persons(vectors, present).flatten().tolist() == [2, 3, 0]


def test_persons_lie_over_each_other_in_time():
    early, late = _embedding(4, 0, first_frame=10), _embedding(3, 1, first_frame=12, unseen=[1])
    values, valid = side_by_side([early, late])
    assert values.shape == (1, 2, 5, 17, CHANNELS)
    assert valid[0].int().tolist() == [[1, 1, 1, 1, 0], [0, 0, 1, 0, 1]]
    assert torch.equal(values[0, 1, 2:], late.values)


@pytest.mark.parametrize(
    ("persons", "message"),
    [
        ([], "no embedding"),
        ([_embedding(), _embedding(fps=30.0)], r"persons of one clip share fps, got 10\.0, 30\.0"),
        ([_embedding(), _embedding(encoder="b")], "persons of one clip share encoder, got b, tiny"),
        ([_embedding(2, unseen=[0, 1])], "nobody was seen"),
    ],
    ids=["none", "fps", "encoder", "unseen"],
)
def test_what_cannot_be_one_clip_is_refused(either, persons, message):
    with pytest.raises(ValueError, match=message):
        either.predict(persons)
    with pytest.raises(ValueError, match=message):
        either.predict_over_time(persons)


def test_an_absent_person_is_as_nobody_and_not_as_zeros(either):
    alone = either.predict(_embedding())
    with_absent = either.predict([_embedding(), _embedding(seed=1, unseen=range(20))])
    torch.testing.assert_close(with_absent.logit, alone.logit)
    seen = either.predict([_embedding(), _embedding(seed=1)])
    assert (seen.logit - alone.logit).abs().max() > 1e-3


def test_two_persons_both_count_in_any_order(either):
    a, b = _embedding(seed=0), _embedding(seed=1)
    both = either.predict([a, b]).logit
    torch.testing.assert_close(both, either.predict([b, a]).logit)
    assert all((both - either.predict(one).logit).abs().max() > 1e-3 for one in (a, b))


def test_an_action_head_averages_the_scores_of_the_persons(head):
    """The layer over which persons are averaged is the last but a linear one."""
    a, b = _embedding(seed=0), _embedding(seed=1)
    mean = (head.predict(a).logit + head.predict(b).logit) / 2
    torch.testing.assert_close(head.predict([a, b]).logit, mean)


def test_frames_without_a_detection_do_not_count(either):
    embedding = _embedding(unseen=[3, 4, 19])
    kept = [frame for frame in range(20) if frame not in (3, 4, 19)]
    clip = embedding.keypoints
    cut = dataclasses.replace(clip, xy_px=clip.xy_px[kept], confidence=clip.confidence[kept])
    shorter = MotionEmbedding(embedding.values[kept], cut, "tiny")
    torch.testing.assert_close(either.predict(embedding).logit, either.predict(shorter).logit)


def test_a_batch_of_clips_with_and_without_absent_persons_is_each_clip_alone(head):
    torch.manual_seed(1)
    values, valid = torch.randn(3, 2, 6, 17, CHANNELS), torch.ones(3, 2, 6, dtype=torch.bool)
    valid[0, 1], valid[1, 0], valid[2, 0, 4:] = False, False, False
    together = head(values, valid)["logit"]
    torch.testing.assert_close(together[:1], head(values[:1, 0], valid[:1, 0])["logit"])
    torch.testing.assert_close(together[1:2], head(values[1:2, 1], valid[1:2, 1])["logit"])
    torch.testing.assert_close(together[2:], head(values[2:], valid[2:])["logit"])


def test_the_shipped_weights_score_as_they_did():
    """Logits for this input, of the weights of version 2."""
    shipped = load_head("action-ktpformer-s")
    frame, joint, channel = torch.arange(30.0)[:, None, None], torch.arange(17.0)[:, None], torch.arange(128.0)
    values = torch.sin(0.3 * frame + 0.7 * joint + 0.11 * channel)[None]
    valid = torch.arange(30)[None] < 25
    expected = torch.tensor(
        [1.19298, 0.83958, 0.38578, 1.34071, -1.31277, 5.4002, 0.67793, 0.53184, -0.46716, 0.41398, -0.90109, 2.59058]
    )
    torch.testing.assert_close(shipped(values, valid)["logit"][0].detach(), expected, atol=1e-4, rtol=1e-4)


def test_the_contrastive_term_of_three_clips_by_hand():
    """Two clips of one class at right angles, a third of another class opposite to the first; temperature 1.

    Anchor 1: cosines 0 (positive) and -1. Anchor 2: cosines 0 (positive) and 0. The third has no positive.
    """
    vector, label = torch.tensor([[2.0, 0.0], [0.0, 0.5], [-3.0, 0.0]]), torch.tensor([0, 0, 1])
    expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert float(supervised_contrastive(vector, label, 1.0)) == pytest.approx(expected, abs=1e-6)


def test_the_contrastive_term_by_loops():
    generator = torch.Generator().manual_seed(0)
    vector, label = torch.randn(9, 5, generator=generator), torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3])
    unit = torch.nn.functional.normalize(vector, dim=-1)
    anchors = []
    for i in range(9):
        others = [a for a in range(9) if a != i]
        total = sum(math.exp(float(unit[i] @ unit[a]) / 0.1) for a in others)
        shares = [math.exp(float(unit[i] @ unit[p]) / 0.1) / total for p in others if label[p] == label[i]]
        if shares:
            anchors.append(-sum(map(math.log, shares)) / len(shares))
    assert len(anchors) == 8
    assert float(supervised_contrastive(vector, label)) == pytest.approx(sum(anchors) / 8, rel=1e-5)


def test_the_contrastive_term_has_true_gradients_and_ignores_lengths():
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0, 1, 0, 1, 2])
    assert torch.autograd.gradcheck(lambda v: supervised_contrastive(v, label, 0.5), vector)
    scaled = vector * torch.tensor([1.0, 2.0, 0.3, 5.0, 1.0])[:, None]
    torch.testing.assert_close(supervised_contrastive(scaled, label), supervised_contrastive(vector, label))


@pytest.mark.parametrize("label", [[0, 1, 2], [0]])
def test_without_a_pair_of_one_class_the_contrastive_term_is_zero(label):
    vector = torch.randn(len(label), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    term = supervised_contrastive(vector, torch.tensor(label))
    term.backward()
    assert float(term.detach()) == 0
    assert vector.grad is not None
    assert not vector.grad.any()


def test_a_contrastive_head_learns_to_keep_classes_together(tmp_path):
    torch.manual_seed(0)
    head = ActionHead(CHANNELS, LABELS, hidden=16, joint_channels=4, dropout=0.0, contrastive=0.5)
    batch = {"label": torch.arange(12) % 3}
    values, valid = torch.randn(12, 6, 17, CHANNELS), torch.ones(12, 6, dtype=torch.bool)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    terms = []
    for _ in range(30):
        loss = head.loss(head(values, valid), batch)
        optimizer.zero_grad()
        torch.stack(list(loss.values())).sum().backward()
        optimizer.step()
        terms.append({name: float(term.detach()) for name, term in loss.items()})
    assert set(terms[0]) == {"cross_entropy", "contrastive"}
    assert terms[-1]["contrastive"] < 0.7 * terms[0]["contrastive"]
    save_head(head, tmp_path / "mine", "action", "tiny")
    assert load_head(tmp_path / "mine").config["contrastive"] == 0.5


def test_the_weight_of_the_contrastive_term_is_not_negative():
    with pytest.raises(ValueError, match=r"contrastive must be at least 0, got -1.*weight of a loss"):
        ActionHead(CHANNELS, LABELS, contrastive=-1.0)


def test_a_clip_is_of_the_class_of_the_exemplar_it_resembles(few):
    for seed, label in enumerate(LABELS):
        exemplar = _embedding(seed=seed)
        noisy = dataclasses.replace(exemplar, values=exemplar.values + 0.1 * torch.randn_like(exemplar.values))
        assert few.predict(noisy).best == label
        # The cosine of an exemplar with itself is 1.
        assert float(few.predict(exemplar).logit.max()) == pytest.approx(10, abs=1e-4)


def test_the_nearest_of_several_exemplars_counts():
    clips = [_embedding(seed=i) for i in range(4)]
    head = FewShotHead.from_clips(clips, ["a", "b", "a", "b"])
    assert head.labels == ("a", "b")
    scores = [head.predict(clip).logit.tolist() for clip in clips]
    assert [round(max(s), 3) for s in scores] == [10] * 4
    assert [s.index(max(s)) for s in scores] == [0, 1, 0, 1]


def test_exemplars_are_compared_by_what_an_action_head_reads(head):
    clips = [_embedding(seed=i) for i in range(2)]
    few = FewShotHead.from_clips(clips, ["a", "b"], head)
    vectors = torch.cat([head.describe(*side_by_side(clip)) for clip in clips]).detach()
    cosine = torch.nn.functional.cosine_similarity(vectors[0], vectors[1], dim=0)
    torch.testing.assert_close(few.predict(clips[0]).logit, torch.stack([torch.tensor(1.0), cosine]) * 10)


@pytest.mark.parametrize("described", [False, True])
def test_a_few_shot_head_is_saved_with_names_and_exemplars(head, described, tmp_path):
    if "few_shot" not in head_entry_points():
        pytest.skip("the installed motionrep is older than its entry point 'few_shot': pip install -e . again")
    clips = [_embedding(seed=i) for i in range(3)]
    few = FewShotHead.from_clips(clips, LABELS, head if described else None)
    save_head(few, tmp_path / "mine", "few_shot", "tiny")
    loaded = load_head(tmp_path / "mine")
    assert loaded.labels == LABELS
    other = _embedding(seed=9)
    assert torch.equal(loaded.predict(other).logit, few.predict(other).logit)


def test_exemplars_and_clips_are_of_one_encoder(few, head):
    with pytest.raises(ValueError, match="trained on encoder 'tiny', got 'other'"):
        few.predict(_embedding(encoder="other"))
    with pytest.raises(ValueError, match="exemplars of several encoders: other, tiny"):
        FewShotHead.from_clips([_embedding(), _embedding(encoder="other")], ["a", "b"])
    head.trained_on = "other"
    with pytest.raises(ValueError, match="trained on encoder 'other'"):
        FewShotHead.from_clips([_embedding()], ["a"], head)


def test_each_exemplar_has_a_label_and_each_class_an_exemplar():
    with pytest.raises(ValueError, match="expected clips and a label for each, got 1 clips and 2 labels"):
        FewShotHead.from_clips([_embedding()], ["a", "b"])
    with pytest.raises(ValueError, match="each of the 2 classes needs an exemplar"):
        FewShotHead(CHANNELS, ["a", "b"], [0, 0])


def _two_actions(few_shot_of=(0, 1)):
    """4 s of what exemplar 0 does, then 4 s of what exemplar 1 does, at 10 frames per second."""
    values = torch.cat([_embedding(seed=s).values.repeat(2, 1, 1) for s in few_shot_of])
    clip = Keypoints(torch.zeros(80, 17, 2), torch.ones(80, 17), H36M_17, 10.0, 640, 480)
    return MotionEmbedding(values, clip, "tiny")


@pytest.mark.parametrize("step_s", [0.5, 1.0, 2.0])
def test_one_action_after_another_makes_two_segments(few, step_s):
    timeline = few.predict_over_time(_two_actions(), step_s=step_s)
    first, second = timeline.segments()
    assert (first.label, second.label) == ("jump", "walk")
    assert first.start_s == 0
    assert second.end_s == 8
    assert first.end_s == second.start_s == pytest.approx(4, abs=0.5)
    assert first.probability > 1 / 3
    torch.testing.assert_close(timeline.probability.sum(-1), torch.ones(80))


def test_scores_carry_no_gradients(either):
    """Those over time once did, and nothing that draws them could."""
    assert not either.predict(_embedding()).logit.requires_grad
    assert not either.predict_over_time(_embedding()).probability.requires_grad


def test_a_clip_of_one_window_has_the_scores_of_the_clip(either):
    for embedding in (_embedding(), _embedding(7), _embedding(1)):
        expected = either.predict(embedding).probability().expand(embedding.keypoints.frame_count, -1)
        torch.testing.assert_close(either.predict_over_time(embedding).probability, expected)


def test_time_in_which_nobody_was_seen_is_in_no_segment(few):
    embedding = _two_actions()
    confidence = embedding.keypoints.confidence.clone()
    confidence[20:60] = 0
    gap = dataclasses.replace(embedding, keypoints=dataclasses.replace(embedding.keypoints, confidence=confidence))
    timeline = few.predict_over_time(gap, step_s=2.0)
    assert timeline.segments()[0].end_s == 2
    assert timeline.segments()[1].start_s == 6
    assert timeline.best[20:60] == [None] * 40


def test_a_person_who_comes_later_counts_from_then_on(head):
    whole = _two_actions()
    guest = _embedding(seed=5, first_frame=60)
    alone, together = (head.predict_over_time(each).probability for each in (whole, [whole, guest]))
    torch.testing.assert_close(together[:45], alone[:45])
    assert (together[70:] - alone[70:]).abs().max() > 1e-4


def test_neighbouring_frames_of_one_label_are_one_segment():
    probability = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.0, 0.0], [0.2, 0.8]])
    segments = ActionTimeline(probability, ("a", "b"), 2.0).segments()
    assert [(s.start_s, s.end_s, s.label) for s in segments] == [(0, 1, "a"), (1.5, 2, "b")]
    assert isinstance(segments[0], ActionSegment)
    assert segments[0].probability == pytest.approx(0.8)
    with pytest.raises(ValueError, match=r"ActionTimeline.probability: expected frames x 1 classes, got 4 x 2"):
        ActionTimeline(probability, ("a",), 2.0)


@pytest.mark.parametrize(("window_s", "step_s"), [(0.0, 1.0), (2.0, 0.0), (1.0, 2.0), (0.01, 0.01)])
def test_windows_that_do_not_cover_the_clip_are_refused(few, window_s, step_s):
    with pytest.raises(ValueError, match="the window must hold a frame and the step be positive"):
        few.predict_over_time(_embedding(), window_s, step_s)


def test_the_command_writes_scores_over_time_of_clips_longer_than_the_window(tiny, tmp_path):
    options = ["--size", "1920x1080", "--head", tiny / "action", "--encoder", tiny / "encoder", "--output", tmp_path]
    command = [str(part) for part in ("predict", tiny / "clip.json", *options)]
    assert cli.main(command) == 0
    whole = json.loads((tmp_path / "clip_0.json").read_text())
    assert "over_time" not in whole
    assert cli.main([*command, "--window", "0.2"]) == 0
    told = json.loads((tmp_path / "clip_0.json").read_text())
    over_time = told.pop("over_time")
    assert told == whole
    clip = motionrep.load_keypoints(tiny / "clip.json", size_px=(1920, 1080))[0]
    embedding = motionrep.embed(clip, motionrep.load_encoder(tiny / "encoder"))
    timeline = load_head(tiny / "action").predict_over_time(embedding, 0.2, 0.05)
    assert over_time["segments"] == [dataclasses.asdict(segment) for segment in timeline.segments()]
    assert over_time["time_s"] == [0.0]
    assert over_time["probability"] == {
        label: [pytest.approx(float(p), abs=1e-4)]
        for label, p in zip(timeline.labels, timeline.probability[0], strict=True)
    }
