"""The README's pictures, out of the browser suite's screenshots: ``make pictures`` takes both anew."""

from pathlib import Path

from PIL import Image

from tests.browser.conftest import ROOT, SCREENSHOTS

SHOWN = {"explore.png": ("explore-wide-light.png", 830), "compare.png": ("compare-wide-light.png", 915)}
"""Files in ``docs/``, each with the screenshot that it is the upper part of, and how many of its rows."""

MOST_BYTES = 200_000


def make(screenshots: Path, docs: Path) -> list[Path]:
    """Write the README's pictures, in 256 colours so that they stay small, and return their places."""
    made = []
    for name, (screenshot, rows) in SHOWN.items():
        with Image.open(screenshots / screenshot) as taken:
            picture = taken.convert("RGB").crop((0, 0, taken.width, min(rows, taken.height)))
        picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(docs / name, optimize=True)
        made.append(docs / name)
    return made


if __name__ == "__main__":
    for place in make(SCREENSHOTS, ROOT / "docs"):
        print(f"{place.relative_to(ROOT)}: {place.stat().st_size:,} bytes")
