"""Building a data set: shards that others can read, the same from the same seed, on from where it stopped."""

import io
import json
import tarfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from training_packs import disc

from omnialpha_cli.lab.data.admission import composed
from omnialpha_cli.lab.data.build import Stopped, build
from omnialpha_cli.lab.data.check import check_all
from omnialpha_cli.lab.data.layouts import find
from omnialpha_cli.lab.data.plan import Plan, Settings, make_plan, prepare
from omnialpha_cli.lab.data.shards import FIELDS, FILES, SCHEMA, Shards, json_schema
from omnialpha_cli.status import ItemError, UsageError

SIZE = 96


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    for name, picture in (
        *((f"cutouts/red disc{i}.png", disc(64, i)) for i in range(3)),
        *((f"backgrounds/meadow{i}.jpg", disc(80, 20 + i)[:60, :, :3]) for i in range(3)),
        *((f"photos/p{i}.jpg", disc(64, 10 + i)[..., :3]) for i in range(2)),
        *((f"photos/p{i}.png", disc(64, 10 + i)[..., 3]) for i in range(2)),
        ("pairs/scene/a.png", disc(64, 30)[..., :3]),
        ("pairs/mask/a.png", (disc(64, 30)[..., 3] > 0).astype(np.uint8) * 255),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(picture)).save(path)
    rgba = disc(64, 30)
    behind = np.where(rgba[..., 3:] > 0, np.uint8([30, 140, 60]), rgba[..., :3])
    (root / "pairs/background").mkdir()
    Image.fromarray(behind).save(root / "pairs/background/a.png")
    return root


def plan(sources: Path, **more: object) -> Plan:
    settings = Settings(**{"count": 6, "size": SIZE, "shard_size": 4, **more})  # type: ignore[arg-type]
    return make_plan(
        settings,
        photos=[find(sources / "photos", "photo")],
        pairs=[find(sources / "pairs", "pair")],
        cutouts=[find(sources / "cutouts", "cutout")],
        backgrounds=[find(sources / "backgrounds", "background")],
    )


def run(what: Plan, out: Path, **more):
    prepare(what, out, overwrite=False)
    return list(build(what, out, lambda path: True, 1, **more))


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built")
    run(plan(sources), out)
    return out


def test_photographs_and_pairs_come_first_then_what_is_composed(built):
    samples = list(Shards(built))
    assert [s.kind for s in samples] == ["photo", "photo", "pair", *["composed"] * 6]
    assert [s.index for s in samples] == list(range(9))
    photo, pair, made = samples[0], samples[2], samples[3]
    assert "background" not in photo.pictures
    assert pair.alpha == "mask" and pair.pictures["scene"].shape == (64, 64, 3)
    assert max(made.pictures["scene"].shape) == SIZE
    assert made.captions.background == "a meadow scene"


def test_layers_make_up_the_scene(built):
    for sample in Shards(built):
        if sample.kind == "composed":
            layers = composed(*(sample.pictures.get(name) for name in ("foreground", "effects", "background")))
            assert np.abs(layers * 255 - sample.pictures["scene"]).max() <= 0.51
            assert ("effects" in sample.pictures) == bool(sample.effects)
    assert [fault for _, fault in check_all(built)] == [None] * 9


def test_records_are_by_the_schema(built):
    schema = json.loads((built / "schema.json").read_text())
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    shards = Shards(built)
    for number in range(len(shards)):
        jsonschema.validate(shards.record(number), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**shards.record(0), "alpha": "none"}, schema)
    assert json.loads((built / "dataset.json").read_text())["schema"] == SCHEMA


def test_webdataset_reads_the_shards(built):
    webdataset = pytest.importorskip("webdataset")
    urls = [str(path) for path in sorted(built.glob("*.tar"))]
    dataset = webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8")
    samples = list(dataset)
    assert len(samples) == 9
    ours = list(Shards(built))
    for theirs, sample in zip(samples, ours, strict=True):
        assert theirs["__key__"] == f"{sample.index:08}"
        assert theirs["json"]["label"] == sample.label
        assert (theirs["scene.png"] == sample.pictures["scene"]).all()


