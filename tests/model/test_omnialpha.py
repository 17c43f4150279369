"""The model put together: mixed calls, groups, guidance, predictions, and a weights folder written and read again."""

from dataclasses import replace

import pytest
import torch
from tiny_model import tiny_model
from torch.nn import functional as F

from omnialpha_cli.lab.train.export import write_weights
from omnialpha_cli.model.mini.context import feature_positions
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.positions import Layout, image_positions


def picture(h, w, seed):
    return torch.rand(4, h, w, generator=torch.Generator().manual_seed(seed))


REQUESTS = [
    Request("matte this", (picture(64, 96, 1),), ((64, 96),), seed=1),
    Request("a red cat", (), ((32, 32),), seed=2),
    Request("cat", (picture(64, 96, 3),), ((64, 96),), seed=3),
    Request("matte this red cat", (picture(64, 64, 4), picture(64, 64, 5)), ((64, 64),), seed=4),
    Request("", (picture(64, 64, 6),), ((64, 64), (64, 64), (32, 64)), seed=5),
    Request("a", (picture(64, 96, 7),), ((64, 96),), seed=1),
]


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_mixed_call_gives_what_each_request_gives_alone(guidance):
    model = tiny_model()
    together = model.run(REQUESTS, guidance=guidance)
    for request, layers in zip(REQUESTS, together, strict=True):
        (alone,) = model.run([request], guidance=guidance)
        assert [tuple(x.shape) for x in layers] == [(4, h, w) for h, w in request.targets]
        for a, b in zip(layers, alone, strict=True):
            assert float((a - b).abs().max()) < 1e-4


def test_the_seed_and_the_prompt_and_the_picture_all_matter():
    model = tiny_model()
    base = model.run([REQUESTS[0]])[0][0]
    for other in (
        Request("cat", REQUESTS[0].inputs, REQUESTS[0].targets, seed=1),
        Request("matte this", REQUESTS[0].inputs, REQUESTS[0].targets, seed=2),
        Request("matte this", (picture(64, 96, 9),), REQUESTS[0].targets, seed=1),
    ):
        assert not torch.allclose(model.run([other])[0][0], base, atol=1e-5)


def test_a_residual_is_relative_to_the_first_input_of_the_targets_shape():
    model = tiny_model("residual")
    z = torch.randn(1, 16, 8, 8)
    layout = Layout([(4, 4), (2, 2)], [(4, 4)])
    anchor = model.anchor([z], layout)
    assert anchor.shape == (1, 20, 64)
    assert not anchor[:, :16].eq(0).all()
    assert anchor[:, 16:].eq(0).all()
    # At any sigma, one Euler step to 0 lands on anchor + output.
    x, out, sigma = torch.randn(1, 20, 64), torch.randn(1, 20, 64), torch.tensor([0.4])
    assert torch.allclose(x - 0.4 * model.as_velocity(out, x, sigma, anchor), anchor + out, atol=1e-5)


def test_with_mirror_a_mirrored_picture_gives_the_mirrored_result():
    model = tiny_model()
    model.defaults = replace(model.defaults, mirror=True)
    request = REQUESTS[0]
    plain, mirrored = (model.run([r])[0][0] for r in (request, request.mirrored()))
    assert torch.allclose(plain, mirrored.flip(-1), atol=1e-5)
    assert model.run([REQUESTS[1]])[0][0].equal(tiny_model().run([REQUESTS[1]])[0][0])  # nothing to mirror


def test_the_mirror_image_may_be_seen_on_a_smaller_canvas():
    model, alone = tiny_model(), tiny_model()
    model.defaults = replace(model.defaults, mirror=True, mirror_scale=0.7)
    (picture,), size = REQUESTS[0].inputs, REQUESTS[0].targets[0]
    small = tuple(round(n * 0.7 / 32) * 32 for n in size)
    mirrored = F.interpolate(picture[None], small, mode="bilinear", antialias=True)[0].flip(-1)
    (plain,), (other,) = alone.run([REQUESTS[0], replace(REQUESTS[0], inputs=(mirrored,), targets=(small,))])
    back = F.interpolate(other[None], size, mode="bilinear", antialias=True)[0].flip(-1)
    assert small != size
    assert torch.allclose(model.run([REQUESTS[0]])[0][0], (plain + back) / 2, atol=1e-5)


def test_a_velocity_is_passed_on():
    out = torch.randn(1, 4, 64)
    assert tiny_model("velocity").as_velocity(out, out, torch.tensor([1.0]), 0.0) is out


def test_a_feature_token_is_placed_where_its_patch_is():
    positions = feature_positions(((64, 96),), rope_canvas=16)  # 4 × 6 patches
    patches = image_positions(Layout([(4, 6)]), rope_canvas=16)
    assert torch.allclose(positions[:24, 1:], patches[:, 1:])
    assert positions[:, 0].eq(-1).all()
    # A stride-32 token stands in the middle of its four patches.
    assert torch.allclose(positions[24, 1:], patches[[0, 1, 6, 7], 1:].mean(0))


def test_a_weights_folder_gives_the_same_model_again(tmp_path):
    model = tiny_model()
    sizes = write_weights(model, "tiny", tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1  # tensors are as readable as the rest
    assert set(sizes) == {"transformer", "context", "vae"}
    again = OmniAlpha.load(tmp_path)
    assert (again.tasks, again.defaults, again.prediction) == (model.tasks, model.defaults, model.prediction)
    for request in REQUESTS[:2]:
        a, b = model.run([request])[0][0], again.run([request])[0][0]
        assert float((a - b).abs().max()) < 2e-2  # fp16 in the file


def test_a_file_with_a_missing_tensor_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    write_weights(tiny_model(), "tiny", tmp_path)
    state = load_file(tmp_path / "vae.safetensors")
    state.pop(next(iter(state)))
    save_file(state, tmp_path / "vae.safetensors")
    model = OmniAlpha.load(tmp_path)  # parts are read when they are first needed
    with pytest.raises(RuntimeError, match="Missing key"):
        model.run(REQUESTS[:1])
