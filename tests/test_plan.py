"""Inputs → items: what is found, where results go, and what is refused before any work."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnialpha_cli.hints import find_hints
from omnialpha_cli.inputs import Source, absolute, find_inputs, read_list
from omnialpha_cli.plan import plan
from omnialpha_cli.status import UsageError
from omnialpha_cli.tasks import TASKS

TASK = TASKS["matte.auto"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def found(*names: str, output: str = "out", **more) -> list[str]:
    return [str(source.path) for source in find_inputs(names, output=Path(output), **more).sources]


def outputs(*names: str, output: str = "out", template: str | None = None, **more) -> list[str]:
    sources = find_inputs(names, output=Path(output), **more).sources
    return [str(item.outputs[0]) for item in plan(sources, TASK, output=Path(output), template=template)]


def refusal(*names: str, **more) -> str:
    with pytest.raises(UsageError) as error:
        outputs(*names, **more)
    return str(error.value)


class TestFinding:
    def test_files_keep_their_order(self):
        touch("b.jpg", "a.jpg")
        assert found("b.jpg", "a.jpg") == ["b.jpg", "a.jpg"]

    def test_a_folder_gives_its_pictures_by_name_and_no_other_files(self):
        touch("p/b.JPG", "p/a.png", "p/notes.txt", "p/deep/c.jpg")
        assert found("p") == ["p/a.png", "p/b.JPG"]

    def test_recursive_walks_folders_too(self):
        touch("p/b.jpg", "p/deep/deeper/c.tif")
        assert found("p", recursive=True) == ["p/b.jpg", "p/deep/deeper/c.tif"]

    def test_a_quoted_glob_is_expanded(self):
        touch("p/a.jpg", "p/b.png", "p/.hidden.jpg", "q/c.jpg")
        assert found("p/*.jpg") == ["p/a.jpg"]
        assert found("**/*.jpg") == ["p/a.jpg", "q/c.jpg"]

    def test_a_glob_without_matches_is_remarked(self):
        assert find_inputs(["*.jpg"], output=Path("out")).remarks == ("no file matches *.jpg",)

    def test_a_file_whose_name_looks_like_a_glob_is_a_file(self):
        touch("a[1].jpg", "a1.jpg")
        assert found("a[1].jpg") == ["a[1].jpg"]

    def test_a_missing_file_becomes_a_failed_item(self):
        touch("a.jpg")
        sources = find_inputs(["a.jpg", "b.jpg"], output=Path("out")).sources
        errors = [item.error and item.error.code for item in plan(sources, TASK, output=Path("out"))]
        assert errors == [None, "missing"]

    def test_a_file_named_twice_is_taken_once(self):
        touch("p/a.jpg")
        assert found("p/a.jpg", "p", "./p/../p/*.jpg") == ["p/a.jpg"]

    def test_a_loop_of_links_ends(self):
        touch("p/a.jpg")
        Path("p/again").symlink_to("../p")
        assert found("p", recursive=True) == ["p/a.jpg"]

    def test_a_linked_folder_is_walked(self):
        touch("elsewhere/a.jpg", "p/b.jpg")
        Path("p/link").symlink_to("../elsewhere")
        assert found("p", recursive=True) == ["p/b.jpg", "p/link/a.jpg"]

    def test_listed_names_are_literal(self):
        touch("*.jpg", "b.jpg")
        assert found(listed=["*.jpg"]) == ["*.jpg"]

    def test_a_dash_is_no_picture(self):
        with pytest.raises(UsageError, match="--files-from -"):
            find_inputs(["-"], output=Path("out"))


class TestOutputsAreNotInputs:
    def test_a_walk_leaves_out_the_output_folder(self):
        touch("p/a.jpg", "p/out/a.png")
        assert found("p", output="p/out", recursive=True) == ["p/a.jpg"]

    def test_a_walk_leaves_out_output_folders_of_other_runs(self):
        touch("p/a.jpg", "p/earlier/b.png")
        Path("p/earlier/.omnialpha").mkdir()
        assert found("p", recursive=True) == ["p/a.jpg"]

    def test_an_output_folder_given_by_name_is_taken(self):
        touch("earlier/b.png")
        Path("earlier/.omnialpha").mkdir()
        assert found("earlier") == ["earlier/b.png"]

    def test_a_glob_leaves_out_the_output_folder(self):
        touch("a.png", "out/b.png")
        assert found("**/*.png") == ["a.png"]

    def test_listed_files_in_the_output_folder_are_left_out_with_a_remark(self):
        touch("a.png", "out/b.png")
        result = find_inputs(["a.png", "out/b.png"], output=Path("out"))
        assert [source.path.name for source in result.sources] == ["a.png"]
        assert "out/b.png is in the output folder" in result.remarks[0]

    def test_the_output_folder_as_an_input_is_left_out_with_a_remark(self):
        touch("p/a.jpg", "p/out/b.png")
        result = find_inputs(["p/a.jpg", "p/out"], output=Path("p/out"))
        assert [str(source.path) for source in result.sources] == ["p/a.jpg"]
        assert result.remarks == ("p/out is the output folder, and was left out",)

    def test_inputs_may_lie_below_the_output_folder(self):
        touch("p/a.jpg")
        assert outputs("p/*.jpg", output=".") == ["a.png"]
        assert outputs("p", output=".") == ["a.png"]


class TestNames:
    def test_paths_mirror_below_the_folder_given(self):
        touch("p/a.jpg", "p/deep/a.jpg")
        assert outputs("p", recursive=True) == ["out/a.png", "out/deep/a.png"]

    def test_paths_mirror_below_the_fixed_prefix_of_a_glob(self):
        touch("p/x/a.jpg", "p/y/a.jpg")
        assert outputs("p/*/*.jpg") == ["out/x/a.png", "out/y/a.png"]

    def test_listed_files_mirror_below_their_common_parent(self):
        touch("p/x/a.jpg", "p/y/a.jpg")
        assert outputs("p/x/a.jpg", "p/y/a.jpg") == ["out/x/a.png", "out/y/a.png"]
        assert outputs("p/x/a.jpg") == ["out/a.png"]

    def test_a_template_names_the_file_in_the_mirrored_folder(self):
        touch("p/x/a.jpg", "p/b.tif")
        template = "{index:03}_{parent}_{stem}_{ext}"
        assert outputs("p", recursive=True, template=template) == ["out/000_p_b_tif.png", "out/x/001_x_a_jpg.png"]
        assert outputs("p/b.tif", template="{name}.png") == ["out/b.tif.png"]

    @pytest.mark.parametrize("name", ["with space.jpg", "new\nline.jpg", "{stem}.jpg", "{0}.jpg", "a{.jpg", "ü.jpg"])
    def test_unusual_names_come_through(self, name):
        touch(name)
        assert outputs(listed=[name]) == [f"out/{name[:-4]}.png"]

    @pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
    def test_names_that_are_not_utf_8_come_through(self):
        name = os.fsdecode(b"caf\xe9.jpg")
        touch(name)
        assert os.fsencode(outputs(listed=[name])[0]) == b"out/caf\xe9.png"

    @given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name)))
    def test_a_nul_separated_list_gives_every_name_back(self, names):
        assert read_list(b"".join(name + b"\0" for name in names), nul=True) == [os.fsdecode(name) for name in names]

    def test_a_list_has_a_name_a_line(self):
        assert read_list(b"a.jpg\nb c.jpg\n\nd.jpg", nul=False) == ["a.jpg", "b c.jpg", "d.jpg"]
        assert read_list(b"a.jpg\r\nb c.jpg\r\n", nul=False) == ["a.jpg", "b c.jpg"]  # as Windows writes it


class TestRefusals:
    def test_two_extensions_clash_and_both_inputs_are_named(self):
        touch("p/a.jpg", "p/a.png")
        message = refusal("p")
        assert "p/a.jpg" in message and "p/a.png" in message and "--name" in message
        assert outputs("p", template="{stem}_{ext}") == ["out/a_jpg.png", "out/a_png.png"]

    def test_two_folders_with_the_same_name_clash(self):
        touch("p/a.jpg", "q/a.jpg")
        assert "p/a.jpg and q/a.jpg" in refusal("p", "q")

    def test_names_that_differ_in_case_only_clash(self):
        touch("p/a.jpg", "p/A.jpg")
        assert "p/A.jpg and p/a.jpg" in refusal("p")

    def test_an_output_over_an_input_is_refused(self):
        touch("a.png")
        assert "would overwrite the input a.png" in refusal("a.png", output=".")

    def test_an_output_over_the_file_that_an_input_leads_to_is_refused(self):
        touch("out/a.png")
        Path("in").mkdir()
        Path("in/a.png").symlink_to("../out/a.png")
        Path("linked").symlink_to("out")
        assert "would overwrite the input in/a.png" in refusal("in")
        assert "would overwrite the input in/a.png" in refusal("in", output="linked")
        touch("p/a.png")
        assert "would overwrite the input p/a.png" in refusal("p/a.png", output="elsewhere/../p")

    @pytest.mark.parametrize("template", ["../{stem}", "{stem}/../../x", "/tmp/{stem}"])
    def test_a_template_cannot_leave_the_output_folder(self, template):
        touch("p/a.jpg")
        assert "outside the output folder" in refusal("p", template=template)

    def test_a_link_cannot_lead_out_of_the_output_folder(self):
        touch("p/deep/a.jpg")
        Path("elsewhere").mkdir()
        Path("out").mkdir()
        Path("out/deep").symlink_to("../elsewhere")
        assert "outside the output folder" in refusal("p", recursive=True)

    @pytest.mark.parametrize("template", ["{nothing}", "{stem", "{}", "{stem.x}"])
    def test_a_wrong_template_is_refused(self, template):
        touch("p/a.jpg")
        assert "--name" in refusal("p", template=template)

    def test_the_output_cannot_be_a_file(self):
        touch("a.jpg", "out")
        assert "is a file" in refusal("a.jpg")

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
    def test_no_template_leads_outside(self, template):
        source = Source(Path("p/a.jpg"), Path("p"))
        try:
            (item,) = plan([source], TASK, output=Path("out"), template=template)
        except UsageError:
            return
        assert absolute(item.outputs[0]).is_relative_to(Path("out").absolute())
        assert absolute(item.outputs[0]) != Path("out").absolute()


LONG = "x" * 300 + ".png"


class TestNamesThatTheSystemRefuses:
    """They are failed items, with what is wrong with them; the others go on."""

    @pytest.mark.parametrize(
        ("name", "fault"), [(LONG, "too long"), ("a\0b.png", "NUL"), (f"{LONG}/a.png", "too long")]
    )  # fmt: skip
    @pytest.mark.parametrize("listed", [True, False])
    def test_in_a_list_and_on_the_command_line(self, name, fault, listed):
        touch("a.png")
        names = [name, "a.png"]
        sources = find_inputs([] if listed else names, names if listed else [], output=Path("out")).sources
        one, other = plan(sources, TASK, output=Path("out"))
        assert one.error and one.error.code == "missing"
        assert fault in str(one.error)
        assert other.error is None

    def test_as_a_hint(self):
        touch("a.png")
        sources = find_inputs(["a.png"], output=Path("out")).sources
        for place in (LONG, "a\0b.png"):
            with pytest.raises(UsageError, match="does not exist"):
                find_hints(place, "--mask", sources)
        (hint,) = find_hints("x" * 290 + "{stem}.png", "--mask", sources).values()
        assert "does not exist" in str(hint)


class TestWhatIsNoRegularFile:
    def test_a_fifo_with_the_name_of_a_picture_is_a_failed_item(self):
        touch("in/b.png")
        os.mkfifo("in/a.png")
        one, other = plan(find_inputs(["in"], output=Path("out")).sources, TASK, output=Path("out"))
        assert "not a regular file" in str(one.error)
        assert other.error is None

    def test_a_hint_that_is_a_fifo(self):
        touch("a.png")
        os.mkfifo("m.png")
        sources = find_inputs(["a.png"], output=Path("out")).sources
        hints = find_hints("m.png", "--mask", sources)
        (item,) = plan(sources, TASKS["matte.mask"], output=Path("out"), hints={"mask": hints})
        assert "m.png is not a regular file" in str(item.error)


class TestNamesOfTheToolsOwn:
    def test_temporary_files_are_no_inputs(self):
        touch("in/.omnialpha-0-of-1-00.png", "in/a.png")
        assert found("in") == found("in/*.png") == ["in/a.png"]
        (item,) = plan(find_inputs(["in/.omnialpha-0-of-1-00.png"], output=Path("out")).sources, TASK,
                       output=Path("out"), template="{frame}a")  # fmt: skip
        assert "names that begin with .omnialpha- are for temporary files" in str(item.error)

    @pytest.mark.parametrize("template", [".omnialpha-{stem}", ".omnialpha/{stem}", "a/.omnialpha/{stem}"])
    def test_no_result_is_called_so(self, template):
        touch("a.png")
        with pytest.raises(UsageError, match=r"\.omnialpha"):
            outputs("a.png", template=template)


def test_a_folder_that_cannot_be_read_is_left_out_and_reported(monkeypatch):
    touch("in/a.png", "in/closed/b.png")
    real = Path.iterdir

    def refuse(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    result = find_inputs(["in"], output=Path("out"), recursive=True)
    assert [str(source.path) for source in result.sources] == ["in/a.png"]
    assert "in/closed cannot be read, and was left out: Permission denied" in result.remarks[0]


@pytest.mark.parametrize("template", ["{index:0999999999}", "{stem:>999999999999999999999}", "{stem:{index}}"])
def test_templates_have_a_width(template):
    touch("a.png")
    with pytest.raises(UsageError, match="wider than 255"):
        outputs("a.png", template=template)


def test_an_empty_template_is_none():
    touch("a.png", "shot.0001.png")
    assert outputs("a.png", template="") == ["out/a.png"]
    assert outputs("shot.####.png", template="") == ["out/shot_matte.0001.png"]


def test_a_frame_number_has_a_width():
    assert found("shot.%0999999999d.png") == ["shot.%0999999999d.png"]  # a name like any other
