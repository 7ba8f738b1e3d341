"""Bad input ends with exit code 2 and one or two lines: what is wrong and what to do."""

import json

import numpy as np
import pytest

from tests.cli.conftest import check, refused

SMALL = "--sizes 6 2 --batch-size 8 --epochs 1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Working directory with valid data and data of every kind that is refused."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).random((30, 6))
    holed, infinite = x.copy(), x.copy()
    holed[3, 2], infinite[7, 0] = np.nan, -np.inf
    arrays = {
        "small": x,
        "nan": holed,
        "infinite": infinite,
        "wide": 9 * x,
        "empty": x[:0],
        "row": x[0],
        "words": np.array([["a", "b"]] * 9),
        "images": x.reshape(30, 3, 2),
        "colours": x.reshape(30, 2, 1, 3),
        "eight": np.zeros((9, 8)),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    (tmp_path / "broken.npy").write_bytes((tmp_path / "small.npy").read_bytes()[:200])
    (tmp_path / "notes.npy").write_text("not an array")
    return tmp_path


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("nowhere.npy", "no file or folder nowhere.npy"),
        ("broken.npy", "broken.npy is not a readable .npy file"),
        ("notes.npy", "notes.npy is not a readable .npy file"),
        ("row.npy", "1 axes; expected | the batch axis first"),
        ("empty.npy", "0 examples"),
        ("words.npy", "words.npy | expected real numbers"),
        ("nan.npy", "NaN or infinity: 1 of | nan at index (3, 2)"),
        ("infinite.npy", "NaN or infinity: 1 of | -inf at index"),
    ],
)
@pytest.mark.parametrize("command", ["train", "verify"])
def test_unusable_data_are_refused(folder, aejax, command, data, words):
    check(aejax(command, "--data", data), words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("--sizes 6 0", "at least two layers of one feature or more | (6, 0)"),
        ("--sizes 6", "at least two layers"),
        ("--decoder-sizes 3 6", "from the code size 2 to the output size 6, got 3 6"),
        ("--decoder-sizes 2 4 6 --channels 2", "mirrors its encoder: remove --decoder-sizes"),
        ("--decoder-sizes 2 4 6 --tied", "a tied decoder mirrors its encoder"),
        ("--sizes 7 2", "the data have 6 features, but sizes start with 7 | --sizes 6 2"),
        ("--batch-size 31", "batch size must lie between 1 and the number of examples"),
        ("--batch-size 0", "batch-size must be at least 1, got 0"),
        ("--epochs 0", "epochs must be at least 1, got 0"),
        ("--validation 1", "validation must be a fraction in [0, 1), got 1.0"),
        ("--validation -0.1", "validation must be a fraction in [0, 1), got -0.1"),
        ("--validation 0.99", "x is empty"),
        ("--patience 3 --validation 0", "patience needs validation data"),
        ("--patience 0", "patience must be at least one epoch, got 0"),
        ("--learning-rate 0", "learning-rate must be above 0, got 0.0"),
        ("--learning-rate nan", "learning-rate must be above 0, got nan"),
        ("--clip 0", "clip must be above 0, got 0.0"),
        ("--seed -1", "seed must lie in [0, 2³²), got -1"),
        ("--seed 4294967296", "seed must lie in [0, 2³²), got 4294967296"),
        ("--corruption masking --corruption-level 1.5", "rate must lie in [0, 1], got 1.5"),
        ("--corruption gaussian --corruption-level -1", "sigma must | got -1"),
        ("--penalty.sparsity 1 --penalty.rho 1.5", "rho must | got 1.5"),
        ("--penalty.sparsity 1 --activation relu", "KL sparsity | --code-activation sigmoid"),
        ("--penalty.l2 -1", "weight of penalty l2 must be 0 or more, got -1.0"),
        ("--penalty.l1 inf", "weight of penalty l1"),
        ("--warm-up 1", "warm-up must be 0 or more, and shorter than the epochs, got 1.0"),
        ("--warm-up -1", "warm-up must be 0 or more, and shorter than the epochs, got -1.0"),
        ("--channels 4", "channels requires images | shape [6]"),
        ("--channels 0 --data images.npy", "channels must have at least one entry | (0,)"),
        ("--augmentation.shift 1", "augmentation requires images | shape [6]"),
        ("--augmentation.shift 1 --data colours.npy", "images of one channel, got 3"),
        ("--augmentation.shift -1 --data images.npy", "maximum shift must | got -1.0"),
        ("--keep 0", "keep must be at least 1, got 0"),
        ("--save-every 0", "save-every must be at least 1, got 0"),
        ("--checkpoint 3", "--resume"),
        (
            "--loss bernoulli --normalise standardise",
            "values outside [0, 1] | unit_range | squared error",
        ),
        ("--data wide.npy --loss bernoulli --normalise none", "values outside [0, 1]"),
        ("--data no_such_data", "no data set or file is called 'no_such_data' | Known: digits"),
        ("--data mnist --data-dir .", "'mnist' is not prepared | aejax data prepare mnist"),
    ],
)
def test_invalid_settings_leave_no_run_folder(folder, aejax, settings, words):
    check(aejax(f"train --data small.npy {SMALL} --out run", settings), words)
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "fit",
            "no command fit | train, sweep, plan, runs, compare, encode, reconstruct, score, "
            "explore, export, publish, push, pull, verify, report, data",
        ),
        ("fit", "Help: aejax --help"),
        ("trian", "no command trian; did you mean train?"),
        ("data lsit", "no command data lsit; did you mean list? | data list, data prepare"),
        ("train fit", "a factory must be 'module:function' | got 'fit'"),
        ("train --epoch 3", "unknown option --epoch; did you mean --epochs? | aejax train --help"),
        (
            "train --learning_rat=3",
            "unknown option --learning_rat; did you mean --learning-rate or ",
        ),
        ("train --x 1 --sed 2", "option --x; unknown option --sed; did you mean --seed?"),
        ("train --recipe tied --sed 2", "did you mean --seed? | aejax train --help"),
        ("encode a b --chekpoint 1", "did you mean --checkpoint? | aejax encode --help"),
        ("data list --dat-dir x", "did you mean --data-dir? | aejax data list --help"),
        ("train --loss sqared", "'sqared' | Did you mean squared or squared-tanh?"),
        (
            "verify --theorem optimal_los",
            "no theorem optimal_los; did you mean optimal_loss? There",
        ),
        ("--verison", "unknown option --verison"),
        ("train --epochs many", "--epochs | 'many'"),
        ("train --recipe soup", "'soup' | 'denoising' | 'thirty-numbers'"),
        ("train --recipe tied --resume --out nowhere", "--recipe cannot be combined"),
        ("train --recipe tied --from nowhere", "--recipe cannot be combined"),
        (
            "train --recipe tied --data small.npy --sizes 7 2",
            "the data have 6 features | --sizes 6 2",
        ),
        ("train --optimizer newton", "'newton' | 'adam' | 'sgd'"),
        ("encode runs/digits", "DATA"),
        ("verify --data small.npy --code 0", "code"),
        (
            "verify --data small.npy --theorem fermat",
            "no theorem fermat; there are course_conditions",
        ),
        (
            "encode small.npy small.npy",
            "small.npy is not a run: it contains neither configuration.json nor objective.json",
        ),
        ("report nowhere", "nowhere is not a run"),
        ("export nowhere", "nowhere is not a run"),
        ("train --resume --out nowhere", "nowhere is not a run"),
        ("data prepare digits", "needs no preparation"),
        ("data prepare mnist --data-dir d --manual-dir .", "lacks train-images-idx3-ubyte.gz"),
    ],
)
def test_invalid_command_lines_are_refused(folder, aejax, line, words):
    check(aejax(line), words)


