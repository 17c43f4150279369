"""What is written is there as a whole, or not at all."""

import pytest

from omnialpha_cli.files import atomic


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.png"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), atomic(target) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".a.png.")
        assert temporary.name.endswith(".tmp")
        raise KeyboardInterrupt
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
