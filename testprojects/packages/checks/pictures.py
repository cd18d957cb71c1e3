"""pillow, matplotlib."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

from checks.registry import check, equal, in_threads, native, raises, true


@check("pillow")
def use_pillow() -> str:
    import matplotlib
    from PIL import (
        Image,
        ImageCms,
        ImageDraw,
        ImageFilter,
        ImageFont,
        _imaging,
        _imagingft,
        features,
    )

    native(_imaging, _imagingft)
    picture = Image.radial_gradient("L").convert("RGB").resize((200, 120), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 90, 90), fill="red", outline="white", width=3)
    # FreeType opens the file itself, from C: a font of another package.
    font_file = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font = ImageFont.truetype(str(font_file), 24)
    equal(font.getname(), ("DejaVu Sans", "Book"))
    draw.text((10, 90), "Grüße", font=font, fill="yellow")
    draw.text((100, 5), "built in", font=ImageFont.load_default(16))
    true(draw.textlength("WW", font=font) > draw.textlength("ii", font=font), "W is wide")
    lossless = {"PNG", "TIFF", "BMP", "GIF"}
    formats = ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000"]
    formats += ["AVIF"] if features.check("avif") else []
    for kind in formats:
        stream = io.BytesIO()
        source = picture.quantize(64).convert("RGB") if kind == "GIF" else picture
        source.save(stream, kind)
        read = Image.open(io.BytesIO(stream.getvalue()))
        read.load()
        equal((read.format, read.size), (kind, (200, 120)))
        if kind in lossless:
            equal(read.convert("RGB").tobytes(), source.tobytes())
        if kind == "PNG":
            with raises(OSError, "truncated"):
                Image.open(io.BytesIO(stream.getvalue()[:500])).load()
    with raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
    profile = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), profile, outputMode="LAB"
    )
    equal(converted.mode, "LAB")
    blurred = in_threads(lambda _: picture.filter(ImageFilter.GaussianBlur(3)).tobytes())
    true(all(one == blurred[0] for one in blurred), "threads blur alike")
    versions = [features.version(name) for name in ("libjpeg_turbo", "freetype2", "webp")]
    return "libjpeg-turbo {}, FreeType {}, libwebp {}".format(*versions)


@check("matplotlib")
def use_matplotlib() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import contourpy  # pants: no-infer-dep
    import fontTools.ttLib  # pants: no-infer-dep
    import kiwisolver  # pants: no-infer-dep
    import numpy as np
    from fontTools.misc import bezierTools  # pants: no-infer-dep
    from matplotlib import _path, font_manager, ft2font, pyplot
    from matplotlib.backends import _backend_agg

    native(_path, ft2font, _backend_agg, contourpy._contourpy, kiwisolver._cext, bezierTools)
    # Styles and fonts are data files beside the modules; the fonts are opened by FreeType.
    with pyplot.style.context("ggplot"):
        figure, axes = pyplot.subplots(2, 2, figsize=(6, 4), layout="constrained")
    days = [datetime.date(2025, 1, day) for day in range(1, 29)]
    axes[0, 0].plot(days, np.sin(np.arange(28)), label=r"$\sqrt{\alpha_i^2} \int_0^1 x$")
    axes[0, 0].legend()
    axes[0, 0].set_title("Grüße", font="DejaVu Serif")
    x, y = np.meshgrid(np.linspace(-2, 2, 50), np.linspace(-2, 2, 50))
    axes[0, 1].contourf(x, y, np.exp(-x * x - y * y), cmap="viridis")
    axes[1, 0].imshow(np.eye(10))
    axes[1, 1].hist(np.random.default_rng(7).standard_normal(1000), bins=20)
    pictures = {}
    for kind in ("png", "pdf", "svg"):
        stream = io.BytesIO()
        figure.savefig(stream, format=kind)
        pictures[kind] = stream.getvalue()
    equal(pictures["png"][:8], b"\x89PNG\r\n\x1a\n")
    true(b"DejaVuSans" in pictures["pdf"], "the font's glyphs stand in the PDF")
    true(b"</svg>" in pictures["svg"], "SVG")
    drawn = pyplot.imread(io.BytesIO(pictures["png"]))
    equal(drawn.shape, (400, 600, 4))
    true(len(np.unique(drawn.reshape(-1, 4), axis=0)) > 300, "it has many colours")
    file = font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    true(file.startswith(matplotlib.get_data_path()), f"the font is matplotlib's own: {file}")
    with raises(ValueError, "failed to find font"):
        font_manager.findfont("No Such Font", fallback_to_default=False)
    equal(fontTools.ttLib.TTFont(file)["name"].getDebugName(1), "DejaVu Sans")
    pyplot.close(figure)
