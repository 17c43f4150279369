"""The journal: nothing under a final name is partial, and whatever was made is known, wherever a run was killed."""

import errno
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from omnialpha_cli.batch.journal import Journal, Log, LostError
from omnialpha_cli.batch.resume import Fingerprint, Seal, choose, fingerprint, read_history
from omnialpha_cli.item import Item
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.status import ItemError, UsageError
from omnialpha_cli.tasks import TASKS

SETTINGS = Settings(format="png", steps=4, guidance=1.0, canvas=256)
WEIGHTS = "a" * 64


class Killed(Exception):
    """Stands for a kill -9: nothing after it happens."""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def item(tmp_path: Path, output: Path) -> Item:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"input")
    folder = output / "deep"
    return Item(
        TASKS["decompose.auto"], (source,), (folder / "a0.png", folder / "a1.png"), manifest=folder / "layers.json"
    )


def make(journal: Journal, item: Item, settings: Settings = SETTINGS, content: bytes = b"") -> None:
    """What the runner does for an item, with file contents that depend on its input."""
    made_from = fingerprint(item, settings, WEIGHTS)
    temporaries = [journal.temporary(path) for path in item.files]
    for i, temporary in enumerate(temporaries):
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(item.inputs[0].read_bytes() + content + bytes([i]))
    journal.commit(item, made_from, temporaries, {})


def chosen(item: Item, output: Path, settings: Settings = SETTINGS, weights: str = WEIGHTS, overwrite=False) -> str:
    """`todo`, `done`, `adopted`, or the text of a refusal."""
    try:
        choice = choose([item], read_history(output), output, settings, weights, overwrite)
    except UsageError as error:
        return str(error)
    return "adopted" if choice.adopted else "done" if choice.done else "todo"


def test_a_new_item_is_to_be_made(item, output):
    assert chosen(item, output) == "todo"


class TestMade:
    @pytest.fixture(autouse=True)
    def made(self, item, output):
        with Journal(output) as journal:
            make(journal, item)

    def test_the_outputs_are_in_place_and_nothing_else(self, output):
        assert sorted(path.name for path in (output / "deep").iterdir()) == ["a0.png", "a1.png", "layers.json"]

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_the_same_fingerprint_is_done_even_with_overwrite(self, item, output, overwrite):
        assert chosen(item, output, overwrite=overwrite) == "done"

    def test_a_touched_input_is_still_the_same(self, item, output):
        os.utime(item.inputs[0], (1, 1))
        assert chosen(item, output) == "done"

    def test_a_deleted_output_is_made_again(self, item, output):
        item.outputs[1].unlink()
        assert chosen(item, output) == "todo"

    def test_a_changed_input_is_made_again(self, item, output):
        item.inputs[0].write_bytes(b"INPUT")
        assert chosen(item, output) == "todo"

    def test_changed_settings_are_refused_and_named(self, item, output):
        settings = Settings(format="png", seed=7, steps=4, guidance=1.0, canvas=256)
        assert "made with seed 0 (now 7)" in chosen(item, output, settings)
        assert chosen(item, output, settings, overwrite=True) == "todo"

    def test_changed_weights_are_refused_and_named(self, item, output):
        assert "other weights (aaaaaaaa…, now bbbbbbbb…)" in chosen(item, output, weights="b" * 64)

    def test_an_edited_output_is_refused(self, item, output):
        item.outputs[0].write_bytes(b"retouched")
        assert "a0.png exists, and was changed since" in chosen(item, output)
        assert chosen(item, output, overwrite=True) == "todo"

    def test_an_output_beside_an_edited_one_does_not_hide_it(self, item, output):
        item.outputs[0].write_bytes(b"retouched")
        item.outputs[1].unlink()
        assert "was changed since" in chosen(item, output)

    def test_a_torn_last_line_is_ignored_and_does_not_spoil_the_next(self, item, output):
        journal_file = output / ".omnialpha" / "0-of-1.jsonl"
        with journal_file.open("ab") as file:
            file.write(b'{"event": "intent", "item": "x", "ti')
        assert chosen(item, output) == "done"
        item.inputs[0].write_bytes(b"INPUT")
        with Journal(output) as journal:
            make(journal, item)
        assert chosen(item, output) == "done"

    def test_journals_of_other_shards_count(self, item, output):
        (output / ".omnialpha" / "0-of-1.jsonl").rename(output / ".omnialpha" / "1-of-3.jsonl")
        assert chosen(item, output) == "done"

    def test_every_line_is_json_with_event_item_and_time(self, output):
        lines = (output / ".omnialpha" / "0-of-1.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        assert [(record["event"], record["item"]) for record in records] == [
            ("intent", "deep/a0.png"),
            ("done", "deep/a0.png"),
        ]
        assert all(record["time"] > 1e9 for record in records)


