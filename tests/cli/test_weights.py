"""`omnialpha weights` against a server on this machine that speaks the hub's endpoints."""

import json
import shutil
import struct

import pytest
import torch
from hub_server import COMMIT, Hub, serving
from safetensors.torch import load_file, save_file

from omnialpha_cli.weights import store

BASE, OURS = "Qwen/Qwen-Image-Edit-2509", "Longin-Yu/OmniAlpha"


@pytest.fixture(scope="module")
def hub_folders(published, tmp_path_factory):
    """Both repositories, as the hub holds them."""
    root = tmp_path_factory.mktemp("hub")
    shutil.copytree(published, root / "base")
    for part in ("rgba_vae", "lora"):
        (root / "ours").mkdir(exist_ok=True)
        (root / "base" / part).rename(root / "ours" / part)
    (root / "base" / "vae").mkdir()
    (root / "base" / "vae" / "config.json").write_text("{}")
    (root / "base" / "README.md").write_text("a model card")
    return root


@pytest.fixture
def repositories(hub_folders, tmp_path):
    shutil.copytree(hub_folders, tmp_path / "hub")
    return tmp_path / "hub"


@pytest.fixture
def hub(repositories, tmp_path, monkeypatch):
    monkeypatch.setenv("OMNIALPHA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with serving(Hub({BASE: repositories / "base", OURS: repositories / "ours"})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home" / "omnialpha"


def test_pull_brings_the_parts_and_records_what_was_not_known(omnialpha, hub, home):
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert (outcome.code, outcome.lines) == (0, [str(home)]), outcome.err
    assert "knew no sha256 of" in outcome.err and "later loads are held to it" in outcome.err
    parts = {path.name for path in home.iterdir() if not path.name.startswith(".")}
    assert parts == {
        "transformer", "text_encoder", "tokenizer", "processor", "scheduler", "rgba_vae", "lora"
    }  # fmt: skip
    weights = store.find("omnialpha")
    assert weights.locked.known and {source.revision for source in weights.locked.sources} == {COMMIT}
    assert omnialpha("weights", "verify", "omnialpha").code == 0
    assert "omnialpha" in omnialpha("weights", "list").out
    again = omnialpha("weights", "pull", "omnialpha")
    assert again.code == 0 and "recorded" not in again.err
    assert sum(method == "GET" and "/resolve/" in path for method, path, _ in hub.requests) == len(weights.locked.files)


@pytest.mark.slow
def test_pulled_weights_make_pictures(omnialpha, hub, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    omnialpha("weights", "pull", "omnialpha")
    arguments = ("matte", "a.png", "--model", "omnialpha", "--canvas", "64", "--steps", "2", "--device", "cpu")
    outcome = omnialpha(*arguments, "-o", "out")
    assert (outcome.code, outcome.out) == (0, "out/a.png\n"), outcome.err
    again = omnialpha(*arguments, "-o", "out", "--json")
    assert json.loads(again.lines[0])["status"] == "skipped"


def test_without_the_weights_one_line_says_how_to_get_them(omnialpha, hub, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    outcome = omnialpha("matte", "a.png", "--model", "omnialpha")
    assert (outcome.code, outcome.out) == (4, "")
    (line,) = outcome.err.splitlines()
    assert "omnialpha weights pull omnialpha" in line and "59.7 GB to download" in line and "disk" in line
    assert not hub.requests  # no command but pull uses the network


TENSORS = "transformer/diffusion_pytorch_model.safetensors"


def test_a_broken_transfer_goes_on_where_it_broke(omnialpha, hub, home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.cut[TENSORS] = 100_000
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    assert "bytes=100000-" in [wanted for _, where, wanted in hub.requests if where.endswith(TENSORS)]
    assert (home / TENSORS).read_bytes() == hub.content(BASE, TENSORS)


@pytest.fixture
def interrupted(omnialpha, hub, monkeypatch):
    """A pull that ended in the middle of the transformer's weights; what was asked of the hub until then."""

    def gone(_):
        raise OSError("the network is gone")

    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
        patch.setattr("huggingface_hub.file_download.time.sleep", gone)
        hub.cut[TENSORS] = 100_000
        outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and "the same command goes on from there" in outcome.err
    requests, hub.requests = hub.requests, []
    return requests


def downloads(requests):
    return {path: wanted for method, path, wanted in requests if method == "GET" and "/resolve/" in path}


def test_a_pull_that_was_interrupted_goes_on_with_the_byte_that_it_was_at(omnialpha, hub, home, interrupted):
    assert not (home / TENSORS).exists()
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    again = downloads(hub.requests)
    (twice,) = set(downloads(interrupted)) & set(again)  # files that were whole are not fetched again
    assert twice.endswith(TENSORS) and again[twice] == "bytes=100000-"
    assert (home / TENSORS).read_bytes() == hub.content(BASE, TENSORS)
    assert not [path.name for path in home.iterdir() if path.name.startswith(".")]


def test_a_server_that_knows_no_ranges_sends_the_whole_file_again(omnialpha, hub, home, interrupted):
    hub.ranges = False
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    assert (home / TENSORS).read_bytes() == hub.content(BASE, TENSORS)


def test_another_version_does_not_go_on_with_the_old_one(omnialpha, hub, home, repositories, interrupted):
    (file,) = (repositories / "base" / "transformer").glob("*.safetensors")
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    assert next(wanted for path, wanted in downloads(hub.requests).items() if path.endswith(TENSORS)) is None
    assert (home / TENSORS).read_bytes() == hub.content(BASE, TENSORS)


@pytest.mark.parametrize("fault", ["altered", "too long"])
def test_a_part_that_was_damaged_is_caught_in_the_end(omnialpha, hub, home, interrupted, fault):
    (part,) = (path for path in (home / ".incomplete").iterdir() if path.stat().st_size == 100_000)
    content = part.read_bytes()
    part.write_bytes(b"x" + content[1:] if fault == "altered" else content * 20)
    outcome = omnialpha("weights", "pull", "omnialpha")
    if fault == "altered":
        assert outcome.code == 4 and "came damaged" in outcome.err and not part.exists()
        assert omnialpha("weights", "pull", "omnialpha").code == 0
    assert (home / TENSORS).read_bytes() == hub.content(BASE, TENSORS)


@pytest.mark.parametrize("path", [TENSORS, "tokenizer/tokenizer.json"])
def test_a_tampered_download_is_caught_and_removed(omnialpha, hub, home, path):
    hub.tamper.add(path)
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and f"{path} came damaged" in outcome.err
    assert not (home / path).exists()
    hub.tamper.clear()
    assert omnialpha("weights", "pull", "omnialpha").code == 0


def test_what_was_recorded_binds_later_loads_and_later_pulls(omnialpha, hub, home, repositories, picture, tmp_path):
    omnialpha("weights", "pull", "omnialpha")
    file = home / "lora" / "pytorch_lora_weights.safetensors"
    state = {name: tensor + 1 for name, tensor in load_file(file).items()}
    save_file(state, file)
    outcome = omnialpha("matte", picture(tmp_path / "a.png"), "--model", "omnialpha", "-o", tmp_path / "out")
    assert outcome.code == 4 and "sha256 differs" in outcome.err and "weights pull omnialpha" in outcome.err
    assert omnialpha("weights", "pull", "omnialpha").code == 0  # mended
    assert omnialpha("weights", "verify", "omnialpha").code == 0
    save_file(state, repositories / "ours" / "lora" / file.name)  # the hub now has another file
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and "is not the file in weights.lock" in outcome.err


def test_lock_records_what_is_there(omnialpha, hub, home):
    omnialpha("weights", "pull", "omnialpha")
    file = home / "rgba_vae" / "config.json"
    file.write_text(file.read_text() + "\n")
    assert omnialpha("weights", "verify", "omnialpha").code == 4
    outcome = omnialpha("weights", "lock", "omnialpha")
    assert outcome.code == 0 and str(home.parent / "weights.lock") in outcome.out
    assert omnialpha("weights", "verify", "omnialpha").code == 0


def test_a_pickle_on_the_hub_is_refused(omnialpha, hub, home, repositories):
    (repositories / "base" / "transformer" / "pytorch_model.bin").write_bytes(b"pickle")
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and "pickle transformer/pytorch_model.bin" in outcome.err
    assert not any(home.rglob("*.safetensors"))


def test_a_missing_token_or_repository_is_one_line(omnialpha, hub):
    hub.token = "secret"
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and len(outcome.err.splitlines()) == 1 and BASE in outcome.err
    hub.token = None
    del hub.repositories[OURS]
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and len(outcome.err.splitlines()) == 1 and OURS in outcome.err


def test_a_token_is_sent(omnialpha, hub, monkeypatch):
    hub.token = "secret"
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert omnialpha("weights", "pull", "omnialpha").code == 0


def test_too_little_disk_is_said_before_anything_is_fetched(omnialpha, hub, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 10))
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and "has room for" in outcome.err and "OMNIALPHA_HOME" in outcome.err
    assert not any("/resolve/" in path for _, path, _ in hub.requests)


def test_offline_is_one_line(omnialpha, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    outcome = omnialpha("weights", "pull", "omnialpha")
    assert outcome.code == 4 and len(outcome.err.splitlines()) == 1 and "ffline" in outcome.err
    assert not hub.requests


def test_the_embedded_weights_are_neither_pulled_nor_removed(omnialpha, hub):
    for command in ("pull", "remove"):
        assert omnialpha("weights", command, "mini").code == 2


def test_the_lora_may_have_its_other_name_on_the_hub(omnialpha, hub, home, repositories):
    (repositories / "ours" / "lora").rename(repositories / "ours" / "rgba_lora")
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    file = "pytorch_lora_weights.safetensors"
    assert (home / "lora" / file).read_bytes() == hub.content(OURS, f"rgba_lora/{file}")
    assert not (home / "rgba_lora").exists() and omnialpha("weights", "verify", "omnialpha").code == 0


def test_of_two_loras_on_the_hub_the_documented_one_is_pulled(omnialpha, hub, home, repositories):
    file = "pytorch_lora_weights.safetensors"
    shutil.copytree(repositories / "ours" / "lora", repositories / "ours" / "rgba_lora")
    save_file({"transformer.a.lora_A.weight": torch.ones(1, 1)}, repositories / "ours" / "rgba_lora" / file)
    assert omnialpha("weights", "pull", "omnialpha").code == 0
    assert (home / "lora" / file).read_bytes() == hub.content(OURS, f"lora/{file}")


def test_a_base_without_its_lora_is_reported_unless_one_is_given(omnialpha, own_published, picture, tmp_path):
    picture(tmp_path / "a.png")
    lora = (own_published / "lora").rename(tmp_path / "elsewhere") / "pytorch_lora_weights.safetensors"
    arguments = ("matte", tmp_path / "a.png", "--model", own_published, "-o", tmp_path / "out", "--dry-run")
    alone = omnialpha(*arguments)
    assert alone.code == 0 and "holds no LoRA (lora/ or rgba_lora/), so the base model answers" in alone.err
    assert "LoRA" not in omnialpha(*arguments, "--lora", lora).err
    lora.parent.rename(own_published / "rgba_lora")
    assert "LoRA" not in omnialpha(*arguments).err


class TestImport:
    def test_a_snapshot_is_linked_part_by_part_and_recorded_when_whole(self, omnialpha, hub, home, repositories):
        first = omnialpha("weights", "import", repositories / "base")
        assert first.code == 0 and "still missing" in first.err and "rgba_vae/config.json" in first.err
        second = omnialpha("weights", "import", repositories / "ours")
        assert second.code == 0 and "later loads are held to it" in second.err
        links = [path for path in home.rglob("*") if not path.is_dir()]
        assert links and all(path.is_symlink() for path in links)
        assert omnialpha("weights", "verify", "omnialpha").code == 0
        assert not hub.requests

    @pytest.mark.parametrize("name", ["lora", "rgba_lora"])
    def test_base_vae_and_lora_may_lie_in_three_places(self, omnialpha, hub, home, repositories, tmp_path, name):
        (repositories / "ours" / "lora").rename(repositories / "ours" / name)
        ours = repositories / "ours"
        outcome = omnialpha("weights", "import", repositories / "base", ours / "rgba_vae", ours / name)
        assert outcome.code == 0 and "later loads are held to it" in outcome.err
        assert outcome.lines[-2:] == [f"rgba_vae: {home / 'rgba_vae'}", f"lora: {home / 'lora'}"]
        assert omnialpha("weights", "verify", "omnialpha").code == 0

    def test_a_lora_under_both_names_is_refused(self, omnialpha, hub, repositories):
        shutil.copytree(repositories / "ours" / "lora", repositories / "ours" / "rgba_lora")
        outcome = omnialpha("weights", "import", repositories / "ours")
        assert outcome.code == 2 and "holds both lora/ and rgba_lora/; move one of them away" in outcome.err

    def test_a_file_of_comfyui_takes_the_place_of_a_part(self, omnialpha, hub, home, repositories, tmp_path):
        for place in ("base", "ours"):
            omnialpha("weights", "import", repositories / place)
        (old,) = (repositories / "base" / "transformer").glob("*.safetensors")
        single = tmp_path / "qwen_image_edit_2509_bf16.safetensors"
        save_file({f"model.diffusion_model.{key}": value for key, value in load_file(old).items()}, single)
        outcome = omnialpha("weights", "import", single)
        assert outcome.code == 0 and outcome.lines == [f"transformer: {home / 'transformer'}"]
        (file,) = (home / "transformer").glob("*.safetensors")
        assert file.resolve() == single
        from omnialpha_cli.model.omnialpha import OmniAlpha

        assert OmniAlpha.load(home).transformer.config.num_layers == 2

    @pytest.mark.parametrize(
        ("keys", "part"),
        [
            ({"transformer_blocks.0.attn.add_q_proj.weight": (4, 4)}, "transformer"),
            ({"visual.patch_embed.proj.weight": (4, 3, 2, 14, 14), "model.norm.weight": (4,)}, "text_encoder"),
            ({"encoder.conv_in.weight": (4, 4, 3, 3, 3), "decoder.conv_out.weight": (4, 4, 3, 3, 3)}, "rgba_vae"),
            ({"transformer_blocks.0.attn.to_q.lora_down.weight": (2, 4)}, "lora"),
        ],
    )
    def test_a_single_file_is_known_by_its_keys(self, omnialpha, hub, home, tmp_path, keys, part):
        file = tmp_path / "x.safetensors"
        save_file({key: torch.zeros(shape) for key, shape in keys.items()}, file)
        outcome = omnialpha("weights", "import", file)
        assert outcome.code == 0 and outcome.out.startswith(f"{part}: ")
        assert [path.resolve() for path in (home / part).iterdir()] == [file]

    @pytest.mark.parametrize(
        ("keys", "says"),
        [
            ({"a": (1,)}, "another model"),
            ({"encoder.conv_in.weight": (4, 3, 3, 3, 3), "decoder.conv_out.weight": (3, 4, 3)}, "without alpha"),
            ({"transformer_blocks.0.attn.to_q.scale_weight": (1,)}, "scaled 8-bit"),
        ],
    )
    def test_other_files_are_refused_with_the_reason(self, omnialpha, hub, tmp_path, keys, says):
        save_file({key: torch.zeros(shape) for key, shape in keys.items()}, tmp_path / "x.safetensors")
        outcome = omnialpha("weights", "import", tmp_path / "x.safetensors")
        assert outcome.code == 2 and says in outcome.err

    def test_pickles_and_what_only_looks_like_safetensors_are_refused(self, omnialpha, hub, tmp_path, repositories):
        torch.save({}, tmp_path / "x.pt")
        assert "is a pickle" in omnialpha("weights", "import", tmp_path / "x.pt").err
        (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 5) + b"junk!")
        assert "no safetensors file" in omnialpha("weights", "import", tmp_path / "x.safetensors").err
        (file,) = (repositories / "base" / "transformer").glob("*.safetensors")
        file.rename(file.with_suffix(".bin"))
        outcome = omnialpha("weights", "import", repositories / "base")
        assert outcome.code == 2 and "is a pickle" in outcome.err

    def test_removing_leaves_what_the_links_point_to(self, omnialpha, hub, home, repositories):
        omnialpha("weights", "import", repositories / "base")
        before = sorted(repositories.rglob("*"))
        assert omnialpha("weights", "remove", "omnialpha").lines == [str(home)]
        assert not home.exists() and sorted(repositories.rglob("*")) == before
        assert omnialpha("weights", "remove", "omnialpha").code == 4

    def test_a_place_without_weights_is_refused(self, omnialpha, hub, tmp_path):
        assert omnialpha("weights", "import", tmp_path / "nothing").code == 2
        assert "holds none of the folders" in omnialpha("weights", "import", tmp_path).err
