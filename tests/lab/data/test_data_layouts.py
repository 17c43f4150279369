"""The folders that people have: tiny trees in the layouts of published data sets."""

import io
import json
import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_packs import disc, encoded, index, write_tar

from omnialpha_cli.lab.data.layouts import find
from omnialpha_cli.lab.data.sources import File, decode, load, load_pair
from omnialpha_cli.lab.data.tree import words_of
from omnialpha_cli.lab.train.packs import read_packs
from omnialpha_cli.status import ItemError, UsageError

RGBA = disc(24, 0)
RGB, ALPHA = RGBA[..., :3], RGBA[..., 3]


def grow(root: Path, *files: str, picture: np.ndarray = RGB) -> Path:
    """Write pictures: an alpha where the folder's name says mask, alpha or GT, else the picture."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders = {p.lower() for p in Path(name).parts}
        is_matte = folders & {"mask", "alpha", "gt", "trimap", "object_mask"} and "img" not in folders
        Image.fromarray(ALPHA if is_matte else picture).save(path)
    return root


def names(found) -> list[str]:
    return [entry.name for entry in found.entries]


def test_aim_500(tmp_path):
    grow(
        tmp_path, "original/o_1.jpg", "original/o_2.jpg", "mask/o_1.png", "mask/o_2.png", "trimap/o_1.png", "usr/x.png"
    )
    found = find(tmp_path, "photo")
    assert found.layout == "AIM-500"
    assert names(found) == ["o_1", "o_2"]
    assert found.of("train") == ()  # a benchmark
    picture = load(found.entries[0])
    assert picture.rgba.shape == (24, 24, 4)
    assert (picture.rgba[..., 3] == ALPHA).all()


def test_p3m(tmp_path):
    root = tmp_path / "P3M-10k"
    grow(root, "train/blurred_image/p_1.jpg", "train/mask/p_1.png", "train/fg/p_1.png", "train/bg/p_1.png")
    grow(root, "validation/P3M-500-P/blurred_image/p_2.jpg", "validation/P3M-500-P/mask/p_2.png")
    grow(root, "validation/P3M-500-NP/original_image/p_3.jpg", "validation/P3M-500-NP/mask/p_3.png")
    found = find(tmp_path, "photo")
    assert found.layout == "P3M-10k"
    assert [e.name for e in found.of("train")] == ["P3M-10k/train/p_1"]
    assert [Path(e.name).name for e in found.of("val")] == ["p_2", "p_3"]
    assert {e.label for e in found.entries} == {"person"}


def test_composition_1k(tmp_path):
    root = tmp_path / "Combined_Dataset"
    for part in ("Training_set/Adobe-licensed images", "Training_set/Other", "Test_set/Adobe-licensed images"):
        grow(root, f"{part}/fg/a {part[:5]}.jpg", f"{part}/alpha/a {part[:5]}.jpg")
    grow(root, "Test_set/Adobe-licensed images/trimaps/a_0.png")
    (root / "Training_set" / "training_fg_names.txt").write_text("a.jpg\n")
    found = find(tmp_path, "cutout")
    assert found.layout == "Composition-1k"
    assert (len(found.of("train")), len(found.of("val"))) == (2, 1)
    assert load(found.entries[0]).rgba.shape == (24, 24, 4)


def test_distinctions_646(tmp_path):
    grow(tmp_path, "Train/FG/1.png", "Train/GT/1.png", "Test/FG/2.png", "Test/GT/2.png")
    assert find(tmp_path / "Test", "cutout").of("train") == ()  # the name of the place itself counts, too
    found = find(tmp_path, "cutout")
    assert found.layout == "Distinctions-646"
    assert [e.name for e in found.of("train")] == ["Train/1"]
    assert [e.name for e in found.of("val")] == ["Test/2"]


def test_refmatte(tmp_path):
    root = tmp_path / "RefMatte"
    grow(root, "train/img/im1.jpg", "train/mask/im1_cat.png", "train/mask/im1_dog.png", "train/mask/lost.png")
    told = {
        "im1_cat": {"image_name": "im1", "expressions": ["the cat beside the dog", "the cat"]},
        "im1_dog": {"image_name": "im1", "expressions": ["the dog"]},
    }
    (root / "train" / "refmatte_train_label.json").write_text(json.dumps(told))
    found = find(tmp_path, "photo")
    assert found.layout == "RefMatte"
    assert {Path(e.name).name: e.label for e in found.of("train")} == {"im1_cat": "the cat", "im1_dog": "the dog"}
    assert all(e.others for e in found.entries)  # the words tell which
    assert found.incomplete == 1


def test_refmatte_rw100(tmp_path):
    grow(tmp_path, "RefMatte_RW_100/image_all/a_0.jpg", "RefMatte_RW_100/mask/a_0.png")
    told = {"a_0": {"image_name": "a", "expressions": ["the man in red"]}}
    (tmp_path / "RefMatte_RW_100" / "refmatte_rw100_label.json").write_text(json.dumps(told))
    found = find(tmp_path, "photo")
    assert (found.layout, found.of("train")) == ("RefMatte-RW100", ())
    assert found.entries[0].label == "the man in red"


def test_rord(tmp_path):
    root = tmp_path / "RORD"
    grow(root, "train/img/V1/V1_F0001.jpg", "train/img/V1/V1_G0001.jpg", "train/gt/V1/V1_F0001.jpg")
    coarse = np.full((24, 24), 255, np.uint8)  # RORD's masks are black where the object and its shadow are
    coarse[4:20, 4:20] = 0
    (root / "train/mask/V1").mkdir(parents=True)
    Image.fromarray(coarse).save(root / "train/mask/V1/V1_F0001_M.png")
    told = {
        "Raw_Data_Info.": {"Resolution": "48, 48"},
        "Learning_Data_Info.": {
            "Annotation": [
                {"Class_ID": "F38", "segmentation": [16, 16, 32, 16, 32, 32, 16, 32]},
                {"Class_ID": "BO1", "segmentation": [0, 0, 48, 0, 48, 48, 0, 48]},
            ]
        },
    }
    (root / "train/label/V1").mkdir(parents=True)
    (root / "train/label/V1/V1_F0001.json").write_text(json.dumps(told))
    found = find(tmp_path, "pair")
    assert found.layout == "RORD"
    assert [Path(e.name).name for e in found.of("train")] == ["V1_F0001"]
    assert found.incomplete == 1  # the frame without the object
    pair = load_pair(found.entries[0])
    assert pair.mask[8:16, 8:16].all() and pair.mask.sum() == 81  # the polygon, at half the size, its border included
    assert pair.effect is not None and (pair.effect == (coarse == 0)).all()


def test_ober_in_folders(tmp_path):
    parts = ("input", "gt", "object_mask", "object_effect_mask")
    grow(tmp_path, *(f"captured/{part}/0001.png" for part in parts))
    grow(tmp_path, *(f"OBER-Test/val/{part}/0002.png" for part in parts))
    found = find(tmp_path, "pair")
    assert found.layout == "OBER"
    assert [e.split for e in found.entries] == ["val", "train"]
    assert load_pair(found.entries[1]).effect is not None


@pytest.mark.slow
def test_ober_in_tables(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    def cell(array: np.ndarray) -> dict[str, object]:
        return {"bytes": encoded(array, "PNG"), "path": "0427_1.png"}

    columns = {"input": RGB, "gt": RGB // 2, "object_mask": ALPHA, "object_effect_mask": ALPHA}
    table = pyarrow.table({name: [cell(array)] * 2 for name, array in columns.items()} | {"subset": ["captured"] * 2})
    for name in ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"):
        parquet.write_table(table, tmp_path / name)
    found = find(tmp_path, "pair")
    assert (found.layout, len(found.of("train")), len(found.of("val"))) == ("OBER", 2, 2)
    pair = load_pair(found.of("train")[0])
    assert (pair.background == RGB // 2).all()
    assert (pair.mask == (ALPHA > 127)).all()


def test_plain_folders(tmp_path):
    grow(tmp_path / "cut", "toys/red_car-02.png", "IMG_0012.png", picture=RGBA)
    (tmp_path / "cut" / "IMG_0012.txt").write_text("a wooden duck\n")
    grow(tmp_path / "cut", "no alpha.jpg", ".hidden.png", "__MACOSX/._IMG_0012.png")
    cutouts = find(tmp_path / "cut", "cutout")
    assert {e.name: e.label for e in cutouts.entries} == {"IMG_0012": "a wooden duck", "toys/red_car-02": "red car"}
    assert cutouts.incomplete == 1
    backgrounds = find(grow(tmp_path / "back", "beach1.jpg", "valley/x.jpg"), "background")
    assert {e.name: (e.label, e.split) for e in backgrounds.entries} == {
        "beach1": ("beach", "train"), "valley/x": ("", "train"),
    }  # fmt: skip
    photos = find(grow(tmp_path / "photos", "a.jpg", "a.png", "b.jpg"), "photo")
    assert (names(photos), photos.incomplete) == (["a"], 1)


def test_a_tenth_of_the_cut_outs_is_held_out_by_its_words(tmp_path):
    grow(tmp_path, *(f"{i}.png" for i in range(40)), *(f"same {i}.png" for i in range(4)), picture=RGBA)
    for i in range(40):
        (tmp_path / f"{i}.txt").write_text(f"toy {i}")
    found = find(tmp_path, "cutout")
    assert [e.label for e in found.of("val")] == ["toy 10", "toy 11", "toy 26", "toy 39"]
    assert len([e for e in found.of("train") if e.label == "same"]) == 4


def test_a_pack_is_a_folder_in_a_tar(tmp_path):
    files = {f"p{i}.{kind}": encoded(RGB if kind == "jpg" else ALPHA, "JPEG" if kind == "jpg" else "PNG")
             for i in range(2) for kind in ("jpg", "png")}  # fmt: skip
    files["index.csv"] = index(["name", "label", "split"], [["p1", "disc", "val"], ["p0", "", "train"]])
    found = find(write_tar(tmp_path / "photos.tar", files), "photo")
    assert [(e.name, e.label, e.split) for e in found.entries] == [("p1", "disc", "val"), ("p0", "", "train")]
    assert load(found.entries[0], longest=12).rgba.shape == (12, 12, 4)


def test_training_reads_any_layout(tmp_path):
    grow(tmp_path / "P3M", "train/blurred_image/p_1.jpg", "train/mask/p_1.png")
    grow(tmp_path / "P3M", "validation/P3M-500-P/blurred_image/p_2.jpg", "validation/P3M-500-P/mask/p_2.png")
    grow(tmp_path / "DIS", "Train/FG/1.png", "Train/GT/1.png", "Test/FG/2.png", "Test/GT/2.png")
    packs = read_packs([tmp_path / "P3M"], [tmp_path / "DIS"])
    assert [len(p) for p in (packs.photos, packs.photos_val, packs.cutouts, packs.backgrounds)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("stem", "words"),
    [("red_apple-02", "red apple"), ("IMG_0012", ""), ("o_1dbc93", ""), ("snow", "snow"), ("xkcd", "")],
)
def test_names_that_say_something_are_words(stem, words):
    assert words_of(stem) == words


def test_the_wrong_kind_is_reported(tmp_path):
    grow(tmp_path, "original/a.jpg", "mask/a.png")
    with pytest.raises(UsageError, match=r"layout of AIM-500: give it as --photos"):
        find(tmp_path, "cutout")
    with pytest.raises(UsageError, match=r"holds no scenes with and without an object. Known layouts: OBER, RORD"):
        find(grow(tmp_path / "other", "a.txt.png"), "pair")
    (tmp_path / "no.tar").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"no\.tar is neither a folder nor a tar"):
        find(tmp_path / "no.tar", "photo")


def test_damaged_pictures_and_wrong_sizes_are_reported(tmp_path):
    grow(tmp_path, "original/a.jpg", "original/b.jpg", "mask/a.png", "mask/b.png")
    (tmp_path / "original" / "a.jpg").write_bytes(b"\xff\xd8 no picture")
    Image.fromarray(ALPHA[:12]).save(tmp_path / "mask" / "b.png")
    one, other = find(tmp_path, "photo").entries
    with pytest.raises(ItemError, match=r"a\.jpg: cannot be read as a picture"):
        load(one)
    with pytest.raises(ItemError, match=r"b\.png is 24×12 but its picture 24×24 pixels"):
        load(other)


@pytest.mark.parametrize("kind", ["AVIF", "PNG"])
def test_every_fault_of_a_decoder_is_one_of_its_picture(tmp_path, kind):
    path, g, file = tmp_path / "a", random.Random(kind), io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)).save(file, kind)
    for _ in range(100):
        data = bytearray(file.getvalue())
        for _ in range(4):
            data[g.randrange(min(len(data), 300))] = g.choice((0, 255, g.randrange(256)))
        path.write_bytes(data)
        with suppress(ItemError):
            assert decode(File(path), "RGB").shape[2] == 3


def test_a_damaged_profile_is_no_damaged_picture(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((8, 8, 3), 128, np.uint8)).save(path, icc_profile=b"no profile")
    assert (decode(File(path), "RGB") == 128).all()


def test_mattes_of_16_bits_and_turned_pictures(tmp_path):
    (tmp_path / "original").mkdir()
    (tmp_path / "mask").mkdir()
    Image.fromarray(ALPHA.astype(np.uint16) * 257).save(tmp_path / "mask" / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = io.BytesIO()
    Image.fromarray(np.repeat(np.arange(24, dtype=np.uint8)[:, None, None] * 8, 24, 1).repeat(3, 2)).save(
        data, "JPEG", exif=exif, quality=100
    )
    (tmp_path / "original" / "a.jpg").write_bytes(data.getvalue())
    rgba = load(find(tmp_path, "photo").entries[0]).rgba
    assert (rgba[..., 3] == ALPHA).all()
    assert rgba[0, 0, 0] > 170 and rgba[-1, 0, 0] < 10
