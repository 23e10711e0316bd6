import torch

from motionrep.training.muon import Float32Muon, orthogonalised


def _trained(kind: type[torch.optim.Muon], shape: tuple[int, int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(shape, generator=generator))
    target = torch.randn(shape, generator=generator)
    optimizer = kind([weight], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(20):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    return weight.detach()


def test_steps_are_those_of_torch_but_for_bfloat16_rounding():
    for shape in ((48, 64), (64, 48), (40, 40)):
        ours, theirs = _trained(Float32Muon, shape), _trained(torch.optim.Muon, shape)
        start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


def test_singular_values_come_near_one():
    matrix = torch.randn(32, 96, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalised(matrix, (3.4445, -4.7750, 2.0315), 5))
    assert values.min() > 0.6
    assert values.max() < 1.3