def test_a_foreign_file_is_refused(item, output):
    item.outputs[0].parent.mkdir(parents=True)
    item.outputs[0].write_bytes(b"somebody else's")
    assert "a0.png exists, and is not from this tool" in chosen(item, output)
    assert chosen(item, output, overwrite=True) == "todo"


class TestKilled:
    """At every step of a commit: before the intent, after it, between the renames, before the done line."""

    @pytest.fixture(params=["before the intent", "before the renames", "between the renames", "before done"])
    def killed(self, request, monkeypatch, item, output):
        def kill_at(step, call, owner, name):
            original = getattr(owner, name)
            seen = iter(range(10))

            def wrapped(*arguments, **more):
                if request.param == step and next(seen) == call:
                    raise Killed
                return original(*arguments, **more)

            monkeypatch.setattr(owner, name, wrapped)

        def kill():
            kill_at("before the intent", 0, Journal, "_append")
            kill_at("before the renames", 0, Path, "replace")
            kill_at("between the renames", 1, Path, "replace")
            kill_at("before done", 0, Journal, "done")
            with Journal(output) as journal, pytest.raises(Killed):
                make(journal, item, content=b"new")
            monkeypatch.undo()
            return request.param

        return kill

    def test_the_next_run_makes_it_or_adopts_it(self, killed, item, output):
        expected = "adopted" if killed() == "before done" else "todo"
        assert chosen(item, output) == expected

    def test_over_an_older_result_it_is_never_taken_for_edited(self, killed, item, output):
        with Journal(output) as journal:
            make(journal, item, content=b"old")
        item.inputs[0].write_bytes(b"INPUT")
        expected = "adopted" if killed() == "before done" else "todo"
        assert chosen(item, output) == expected

    def test_adoption_is_written_down(self, killed, item, output):
        if killed() != "before done":
            return
        choice = choose([item], read_history(output), output, SETTINGS, WEIGHTS, False)
        with Journal(output) as journal:
            for adopted, entry in choice.adopted:
                journal.done(adopted, {name: seal.sha256 for name, seal in entry.outputs.items()})
        assert chosen(item, output) == "done"

    def test_leftovers_are_removed_and_nothing_else(self, killed, item, output):
        killed()
        (output / "deep" / ".mine").write_bytes(b"x")
        (output / "deep" / ".omnialpha-1-of-2-0.png").write_bytes(b"of another shard")
        with Journal(output) as journal:
            journal.remove_leftovers({output / "deep"})
        hidden = [path.name for path in (output / "deep").glob(".*")]
        assert sorted(hidden) == [".mine", ".omnialpha-1-of-2-0.png"]


def test_one_writer_at_a_time(output):
    with Journal(output), pytest.raises(UsageError, match="another run is writing"):
        Journal(output)
    Journal(output).__exit__()


def test_one_that_could_not_be_opened_is_not_held(output, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="No space left"):
            Journal(output)
    with Journal(output):
        pass


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot write to the output folder"):
        Journal(tmp_path / "file" / "out")


def test_a_rename_that_fails_is_a_failed_item(item, output):
    with Journal(output) as journal:
        (output / "deep" / "a0.png" / "in the way").mkdir(parents=True)
        with pytest.raises(ItemError, match=r"a0.png cannot be written") as error:
            make(journal, item)
    assert error.value.code == "write"


