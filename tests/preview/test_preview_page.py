"""The page: streamed, self-contained, and working in a browser where one is installed."""

import tracemalloc

import numpy as np
import pytest
import torch
from browser import CHROMIUM, Browser

from omnialpha_cli.media.colour import SRGB
from omnialpha_cli.preview.look import Look, Small
from omnialpha_cli.preview.page import Page, Row, block_of


def picture(colour: tuple[float, float, float], alpha: float = 1, size=(300, 400)) -> Small:
    return Small(torch.tensor([*colour, alpha])[:, None, None].expand(4, *size).clone(), SRGB)


RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
MATTE = Look(picture(RED), (("foreground", picture(BLUE, 0.5)),))
LAYERS = Look(picture(RED), (("background", picture(GREEN)), ("foreground", picture(BLUE, 0.5))))
WORDS = Look(None, (("scene", picture(GREEN)),))


@pytest.fixture
def written(tmp_path):
    page = Page(tmp_path / "p.html")
    looks = {"matte.jpg": MATTE, "layers.jpg": LAYERS, "words": WORDS}
    rows = [Row("done", name, f"out/{name}", page.add(block_of(look))) for name, look in looks.items()]
    rows += [Row("skipped", "later.jpg", "out/later.png"), Row("failed", "<b>bad</b>.jpg", 'it is "broken"')]
    page.finish("a <title>", "1 failed", rows)
    return tmp_path / "p.html"


def test_nothing_is_left_of_one_that_was_not_finished(tmp_path):
    page = Page(tmp_path / "p.html")
    page.add(block_of(MATTE))
    page.close()
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_there_before_it_is_whole(tmp_path):
    (tmp_path / "p.html").write_text("the one before")
    page = Page(tmp_path / "p.html")
    page.add(block_of(MATTE))
    assert (tmp_path / "p.html").read_text() == "the one before"
    page.finish("t", "s", [])
    assert [path.name for path in tmp_path.iterdir()] == ["p.html"]
    page.close()
    assert "</script>" in (tmp_path / "p.html").read_text()


def test_memory_does_not_grow_with_the_pictures(tmp_path):
    noise = torch.from_numpy(np.random.default_rng(0).random((4, 200, 200), np.float32))
    page, look = Page(tmp_path / "p.html"), Look(None, (("foreground", Small(noise, SRGB)),))
    page.add(block_of(look))
    tracemalloc.start()
    for _ in range(40):
        page.add(block_of(look))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    page.finish("t", "s", [])
    assert (tmp_path / "p.html").stat().st_size > 20 * held


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
class TestInABrowser:
    @pytest.fixture
    def tab(self, written, tmp_path):
        profile = tmp_path / "profile"
        profile.mkdir()
        with Browser(profile) as browser:
            browser.open(written)
            yield browser
            assert browser.faults() == []
            assert browser.requests() == [written.resolve().as_uri()]

    @staticmethod
    def at(tab, across: float, down: float = 0.3) -> tuple[int, ...]:
        """The colour that is seen at a place of the stage, from 0 to 1."""
        import io

        from PIL import Image as PILImage

        tab.value("Promise.all([...document.querySelectorAll('#stage:not([hidden]) img[src]')].map(i => i.decode()))"
                  ".then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"
                  ".then(() => 1)")  # fmt: skip
        box = tab.value("document.querySelector('#stage').getBoundingClientRect().toJSON()")
        with PILImage.open(io.BytesIO(tab.screenshot())) as shot:
            return shot.convert("RGB").getpixel((box["x"] + box["width"] * across, box["y"] + box["height"] * down))

    @staticmethod
    def is_near(found, expected) -> bool:
        return all(abs(a - b) < 12 for a, b in zip(found, expected, strict=True))

    def test_the_slider_is_dragged(self, tab):
        assert self.is_near(self.at(tab, 0.3), (255, 0, 0)) and not self.is_near(self.at(tab, 0.7), (255, 0, 0))
        box = tab.value("document.querySelector('#stage').getBoundingClientRect().toJSON()")
        middle = box["y"] + box["height"] / 2
        tab.drag((box["x"] + box["width"] * 0.5, middle), (box["x"] + box["width"] * 0.9, middle))
        assert tab.value("document.querySelector('#stage').getAttribute('aria-valuenow')") == "90"
        assert self.is_near(self.at(tab, 0.7), (255, 0, 0))
        tab.drag((box["x"] + box["width"] * 0.9, middle), (box["x"] - 200, middle))  # beyond the edge
        assert tab.value("document.querySelector('#stage').getAttribute('aria-valuenow')") == "0"
        assert not self.is_near(self.at(tab, 0.1), (255, 0, 0))

    def test_arrows_slide_and_change_the_item(self, tab):
        tab.key("ArrowRight")
        assert tab.value("document.querySelector('#stage').getAttribute('aria-valuenow')") == "52"
        tab.key("Home")
        tab.key("ArrowDown")
        assert tab.value("document.querySelector('#items [aria-current] b').textContent") == "layers.jpg"
        assert self.is_near(self.at(tab, 0.7), (0, 128, 128))  # the composite
        tab.key("v")
        assert self.is_near(self.at(tab, 0.7), (0, 255, 0))  # the background

    def test_backgrounds_and_alpha(self, tab):
        for key, expected in (("2", (0, 0, 128)), ("3", (128, 128, 255)), ("5", (0, 88, 160)), ("a", (128, 128, 128))):
            tab.key(key)
            assert self.is_near(self.at(tab, 0.8), expected), key

    def test_without_a_before_all_of_it_is_seen(self, tab):
        tab.value("document.querySelectorAll('#items button')[3].click()")
        assert self.is_near(self.at(tab, 0.1), (0, 255, 0))

    def test_failures_come_first_and_say_why(self, tab):
        names = tab.value("[...document.querySelectorAll('#items b')].map(b => b.textContent)")
        assert names == ["<b>bad</b>.jpg", "matte.jpg", "layers.jpg", "words", "later.jpg"]
        tab.value("document.querySelectorAll('#items button')[0].click()")
        assert tab.value("document.querySelector('#stage').hidden")
        assert 'it is "broken"' in tab.value("document.querySelector('#message').textContent")
        assert tab.value("document.title") == "a <title>"
