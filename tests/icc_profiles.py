"""ICC profiles made for tests: matrix profiles from published colorants, and a CMYK one from a formula."""

import struct

import numpy as np

# Colorants relative to D50, as their makers' profiles have them.
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
D50 = (0.9642, 1.0, 0.8249)


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + s15(*values)


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(values) -> bytes:
    entries = np.round(np.asarray(values) * 65535).astype(int)
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *entries)


def parametric_curve(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + s15(*values)


def description(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data


def profile(space: bytes, kind: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    tags = {b"desc": description("test"), b"cprt": description("none"), b"wtpt": xyz(*D50), **tags}
    start = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    header = struct.pack(">I4s4s4s4s4s", size, b"test", b"\x04\x30\0\0", kind, space, pcs)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + s15(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def rgb_profile(colorants, curve: bytes) -> bytes:
    columns = {name: xyz(*colorant) for name, colorant in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)}
    return profile(b"RGB ", b"mntr", {**columns, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def display_p3() -> bytes:
    return rgb_profile(DISPLAY_P3, parametric_curve(3, *SRGB_CURVE))


def adobe_rgb() -> bytes:
    return rgb_profile(ADOBE_RGB, gamma_curve(2.2))


def grey(gamma: float) -> bytes:
    return profile(b"GRAY", b"mntr", {b"kTRC": gamma_curve(gamma)})


def cmyk() -> bytes:
    """A CMYK profile (lut16, ICC.1:2022, 10.10) whose inks are greener than plain arithmetic says."""
    grid, entries = 3, 2
    steps = np.linspace(0, 1, grid)
    c, m, y, k = np.meshgrid(steps, steps, steps, steps, indexing="ij")
    lightness = 100 * (1 - k) * (1 - 0.3 * c - 0.4 * m - 0.1 * y)
    lab = np.stack([lightness, -40 * c + 50 * m - 20 * (1 - k), 60 * y - 30 * c], -1).reshape(-1, 3)
    encoded = np.stack([lab[:, 0] / 100 * 65280, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], -1).clip(0, 65535)
    ramp = struct.pack(">2H", 0, 65535)
    lut = b"mft2\0\0\0\0" + struct.pack(">BBBx", 4, 3, grid) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += struct.pack(">HH", entries, entries) + ramp * 4 + encoded.astype(">u2").tobytes() + ramp * 3
    return profile(b"CMYK", b"prtr", {b"A2B0": lut, b"A2B1": lut}, b"Lab ")
