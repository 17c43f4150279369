"""Files with layers that are damaged, or hold what a parser does not expect: layers, or one clear error."""

import random

import numpy as np
import pytest
from psd_tools import PSDImage
from psd_tools.constants import Compression

from omnialpha_cli.compose import read_result
from omnialpha_cli.media.layered import READERS, read_layers
from omnialpha_cli.media.write import Layer, Target, write_layers
from omnialpha_cli.status import ItemError

CASES = 60
DEPTHS = {"exr": "half"}
NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1")
# What damage lies in, of TIFF and ZIP in their ends too: headers and tables.
TABLES = 500


def damaged(content: bytes, g: random.Random) -> bytes:
    """Change a few bytes, most of them in what describes the pixels."""
    data = bytearray(content)
    for _ in range(g.choice((1, 2, 4))):
        place = g.choice((g.randrange(TABLES), g.randrange(len(data)), len(data) - 1 - g.randrange(TABLES)))
        data[place : place + 4] = g.choice((*NUMBERS, bytes([data[place] ^ 1 << g.randrange(8)])))
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("format", sorted(READERS))
def test_every_fault_of_a_parser_is_one_of_the_file(tmp_path, format):
    path, g = tmp_path / "damaged", random.Random(format)
    noise = np.random.default_rng(0).random((16, 20, 4)).astype(np.float32)
    write_layers(path, [Layer("background", noise), Layer("front", noise)], Target(format, DEPTHS.get(format, "8")))
    whole, refused = path.read_bytes(), 0
    for _ in range(CASES):
        path.write_bytes(damaged(whole, g))
        for read in (lambda: list(read_layers(path, format)), lambda: read_result(path)):
            try:
                read()
            except ItemError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                refused += 1
    assert refused > CASES / 4


def test_a_channel_of_photoshop_that_does_not_decode_is_not_taken_for_black(tmp_path):
    path = tmp_path / "a.psd"
    pixels = np.full((16, 20, 4), 0.5, np.float32)
    write_layers(path, [Layer("background", pixels), Layer("front", pixels)], Target("psd"))
    document = PSDImage.open(path)
    channel = document._record.layer_and_mask_information.layer_info.channel_image_data[0][1]
    channel.compression, channel.data = Compression.ZIP, bytes(40)
    document.save(path)
    with pytest.raises(ItemError, match=r"a\.psd: its layers cannot be read: .*decode failed"):
        list(read_layers(path, "psd"))
