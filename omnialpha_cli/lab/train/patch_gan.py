"""Compute the adversarial term of autoencoders: a PatchGAN discriminator, hinge losses, and an adaptive weight.

Isola et al. (CVPR 2017) for the network, Esser et al., "Taming Transformers" (CVPR 2021), for the weight: the gradient
of the adversarial loss on the decoder's last layer is brought to the length of the reconstruction's.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

WIDTH = 64
LAYERS = 3  # with stride 2
INIT_STD = 0.02
WEIGHT_LIMIT = 1e4


class PatchGAN(nn.Module):
    """Judge RGBA (B, 4, H, W) in [−1, 1] by patches: logits (B, 1, H/8 − 2, W/8 − 2), above 0 for real."""

    def __init__(self, channels: int = 4):
        super().__init__()
        widths = [WIDTH * 2**i for i in range(LAYERS + 1)]
        layers: list[nn.Module] = [nn.Conv2d(channels, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i in range(LAYERS):
            stride = 2 if i < LAYERS - 1 else 1
            layers += [
                nn.Conv2d(widths[i], widths[i + 1], 4, stride, 1, bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0, INIT_STD)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, 1, INIT_STD)

    def forward(self, rgba: Tensor) -> Tensor:
        """Return logits (B, 1, H/8 − 2, W/8 − 2)."""
        return self.layers(rgba)


def generator_loss(discriminator: PatchGAN, made: Tensor) -> Tensor:
    """Return what makes pictures more real to the discriminator; its own parameters get no gradient from it."""
    frozen = {name: p.detach() for name, p in discriminator.named_parameters()}
    return -functional_call(discriminator, frozen, (made,)).float().mean()


def discriminator_loss(discriminator: PatchGAN, real: Tensor, made: Tensor) -> Tensor:
    """Return the hinge loss; the pictures get no gradient from it."""
    on_real, on_made = discriminator(real.detach()).float(), discriminator(made.detach()).float()
    return 0.5 * (F.relu(1 - on_real).mean() + F.relu(1 + on_made).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Return ‖∇ reconstruction‖ / ‖∇ adversarial‖ on the decoder's last layer, at most 10⁴; without a gradient."""

    def length(loss: Tensor) -> Tensor:
        return torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm()

    return (length(reconstruction) / (length(adversarial) + 1e-4)).clamp(0, WEIGHT_LIMIT).detach()
