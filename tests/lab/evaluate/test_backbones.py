"""Networks of others: found where they are, told how to get where they are not, and used as they are meant."""

import hashlib
import pickle
import shutil
import sys
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest
import torch
from published_weights import tokenizer
from torch import nn

from omnialpha_cli.lab.evaluate import backbones
from omnialpha_cli.lab.evaluate.backbones import LPIPS, Clip, Inception, lpips_network
from omnialpha_cli.lab.evaluate.sets import Sets
from omnialpha_cli.status import UsageError, WeightsError

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
PICTURE = RNG.random((40, 52, 3)).astype(np.float32)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Puts a state into torch's cache under a name as torch gives it, and returns the address that leads to it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)

    def put(state, name):
        torch.save(state, folder / "new")
        digest = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
        (folder / "new").rename(folder / f"{name}-{digest[:8]}.pth")
        return f"https://example.org/{name}-{digest[:8]}.pth"

    return put


@pytest.fixture
def packages(monkeypatch):
    """Stands in for the packages: their classes, as far as they are used here."""

    class Network(nn.Module):
        """Of `lpips`: a trunk cut into slices, in each the layers by their number in the whole."""

        def __init__(self, net, pnet_rand, verbose):
            super().__init__()
            assert net in ("alex", "vgg") and (pnet_rand, verbose) == (True, False)  # or it would download
            self.net = nn.Sequential()
            self.net.add_module("slice1", nn.Sequential())
            self.net.slice1.add_module("0", nn.Conv2d(3, 2, 1))

        def forward(self, a, b):
            return (self.net(a) - self.net(b)).abs().mean((1, 2, 3), keepdim=True)

    class Extractor(nn.Module):
        """Of `torch_fidelity`."""

        def __init__(self, name, features, path):
            super().__init__()
            assert features == ["2048"]
            self.load_state = torch.load(path)

        def forward(self, pixels):
            assert pixels.dtype == torch.uint8 and pixels.shape[1] == 3
            return (pixels.float().mean((2, 3)),)

    for name, parts in {
        "lpips": {"LPIPS": Network},
        "torch_fidelity": {"FeatureExtractorInceptionV3": Extractor},
    }.items():
        module = ModuleType(name)
        module.__dict__.update(parts)
        monkeypatch.setitem(sys.modules, name, module)


