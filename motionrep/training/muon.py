"""Muon for processors that do not multiply bfloat16: the same steps as `torch.optim.Muon`, in float32."""

from collections.abc import Callable

import torch
from torch import Tensor


class Float32Muon(torch.optim.Muon):
    """`torch.optim.Muon` with the Newton-Schulz iteration in the type of the weights.

    torch rounds to bfloat16 first. On a CPU without bfloat16 units that iteration takes a sixth of a training step.
    Only Nesterov momentum with the step sizes of `match_rms_adamw` is built. The state is torch's.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                average = state.setdefault("momentum_buffer", torch.zeros_like(weight.grad))
                average.lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonalised(
                    weight.grad.lerp(average, group["momentum"]), group["ns_coefficients"], group["ns_steps"]
                )
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)
        return loss


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int) -> Tensor:
    """A matrix (rows columns) with its singular values brought near one: Newton-Schulz iteration of fifth order.

    Source: K. Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
