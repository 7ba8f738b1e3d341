"""Journey 2: from a folder of images of several sizes to a denoiser and its explorer."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.journeys.journey import explore, shell

USER = """
aejax train --data images --image-mode L --resize 16x16 --sizes 256 128 32 --corruption gaussian \
  --corruption-level 0.2 --epochs 60 --learning-rate 0.003 --out runs/denoiser
aejax reconstruct runs/denoiser noisy --out denoised
aejax reconstruct runs/denoiser noisy/7/1009.png --out one.png
aejax report runs/denoiser --out report.html
"""
SIZES = (16, 20, 33)
"""Heights and widths of the images."""


def write_image(path: Path, digit: np.ndarray, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray((digit * 255 / 16).astype(np.uint8))
    image.resize((size, size), Image.Resampling.BILINEAR).save(path)


def write_images(folder: Path) -> None:
    """Digits in a subfolder for each class; the last ones, of one size, without and with noise."""
    digits, rng = load_digits(), np.random.default_rng(0)
    names = [Path(str(digit), f"{row:04}.png") for row, digit in enumerate(digits.target[:1100])]
    for row, name in enumerate(names[:1000]):
        write_image(folder / "images" / name, digits.images[row], SIZES[row % 3])
    for row, name in enumerate(names[1000:], 1000):
        write_image(folder / "clean" / name, digits.images[row], 16)
        clean = pixels(folder / "clean" / name)
        noisy = np.clip(clean + rng.normal(0, 0.2 * 255, clean.shape), 0, 255).astype(np.uint8)
        (folder / "noisy" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy).save(folder / "noisy" / name)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), float)


def root_mean_square(folder: Path) -> float:
    """Difference between the images of a folder and the clean images of the same names."""
    clean = folder.parent / "clean"
    names = [path.relative_to(clean) for path in clean.rglob("*.png")]
    return float(np.sqrt(np.mean([(pixels(folder / n) - pixels(clean / n)) ** 2 for n in names])))


@pytest.mark.slow
def test_a_folder_of_images_to_a_denoiser(journey):
    folder = journey.folder
    write_images(folder)
    shell(journey, USER)
    noisy, denoised = (root_mean_square(folder / name) for name in ("noisy", "denoised"))
    assert denoised < 0.7 * noisy
    one = pixels(folder / "one.png")
    np.testing.assert_allclose(one, pixels(folder / "denoised" / "7" / "1009.png"), atol=1)
    assert "data:image" in (folder / "report.html").read_text(encoding="utf-8")
    page, description, example = explore(journey, "runs/denoiser")
    assert "<html" in page
    assert description["image"]
    assert description["shape"] == [16, 16, 1]
    assert example["label"] in map(str, range(10))
    assert np.isfinite(example["x_hat"]).all()
