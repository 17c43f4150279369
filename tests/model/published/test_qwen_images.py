"""Pictures for the vision tower against Pillow and transformers' image processor."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from omnialpha_cli.model.published.qwen_images import (
    ImageSettings,
    patches,
    resample,
    token_size,
)

pytestmark = pytest.mark.slow  # importing diffusers and transformers takes seconds

SETTINGS = ImageSettings()


@pytest.fixture(scope="module")
def reference():
    """The module of transformers' image processor."""
    from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl

    return image_processing_pil_qwen2_vl


def pil(h, w, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return PILImage.fromarray(coarse).resize((w, h), PILImage.Resampling.BICUBIC)


def tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255


def opaque(image):
    rgb = tensor(image)
    return torch.cat([rgb, torch.ones_like(rgb[:1])])


@pytest.mark.parametrize("size", [(20, 31), (90, 60), (64, 41), (13, 96)])
@pytest.mark.parametrize("kernel", [PILImage.Resampling.LANCZOS, PILImage.Resampling.BICUBIC])
def test_resampling_is_pillows_but_for_its_rounding(size, kernel):
    image = pil(64, 48)
    ours = resample(tensor(image), size, kernel)
    assert float((ours - tensor(image.resize((size[1], size[0]), kernel))).abs().max()) < 1.6 / 255


@pytest.mark.parametrize("size", [(64, 96), (224, 32), (448, 672)])
def test_patches_are_those_of_the_processor(reference, size):
    image = pil(*size)
    processor = reference.Qwen2VLImageProcessorPil(min_pixels=SETTINGS.min_pixels, max_pixels=SETTINGS.max_pixels)
    expected = processor(image, return_tensors="pt")
    ours, grid = patches(opaque(image), SETTINGS, transposed=False)
    assert [1, *grid] == expected["image_grid_thw"][0].tolist()
    assert float((ours - expected["pixel_values"]).abs().max()) < 1.6 / 255 / min(SETTINGS.image_std)


@pytest.mark.parametrize("size", [(28, 28), (100, 300), (20, 40), (3000, 5000), (640, 480)])
@pytest.mark.parametrize("limit", [28 * 28 * 1280, 12845056])
def test_token_sizes_are_those_of_the_processor(reference, size, limit):
    settings = replace(SETTINGS, max_pixels=limit)
    assert token_size(size, settings) == reference.smart_resize(*size, 28, settings.min_pixels, limit)


def test_transposed_is_a_picture_squashed_to_the_other_shape():
    image = pil(64, 128)
    squashed = image.resize((64, 128), PILImage.Resampling.LANCZOS)  # Pillow says (width, height)
    ours, grid = patches(opaque(image), SETTINGS, transposed=True)
    expected, same = patches(opaque(squashed), SETTINGS, transposed=False)
    assert grid == same == (10, 4)
    assert float((ours - expected).abs().max()) < 1.6 / 255 / min(SETTINGS.image_std)


def test_what_is_transparent_is_white():
    clear = torch.rand(4, 64, 64)
    clear[3] = 0
    white = torch.ones(4, 64, 64)
    assert torch.allclose(*(patches(image, SETTINGS, False)[0] for image in (clear, white)))


def test_settings_are_read_in_both_forms(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text('{"min_pixels": 3136, "max_pixels": 5000, "image_mean": [0, 0, 0], "do_rescale": true}')
    assert ImageSettings.read(tmp_path) == replace(SETTINGS, max_pixels=5000, image_mean=(0, 0, 0))
    path.write_text('{"size": {"shortest_edge": 784, "longest_edge": 6000}}')
    assert ImageSettings.read(tmp_path) == replace(SETTINGS, min_pixels=784, max_pixels=6000)
