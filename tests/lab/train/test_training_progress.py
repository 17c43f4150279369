"""Following a training: lines on standard error, and a bar on a terminal alone."""

from omnialpha_cli.lab.train.progress import TrainingProgress


def test_away_from_a_terminal_there_are_lines_alone(capsys):
    with TrainingProgress(shown=False) as progress:
        progress.progress("sft-1", 1, 4)
        progress.say("sft-1 1/4 loss 0.5")
    assert capsys.readouterr().err == "sft-1 1/4 loss 0.5\n"


def test_a_terminal_has_a_bar_of_each_stage(capsys):
    with TrainingProgress(shown=True) as progress:
        for name, first, total in (("sft-1", 1, 4), ("sft-2", 5, 9)):  # the second was taken up at step 4
            for done in range(first, total + 1):
                progress.progress(name, done, total)
                progress.say(f"{name} at {done}")
    err = capsys.readouterr().err
    assert "sft-2 at 9" in err and "9/9" in err and "sft-2" in err.splitlines()[-1]
