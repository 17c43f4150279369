"""The page: self-contained, worst first, nothing in a name is taken for markup."""

from html.parser import HTMLParser

import numpy as np
from PIL import Image as PILImage

from omnialpha_cli.lab.evaluate.page import Column, Row, Table, write_page
from omnialpha_cli.media.inline import encode_jpeg

JPEG = encode_jpeg(np.full((6, 9, 3), (200, 40, 40), np.uint8))


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.names, self.images, self.scripts, self.open = [], [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.scripts += tag == "script"
        for name, value in attributes:
            if name in ("src", "href"):
                (self.images if value.startswith("data:image/jpeg;base64,") else self.links).append(value)
        if tag == "tr":
            self.first = True

    def handle_data(self, data):
        if self.open[-1:] == ["td"] and self.first:
            self.names.append(data)
            self.first = False


def page(tmp_path, columns, rows):
    path = tmp_path / "report.html"
    write_page(path, "A <title> & more", [Table(["", "mean"], [["MSE", "0.1"]])], columns, {"All": rows})
    return path.read_text(encoding="utf-8")


def test_thumbnails_are_jpegs(tmp_path):
    (tmp_path / "x.jpg").write_bytes(JPEG)
    with PILImage.open(tmp_path / "x.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (9, 6))
        assert np.abs(np.asarray(image, int)[3, 4] - (200, 40, 40)).max() < 12


def test_everything_is_within_the_page_and_the_worst_comes_first(tmp_path):
    rows = [Row("good", [0.1, 5], {"result": JPEG}), Row("bad", [0.9, None], {"result": JPEG, "truth": JPEG}),
            Row("unknown", [None, 1], {})]  # fmt: skip
    text = page(tmp_path, [Column("MSE"), Column("PSNR", 1, higher=True)], rows)
    read = Reader(text)
    assert read.names == ["MSE", "bad", "good", "unknown"]
    assert len(read.images) == 3
    assert read.links == []
    assert "5.0</td>" in text
    assert "nan" not in text.lower()


def test_where_more_is_better_the_least_comes_first(tmp_path):
    rows = [Row("good", [30.0], {}), Row("bad", [10.0], {})]
    assert Reader(page(tmp_path, [Column("PSNR", higher=True)], rows)).names == ["MSE", "bad", "good"]


def test_names_are_text(tmp_path):
    text = page(tmp_path, [Column("MSE")], [Row("<script>alert(1)</script>", [0.5], {'"x': JPEG})])
    assert Reader(text).scripts == 1  # the page's own
    assert "A &lt;title&gt; &amp; more" in text
