"""The perceptual distances: LPIPS by hand on random weights, and the features that the package has."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from omnialpha_cli.lab.train.perceptual import LPIPS, WIDTHS, load_distance
from omnialpha_cli.status import UsageError

# torchvision's VGG16: the places of the convolutions in `features`; a pooling where the numbers jump by three.
CONVOLUTIONS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512, 26: 512,
                28: 512}  # fmt: skip
TAPS = (2, 7, 14, 21, 28)  # LPIPS reads relu1_2, relu2_2, relu3_3, relu4_3, relu5_3


@pytest.fixture(scope="module")
def states():
    g = torch.Generator().manual_seed(0)
    vgg, width = {}, 3
    for place, out in CONVOLUTIONS.items():
        vgg[f"features.{place}.weight"] = torch.randn(out, width, 3, 3, generator=g) * (2 / (9 * width)) ** 0.5
        vgg[f"features.{place}.bias"] = torch.randn(out, generator=g) * 0.1
        width = out
    linear = {f"lin{i}.model.1.weight": torch.rand(1, w, 1, 1, generator=g) for i, w in enumerate(WIDTHS)}
    return vgg, linear


@pytest.fixture(scope="module")
def folder(states, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    vgg, linear = states
    torch.save({**vgg, "classifier.0.bias": torch.zeros(3)}, folder / "vgg16-397923af.pth")
    torch.save(linear, folder / "vgg.pth")
    return folder


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def by_hand(vgg, linear, a, b):
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, y = ((p - shift.view(3, 1, 1)) / scale.view(3, 1, 1) for p in (a, b))
    total, level, before = torch.zeros(len(a)), 0, 0
    for place in CONVOLUTIONS:
        if place - before == 3:
            x, y = F.max_pool2d(x, 2, 2), F.max_pool2d(y, 2, 2)
        before = place
        weight, bias = vgg[f"features.{place}.weight"], vgg[f"features.{place}.bias"]
        x, y = (F.relu(F.conv2d(p, weight, bias, padding=1)) for p in (x, y))
        if place in TAPS:
            squares = (x / x.pow(2).sum(1, keepdim=True).sqrt() - y / y.pow(2).sum(1, keepdim=True).sqrt()) ** 2
            total = total + F.conv2d(squares, linear[f"lin{level}.model.1.weight"]).mean((1, 2, 3))
            level += 1
    return total


def test_lpips_is_as_by_hand(states, folder):
    a, b = pictures(1), pictures(2)
    distance = load_distance(folder, torch.device("cpu"))
    assert torch.allclose(distance(a, b), by_hand(*states, a, b), rtol=1e-4)
    assert torch.equal(distance(a, a), torch.zeros(2))


def test_safetensors_do_as_well(states, folder, tmp_path):
    for name, state in zip(("vgg16.safetensors", "vgg.safetensors"), states, strict=True):
        save_file(state, tmp_path / name)
    a, b = pictures(1), pictures(2)
    assert torch.equal(LPIPS.read(tmp_path)(a, b), LPIPS.read(folder)(a, b))


def test_missing_or_other_files_are_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="has no vgg16"):
        LPIPS.read(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "vgg16.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "vgg.safetensors")
    with pytest.raises(UsageError, match="not the files of LPIPS"):
        LPIPS.read(tmp_path)


def test_without_its_files_the_embedded_features_judge_each_pair_alone():
    distance = load_distance(None, torch.device("cpu"))
    a, b = pictures(1), pictures(2)
    together = distance(a, b)
    assert together.shape == (2,) and float(together.min()) > 0
    assert torch.allclose(together[1:], distance(a[1:], b[1:]), rtol=1e-4)
    assert torch.equal(distance(a, a), torch.zeros(2))


@pytest.mark.parametrize("own", [False, True])
def test_gradients_reach_the_pictures_and_not_the_network(own, folder):
    distance = load_distance(folder if own else None, torch.device("cpu"))
    a = pictures(1).requires_grad_()
    distance(a, pictures(2)).sum().backward()
    assert a.grad is not None and float(a.grad.abs().sum()) > 0
    if isinstance(distance, LPIPS):
        assert all(p.grad is None for p in distance.parameters())