def test_download_failure_suggests_manual_dir(folder, aejax, monkeypatch):
    import requests

    def fail(*_, **__):
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests.Session, "send", fail)
    outcome = aejax("data prepare mnist --data-dir data")
    check(outcome, "cannot download data set 'mnist' | aejax data prepare mnist --manual-dir DIR")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("small.npy", "the run was trained on examples of shape [8, 8], got [6]"),
        ("images.npy", "[8, 8], got [3, 2]"),
        ("eight.npy", "[8, 8], got [8]"),
        ("row.npy", "row.npy has shape (6,)"),
        ("nan.npy", "nan.npy has NaN or infinity: 1 of 180, first nan at index (3, 2)"),
        ("empty.npy", "empty.npy is empty"),
        ("broken.npy", "broken.npy is not a readable .npy file"),
        ("nowhere.npy", "nowhere.npy"),
    ],
)
@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_unsuitable_new_data_are_refused(folder, finished, aejax, command, data, words):
    check(aejax(command, finished, data, "--out made.npy"), words)
    assert not list(folder.glob("made.npy*"))


DIVERGING = (
    "train --data small.npy --sizes 6 2 --batch-size 8 --epochs 90 --out run --loss squared "
    "--optimizer sgd --activation identity --normalise unit-range --schedule constant "
    "--save-every 1"
)


@pytest.mark.parametrize(
    ("settings", "term", "good"),
    [
        ("--learning-rate 1e9", "reconstruction = ", "none"),
        ("--learning-rate 0.6 --validation 0", "reconstruction = ", "run/checkpoints/"),
        ("--learning-rate 0.6 --validation 0.2", "reconstruction = ", "run/checkpoints/"),
        # With one step per epoch, only the validation loss after the step is not finite.
        (
            "--learning-rate 1e9 --validation 0.2 --batch-size 19",
            "validation reconstruction = inf",
            "none",
        ),
    ],
)
def test_non_finite_loss_stops_the_run(folder, aejax, settings, term, good):
    complaint = refused(aejax(DIVERGING, settings))
    assert "not finite at step " in complaint
    assert term in complaint
    assert "lower --learning-rate, or clip the gradient, as with --clip 1" in complaint
    last = complaint.splitlines()[1].removeprefix("Last good checkpoint: ")
    assert good in last
    if "/" in last:
        about = json.loads((folder / last / "about.json").read_text())
        assert about["validation_loss"] is None or np.isfinite(about["validation_loss"])
        assert aejax("encode run small.npy --checkpoint", last.rpartition("/")[2]).code == 0
        assert np.isfinite(np.load(folder / "codes.npy")).all()


def test_debug_shows_traceback_and_message(folder, aejax):
    plain = aejax("verify --data nowhere.npy")
    debug = aejax("verify --debug --data nowhere.npy")
    assert debug.code == 2
    assert "Traceback (most recent call last)" in debug.err
    assert debug.err.endswith(plain.err)


def test_interrupt_message_says_how_to_resume(folder, aejax, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("aejax.training.fit", interrupt)
    outcome = aejax(f"train --data small.npy {SMALL} --out run")
    assert outcome == (130, "", outcome.err)
    assert "interrupted; resume with: aejax train --resume --out run" in outcome.err
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    said = outcome.err.partition("resume with: aejax ")[2]
    resumed = aejax(f"{said} --json")
    assert resumed.code == 0
    assert json.loads(resumed.out) == json.loads((folder / "run/metrics.json").read_text())