def test_plain_tar_reads_the_shards(built):
    with tarfile.open(built / "00001.tar") as tar:
        names = tar.getnames()
        assert {name.split(".", 1)[1] for name in names} <= {*(f"{name}.png" for name in FILES), "json"}
        assert json.load(tar.extractfile("00000004.json"))["index"] == 4  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_whatever_the_shards_and_workers(sources, built, tmp_path):
    what = plan(sources)
    prepare(what, tmp_path, overwrite=False)
    done = list(build(what, tmp_path, lambda path: True, 2))
    assert sorted(one.path.name for one in done) == ["00000.tar", "00001.tar", "00002.tar"]
    for path in built.glob("*.tar"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    run(plan(sources, shard_size=100), tmp_path / "one")
    one, several = Shards(tmp_path / "one").read(7), Shards(built).read(7)
    assert one.record == several.record
    assert (one.pictures["scene"] == several.pictures["scene"]).all()


def test_another_seed_gives_other_triplets(sources, built, tmp_path):
    run(plan(sources, seed=1), tmp_path)
    one, other = Shards(tmp_path).read(5), Shards(built).read(5)
    assert (
        one.pictures["scene"].shape != other.pictures["scene"].shape
        or (one.pictures["scene"] != other.pictures["scene"]).any()
    )


def test_it_goes_on_where_it_stopped(sources, built, tmp_path):
    class AfterSix:
        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 7

    what = plan(sources)
    prepare(what, tmp_path, overwrite=False)
    with pytest.raises(Stopped):
        list(build(what, tmp_path, lambda path: True, 1, AfterSix()))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000.tar", "dataset.json", "schema.json"]
    (tmp_path / ".00001.tar.999999").write_bytes(b"left by a run that was killed")
    done = run(what, tmp_path)
    assert [one.skipped for one in done] == [True, False, False]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in built.iterdir()}


def test_another_data_set_is_not_mixed_in(sources, built, tmp_path):
    run(plan(sources, count=1), tmp_path)
    with pytest.raises(UsageError, match="made with other count, samples"):
        run(plan(sources, count=2), tmp_path)
    prepare(plan(sources, count=2), tmp_path, overwrite=True)
    assert not list(tmp_path.glob("*.tar"))


def test_shares_of_the_work_make_up_the_whole(sources, built, tmp_path):
    what = plan(sources)
    for share in range(2):
        prepare(what, tmp_path, overwrite=False)
        list(build(what, tmp_path, lambda path, share=share: int(path.stem) % 2 == share, 1))
    assert {p.name for p in tmp_path.glob("*.tar")} == {p.name for p in built.glob("*.tar")}


def test_held_out_sources_are_refused(sources, tmp_path):
    with pytest.raises(UsageError, match=r"photos \(plain\) is all of the split train: nothing for val"):
        plan(sources, split="val")
    with pytest.raises(UsageError, match="composed samples need --backgrounds"):
        make_plan(Settings(), photos=[find(sources / "photos", "photo")], pairs=[], cutouts=[], backgrounds=[])


def test_an_unreadable_picture_is_one_that_is_missing(sources, tmp_path):
    for name in ("a", "b"):
        for end, picture in (("jpg", disc(64, 1)[..., :3]), ("png", disc(64, 1)[..., 3])):
            Image.fromarray(picture).save(tmp_path / f"{name}.{end}")
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    what = make_plan(
        Settings(count=0, size=SIZE), photos=[find(tmp_path, "photo")], pairs=[], cutouts=[], backgrounds=[]
    )
    (done,) = run(what, tmp_path / "out")
    assert (done.kept, dict(done.faults)) == (1, {"unreadable": 1})
    assert "a.jpg: cannot be read as a picture" in done.unreadable[0]


def test_damaged_shards_are_reported(built, tmp_path):
    with tarfile.open(built / "00000.tar") as tar, tarfile.open(tmp_path / "00000.tar", "w") as out:
        for member in tar:
            if member.name == "00000001.scene.png":
                continue
            out.addfile(member, tar.extractfile(member))
    told = dict(check_all(tmp_path))
    assert told["00000.tar/00000001"] == "lacks scene"
    assert told["00000.tar/00000000"] is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no triplets"):
        Shards(tmp_path / "empty")
    other = tmp_path / "other.tar"
    for content in (b"", b"[1]", json.dumps({"schema": SCHEMA}).encode()):
        with tarfile.open(other, "w") as out:
            info = tarfile.TarInfo("x.json")
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
        with pytest.raises(ItemError, match="not a record"):
            Shards(other).read(0)


def test_every_field_and_file_has_a_meaning():
    assert all(text for _, text in FIELDS.values())
    assert all(FILES.values())


def test_training_refuses_a_part_of_a_data_set(sources, tmp_path):
    what = plan(sources)
    prepare(what, tmp_path, overwrite=False)
    list(build(what, tmp_path, lambda path: path.stem == "00000", 1))
    assert len(Shards(tmp_path)) == 4  # to look at it is allowed
    with pytest.raises(UsageError, match="has 1 of its 3 shards: run its `omnialpha data build` to the end"):
        Shards(tmp_path, training=True)
    run(what, tmp_path)
    assert len(Shards(tmp_path, training=True)) == 9
    for other in ("no JSON", "{}"):  # of another tool, or damaged
        (tmp_path / "dataset.json").write_text(other)
        assert len(Shards(tmp_path, training=True)) == 9