def test_a_fingerprint_holds_the_bytes_of_all_inputs(tmp_path, output):
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_bytes(path.name.encode())
    item = Item(TASKS["matte.mask"], tuple(paths), (output / "a.png",))
    recorded = SETTINGS.for_item(item).recorded()
    assert fingerprint(item, SETTINGS, WEIGHTS) == Fingerprint(
        tuple(map(Seal.of, paths)), "matte.mask", recorded, WEIGHTS
    )


INTENT = (
    '{"event":"intent","item":"a.png","time":1,"inputs":[{"sha256":"0","size":1,"mtime_ns":1,"ctime_ns":1%s}],'
    '"task":"matte.auto","settings":{},"weights":"0","outputs":{}}'
)


class TestWhatElseLiesInTheFolderOfJournals:
    """Nothing there is a reason to fail, or to wait; it is ignored with one remark a file."""

    @pytest.fixture
    def folder(self, item, output):
        with Journal(output) as journal:
            make(journal, item)
        return output / ".omnialpha"

    def remarks(self, item, output) -> list[str]:
        remarks: list[str] = []
        history = read_history(output, remarks)
        assert choose([item], history, output, SETTINGS, WEIGHTS, False).done[0][0] == item
        return remarks

    @pytest.mark.parametrize(
        "line",
        ["5", "null", "[]", '"x"', "{}", '{"event":"intent","item":"a.png","time":1}', "[" * 100_000 + "]" * 100_000,
         '{"event":"done","item":"a.png","time":"yesterday","outputs":{}}', '{"event":"gone","item":"a","time":1}',
         '{"event":"done","item":"a.png","time":1,"outputs":[]}', '{"event":"done","item":[],"time":1,"outputs":5}',
         '{"event":"done","item":"deep/a0.png","time":1,"outputs":{"deep/a0.png":5}}', "9" * 5000, "\xff",
         '{"event":"done","item":"a.png","time":1%s,"outputs":{}}' % ("0" * 400), INTENT % ',"ino":5',
         INTENT.replace("{},", "5,") % "", INTENT.replace('"outputs":{}', '"outputs":5') % ""],
    )  # fmt: skip
    def test_lines_of_another_kind(self, folder, item, output, line):
        (folder / "2-of-3.jsonl").write_text(f"{line}\n{line}\n", "latin-1")
        (remark,) = self.remarks(item, output)
        assert "2-of-3.jsonl: 2 lines of it are not of this tool's journal, and ignored" in remark

    def test_a_folder(self, folder, item, output):
        (folder / "x.jsonl").mkdir()
        assert ["x.jsonl" in remark for remark in self.remarks(item, output)] == [True]

    def test_a_fifo(self, folder, item, output):
        os.mkfifo(folder / "x.jsonl")
        assert ["x.jsonl" in remark for remark in self.remarks(item, output)] == [True]

    def test_a_link(self, folder, item, output, tmp_path):
        (folder / "0-of-1.jsonl").rename(tmp_path / "elsewhere")
        (folder / "0-of-1.jsonl").symlink_to(tmp_path / "elsewhere")
        remarks: list[str] = []
        assert read_history(output, remarks) == {}
        assert len(remarks) == 1
        before = (tmp_path / "elsewhere").read_bytes()
        with pytest.raises(UsageError, match="link"):
            Journal(output)
        assert (tmp_path / "elsewhere").read_bytes() == before

    def test_a_fifo_in_the_place_of_the_journal(self, folder, output):
        (folder / "0-of-1.jsonl").unlink()
        os.mkfifo(folder / "0-of-1.jsonl")
        with pytest.raises(UsageError, match="not a regular file"):
            Journal(output)

    def test_a_folder_of_journals_that_is_a_link(self, folder, output, tmp_path):
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
        for use in (read_history, Journal):
            with pytest.raises(UsageError, match="is a link"):
                use(output)