class TestMissing:
    @pytest.mark.parametrize(("load", "package"), [(LPIPS.load, "lpips"), (Inception.load, "torch_fidelity")])
    def test_a_package_is_named_with_what_brings_it(self, monkeypatch, load, package):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UsageError, match=r'pip install "omnialpha\[judge\]"'):
            load(CPU)

    @pytest.mark.parametrize("load", [LPIPS.load, Inception.load])
    def test_weights_are_named_with_their_address_and_not_fetched(self, packages, cache, load):
        with pytest.raises(WeightsError, match=r"curl -L --create-dirs -o .*checkpoints/.* https://"):
            load(CPU)

    @pytest.mark.slow
    def test_clip_is_named_with_the_command(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(WeightsError, match="hf download someone/some-clip"):
            Clip.load("someone/some-clip", CPU)

    def test_a_folder_without_clip_says_why(self, tmp_path):
        with pytest.raises(WeightsError, match="does not load"):
            Clip.load(str(tmp_path), CPU)


class TestFiles:
    def test_another_file_of_that_name_is_refused(self, cache, tmp_path):
        address = cache({"a": torch.zeros(2)}, "x")
        path = backbones.cached(address, "it")
        assert torch.equal(backbones.read_state(path)["a"], torch.zeros(2))
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(WeightsError, match="is damaged, or another file"):
            backbones.cached(address, "it")

    def test_code_in_a_file_is_not_run(self, tmp_path):
        class Harm:
            def __reduce__(self):
                return (tmp_path.joinpath("harmed").write_text, ("yes",))

        (tmp_path / "x.pth").write_bytes(pickle.dumps(Harm(), protocol=2))
        with pytest.raises(WeightsError, match="does not hold tensors alone"):
            backbones.read_state(tmp_path / "x.pth")
        assert not (tmp_path / "harmed").exists()


def test_lpips_takes_its_trunk_from_the_cache_and_pictures_in_its_own_range(packages, cache, monkeypatch):
    weight = torch.tensor([[1.0, 2, 3], [0, 0, 1]])[..., None, None]
    state = {"features.0.weight": weight, "features.0.bias": torch.zeros(2), "classifier.1.weight": torch.zeros(1)}
    monkeypatch.setitem(backbones.TRUNKS, "alex", cache(state, "alexnet"))
    distance = LPIPS.load(CPU)
    assert (distance.metric, distance(PICTURE, PICTURE)) == ("lpips", 0)
    darker = PICTURE - 0.25  # 0.5 in [−1, 1]: 6 and 1 times that in the two channels
    assert distance(PICTURE, darker) == pytest.approx((6 * 0.5 + 0.5) / 2, rel=1e-5)


def test_lpips_on_another_trunk_gives_gradients_to_the_pictures_alone(packages, cache, monkeypatch):
    state = {"features.0.weight": torch.ones(2, 3, 1, 1), "features.0.bias": torch.zeros(2)}
    monkeypatch.setitem(backbones.TRUNKS, "vgg", cache(state, "vgg16"))
    network, picture = lpips_network("vgg", CPU), torch.ones(2, 3, 8, 8, requires_grad=True)
    distance = network(picture, torch.zeros(2, 3, 8, 8))
    assert distance.shape == (2, 1, 1, 1)
    distance.sum().backward()
    assert picture.grad is not None and all(p.grad is None for p in network.parameters())


def test_inception_sees_eight_bits(packages, cache, monkeypatch):
    monkeypatch.setattr(backbones, "INCEPTION", cache({"a": torch.zeros(1)}, "inception"))
    network = Inception.load(CPU)
    features = network(np.stack((PICTURE, np.full_like(PICTURE, 2))))
    assert network.metric == "fid" and features.shape == (2, 3)
    assert np.allclose(features[0], np.round(PICTURE * 255).mean((0, 1)), atol=1e-3)
    assert np.allclose(features[1], 255)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = CLIPConfig(
        text_config={**small, "vocab_size": 300, "max_position_embeddings": 12, "eos_token_id": 258},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    folder = tmp_path_factory.mktemp("clip")
    CLIPModel(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.slow  # importing transformers takes seconds
class TestClip:
    @pytest.fixture
    def clip(self, clip_folder):
        return Clip.load(str(clip_folder), CPU)

    def test_the_score_is_that_of_the_networks_parts(self, clip):
        """Hessel et al.: 2.5 times the cosine of the two projections, nothing where it is negative."""
        pictures = np.stack((PICTURE, 1 - PICTURE, PICTURE[::-1]))
        network, ids = clip.network, torch.tensor(clip.tokenizer("a cat").input_ids)[None]
        with torch.inference_mode():
            pixels = clip.preprocess(torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2))
            image = network.vision_model(pixels).pooler_output @ network.visual_projection.weight.T
            text = network.text_model(ids).pooler_output @ network.text_projection.weight.T
        cosines = ((image @ text.T)[:, 0] / image.norm(dim=1) / text.norm()).numpy()
        assert clip(pictures, "a cat") == pytest.approx(np.mean(2.5 * cosines.clip(min=0)), rel=1e-5)
        one = [2.5 * max(float(cosine), 0) for cosine in cosines]
        assert [clip(picture[None], "a cat") for picture in pictures] == pytest.approx(one, rel=1e-5)

    def test_pictures_are_prepared_as_by_transformers(self, clip):
        from PIL import Image
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
        pixels = (PICTURE * 255).round().astype(np.uint8)
        theirs = CLIPImageProcessorPil(**size)(Image.fromarray(pixels), return_tensors="pt")["pixel_values"][0]
        (ours,) = clip.preprocess(torch.from_numpy(pixels / np.float32(255))[None].permute(0, 3, 1, 2))
        assert ours.shape == theirs.shape
        difference = (ours - theirs).abs()  # theirs is rounded to 8 bits and clipped between the two directions
        assert difference.mean() < 0.01 and difference.max() < 0.1

    def test_long_texts_are_cut(self, clip):
        assert np.isfinite(clip(PICTURE[None], "a cat " * 50))

    def test_a_narrow_picture_is_seen(self, clip):
        assert np.isfinite(clip(np.ones((1, 3, 90, 3), np.float32), "a line"))


def installed(name):
    """The package itself, where it is installed and loads; a torchvision for another torch lets neither load."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name}: {error}")


class TestThePackagesThemselves:
    """With random weights in files of the right form."""

    def test_lpips_is_what_the_package_gives_by_itself(self, cache, monkeypatch, tmp_path):
        lpips, alexnet = installed("lpips"), installed("torchvision.models").alexnet
        torch.manual_seed(0)
        address = cache(alexnet(weights=None).state_dict(), "alexnet-owt")
        monkeypatch.setitem(backbones.TRUNKS, "alex", address)
        folder = tmp_path / "hub" / "checkpoints"
        shutil.copy(folder / address.rpartition("/")[2], folder / "alexnet-owt-7be5be79.pth")
        theirs = lpips.LPIPS(net="alex", verbose=False)  # finds it in the cache
        pair = [torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1 for picture in (PICTURE, 1 - PICTURE)]
        with torch.inference_mode():
            expected = float(theirs(*pair))
        assert LPIPS.load(CPU)(PICTURE, 1 - PICTURE) == pytest.approx(expected, rel=1e-4)

    def test_fid_is_what_the_package_gives_by_itself(self, cache, monkeypatch, tmp_path):
        fidelity = installed("torch_fidelity")
        extractor = import_module("torch_fidelity.feature_extractor_inceptionv3")
        with monkeypatch.context() as patch:  # builds the network without weights
            patch.setattr(extractor, "load_state_dict_from_url", lambda *_, **__: {})
            patch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
            torch.manual_seed(0)
            state = fidelity.FeatureExtractorInceptionV3("random", ["2048"]).state_dict()
        address = cache(state, "inception")
        monkeypatch.setattr(backbones, "INCEPTION", address)
        pixels = [RNG.integers(0, high, (count, 48, 56, 3), np.uint8) for high, count in ((255, 7), (160, 6))]
        sets = Sets([Inception.load(CPU)])
        for add, pictures in zip((sets.add_found, sets.add_known), pixels, strict=True):
            for one in pictures:
                add(np.dstack((one / np.float32(255), np.ones(one.shape[:2], np.float32))))
        tensors = [list(torch.from_numpy(each).permute(0, 3, 1, 2).contiguous()) for each in pixels]
        theirs = fidelity.calculate_metrics(
            input1=Listed(tensors[0]), input2=Listed(tensors[1]), fid=True, cuda=False, verbose=False, cache=False,
            feature_extractor_weights_path=str(tmp_path / "hub" / "checkpoints" / address.rpartition("/")[2]),
        )  # fmt: skip
        assert sets.totals()["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)


class Listed(torch.utils.data.Dataset):
    def __init__(self, tensors):
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors)

    def __getitem__(self, i):
        return self.tensors[i]
