"""One good small file of every format that is read, in the variants that take other ways through the decoders."""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import PIL.Image

WIDTH, HEIGHT = 48, 40


def samples(channels: int = 3) -> np.ndarray:
    """Smooth colours and some noise (40, 48, channels), uint8."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    smooth = np.stack([rows * 5, columns * 5, rows + columns, np.full_like(rows, 200)], axis=-1)[..., :channels]
    return (smooth + np.random.default_rng(0).integers(0, 12, smooth.shape)).clip(0, 255).astype(np.uint8)


def by_pillow(format: str, channels: int = 3, **options: Any) -> bytes:
    """The samples in a file, by Pillow."""
    file = io.BytesIO()
    PIL.Image.fromarray(samples(channels)).save(file, format, **options)
    return file.getvalue()


def by_openimageio(suffix: str, channels: int = 3, type: str = "uint8", tile: int = 0, **attributes: Any) -> bytes:
    """The samples in a file, by OpenImageIO."""
    spec = oiio.ImageSpec(WIDTH, HEIGHT, channels, type)
    spec.tile_width = spec.tile_height = tile
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "good" + suffix)
        writer = oiio.ImageOutput.create(str(path))
        assert writer.open(str(path), spec), writer.geterror()
        values = samples(channels).astype(np.float32) / 255
        written = writer.write_tiles if tile else writer.write_image
        assert written(0, WIDTH, 0, HEIGHT, 0, 1, values) if tile else written(values), writer.geterror()
        assert writer.close()
        return path.read_bytes()


def heic() -> bytes:
    """The samples as HEIC."""
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.fromarray(samples())).save(file)
    return file.getvalue()


def good_files() -> dict[str, bytes]:
    """By names, whose suffixes are right."""
    palette = io.BytesIO()
    PIL.Image.fromarray(samples()).quantize(16).save(palette, "PNG")
    frames = [PIL.Image.fromarray(np.roll(samples(), shift, 1)) for shift in (1, 2, 3)]
    return {
        "baseline.jpg": by_pillow("JPEG"),
        "progressive.jpg": by_pillow("JPEG", progressive=True),
        "truecolour.png": by_pillow("PNG", 4),
        "palette.png": palette.getvalue(),
        "deep.png": by_openimageio(".png", 4, "uint16"),
        "lossy.webp": by_pillow("WEBP", 4),
        "lossless.webp": by_pillow("WEBP", 4, lossless=True),
        "moving.webp": by_pillow("WEBP", save_all=True, append_images=frames),
        "raw.tif": by_pillow("TIFF"),
        "lzw.tif": by_pillow("TIFF", compression="tiff_lzw"),
        "deflated.tif": by_openimageio(".tif", 4, "uint16", compression="zip"),
        "tiled.tif": by_openimageio(".tif", 3, "float", 16),
        "inner-jpeg.tif": by_pillow("TIFF", compression="jpeg"),
        "zips.exr": by_openimageio(".exr", 4, "half", compression="zips"),
        "piz.exr": by_openimageio(".exr", 3, "half", compression="piz"),
        "dwaa.exr": by_openimageio(".exr", 3, "half", compression="dwaa"),
        "tiled.exr": by_openimageio(".exr", 3, "float", 16),
        "plain.bmp": by_pillow("BMP"),
        "run-lengths.tga": by_pillow("TGA", 4, compression="tga_rle"),
        "film.dpx": by_openimageio(".dpx", 3, "uint16"),
        "still.gif": by_pillow("GIF"),
        "moving.gif": by_pillow("GIF", save_all=True, append_images=frames, duration=40),
        "picture.avif": by_pillow("AVIF"),
        "picture.heic": heic(),
    }