class TestTakenAwayWhileItIsOpen:
    """A journal that is removed in mid-run is made again with all that was in it."""

    @pytest.mark.parametrize("what", ["file", "folder"])
    @pytest.mark.parametrize("moment", ["before the last item", "after it"])
    def test_nothing_is_forgotten(self, tmp_path, output, what, moment):
        items = []
        for name in "abc":
            (tmp_path / f"{name}.jpg").write_bytes(name.encode())
            items.append(Item(TASKS["matte.auto"], (tmp_path / f"{name}.jpg",), (output / f"{name}.png",)))
        with Journal(output) as journal:
            make(journal, items[0])
        with Journal(output) as journal:
            make(journal, items[1])
            if moment == "after it":
                make(journal, items[2])
            target = output / ".omnialpha"
            shutil.rmtree(target) if what == "folder" else (target / "0-of-1.jsonl").unlink()
            if moment != "after it":
                make(journal, items[2])
        assert [chosen(item, output) for item in items] == ["done"] * 3

    def test_one_that_is_cut_off_ends_the_run(self, item, output):
        with Journal(output) as journal:
            make(journal, item)
            os.truncate(output / ".omnialpha" / "0-of-1.jsonl", 10)
            with pytest.raises(LostError, match="was cut off"):
                make(journal, item)


def test_a_line_that_did_not_fit_leaves_nothing_of_itself(tmp_path, monkeypatch):
    log = Log(tmp_path / "x" / "log")
    log.append(b"one\n", sync=False)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:2]) if len(data) > 2 else full())
    with pytest.raises(OSError, match="No space left"):
        log.append(b"two\n", sync=True)
    monkeypatch.undo()
    log.append(b"three\n", sync=True)
    log.close()
    assert (tmp_path / "x" / "log").read_bytes() == b"one\nthree\n"


class TestTemporaryFiles:
    def test_their_names_cannot_be_foreseen(self, output):
        with Journal(output) as journal:
            made = {journal.temporary(output / "deep" / "a.png") for _ in range(3)}
        assert len(made) == 3
        assert all(path.stat().st_size == 0 and path.suffix == ".png" for path in made)

    def test_only_files_of_their_form_are_left_over(self, output):
        others = ["omnialpha-0-of-1-0.png", ".omnialpha-0-of-1-notes.png", ".omnialpha-0-of-12-0.png"]
        folder, link = output / ".omnialpha-0-of-1-0.png", output / ".omnialpha-0-of-1-1.png"
        with Journal(output) as journal:
            for name in others:
                (output / name).touch()
            folder.mkdir()
            link.symlink_to(output / others[0])
            mine = [journal.temporary(output / "a.png"), output / ".omnialpha-0-of-1.worker-3-0f.exr"]
            mine[1].touch()
            journal.remove_leftovers({output})
        assert not any(path.exists() for path in mine)
        assert all((output / name).exists() for name in others)
        assert folder.is_dir()
        assert link.is_symlink()


@pytest.mark.parametrize("others", ["folder", "fifo", "socket"])
def test_only_a_file_is_replaced(item, output, others):
    with Journal(output) as journal:
        place = output / "deep" / "a0.png"
        place.parent.mkdir(parents=True)
        if others == "folder":
            place.mkdir()
        elif others == "fifo":
            os.mkfifo(place)
        else:
            socket.socket(socket.AF_UNIX).bind(str(place))
        with pytest.raises(ItemError, match=r"a0\.png cannot be written: what is there is not a regular file"):
            make(journal, item)
        assert place.exists()


def test_a_fifo_in_the_place_of_an_input_is_never_waited_for(item, output):
    with Journal(output) as journal:
        make(journal, item)
    item.inputs[0].unlink()
    os.mkfifo(item.inputs[0])
    assert chosen(item, output) == "todo"
    with pytest.raises(OSError, match="not a regular file"):
        fingerprint(item, SETTINGS, WEIGHTS)


class TestSeveralRunsOfOneFolder:
    def test_shares_of_one_division_go_side_by_side(self, output):
        with Journal(output, "0-of-2"), Journal(output, "1-of-2"), Journal.of_worker(output, "1-of-2"):
            pass

    def test_shares_of_two_divisions_would_make_the_same(self, output):
        with Journal(output, "1-of-3"), pytest.raises(UsageError, match="--shard 1/3, which shares results"):
            Journal(output, "0-of-2")
        with Journal(output, "0-of-2"):
            pass
