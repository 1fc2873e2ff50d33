# SPDX-License-Identifier: Apache-2.0
#
# make_images.py: write the images of test_images.c into images/, and what Pillow makes of them into
# expected_images.h: the bytes of Image.convert(mode).crop(box).resize(size, BILINEAR).
# Needs Pillow before 12: newer ones begin with the vertical pass where that is cheaper, which rounds
# differently by one here and there.
import pathlib
import random

from PIL import Image, __version__

here = pathlib.Path(__file__).parent
folder = here / "images"
random.seed(1)


def picture(mode, width, height):
    """Smooth with some noise, so that JPEG keeps it and rounding shows."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), tuple(
                min(255, max(0, int(128 + 90 * ((x * (c + 2) + y * (3 - c)) % 37 - 18) / 18)
                             + random.randrange(-9, 10))) for c in range(3)))
    return image.convert(mode)


def save(name, image, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


save("cat/rgb.png", picture("RGB", 23, 17))
save("cat/rgba.png", picture("RGBA", 9, 9))
save("cat/one_bit.png", picture("L", 16, 5).convert("1"))
save("dog/grey.jpg", picture("L", 31, 12), quality=90)
save("dog/palette.png", picture("RGB", 12, 20).quantize(16))
save("dog/progressive.jpeg", picture("RGB", 40, 33), quality=85, progressive=True, subsampling=0)
save("dog/tiny.PNG", picture("RGB", 1, 2))

files = sorted((p.relative_to(folder).as_posix() for p in folder.rglob("*.*")))


def cover(width, height, to_width, to_height):
    box_width = min(width, max(1, int(height * (to_width / to_height) + 0.5)))
    box_height = min(height, max(1, int(width / (to_width / to_height) + 0.5)))
    x, y = (width - box_width) // 2, (height - box_height) // 2
    return x, y, x + box_width, y + box_height


lines = ["/* SPDX-License-Identifier: Apache-2.0", " *",
         f" * expected_images.h: written by make_images.py with Pillow {__version__}: the images at 5 x 4"
         " and 20 x 30,", " * stretched, and at 7 x 7, the middle.", " */", "#ifndef TEST_EXPECTED_IMAGES_H",
         "#define TEST_EXPECTED_IMAGES_H", "", "#include <stdint.h>", "",
         "static const struct {", "  const char *file;",
         "  uint8_t rgb[5 * 4 * 3], grey[20 * 30], cover[7 * 7 * 3];", "} expected[] = {"]
for name in files:
    image = Image.open(folder / name)
    rgb = image.convert("RGB").resize((5, 4), Image.Resampling.BILINEAR)
    grey = image.convert("RGB").convert("L").resize((20, 30), Image.Resampling.BILINEAR)
    middle = image.convert("RGB").crop(cover(*image.size, 7, 7)).resize(
        (7, 7), Image.Resampling.BILINEAR)
    lines.append(f'    {{"{name}",')
    for part in (rgb, grey, middle):
        text = ",".join(str(byte) for byte in part.tobytes())
        cut = []
        while len(text) > 90:
            at = text.rfind(",", 0, 90) + 1
            cut.append(text[:at])
            text = text[at:]
        lines.append("     {" + "\n      ".join(cut + [text]) + "},")
    lines.append("    },")
lines += ["};", "", "#endif"]
(here / "expected_images.h").write_text("\n".join(lines) + "\n")
