"""Tests of image files: which are decoded and when, and the errors for those that cannot be."""

from __future__ import annotations

import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

import catalase as ct
from catalase.data import DiskDataset, ImageDataset, ImageLoader
from catalase.data.lazy_columns import prefetch


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path, rng):
    """Seven gray pictures of 6 x 5 in three formats, JPEG among them for its name alone (it is lossy)."""
    arrays = rng.integers(0, 256, (7, 6, 5), np.uint8)
    names = ["a.png", "b.tif", "c.PNG", "d.tiff", "sub/e.png", "sub/f.png", "sub/g.png"]
    for name, array in zip(names, arrays, strict=True):
        save(tmp_path / "images" / name, array)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path / "images", arrays


def test_a_folder_in_order(folder):
    path, arrays = folder
    data = ImageLoader().create_dataset((path, np.arange(7)))
    assert data.get_shape() == ((7, 6, 5, 1), (7,), (7,), (7,)) and data.X.dtype == np.uint8
    assert np.array_equal(np.asarray(data.X)[..., 0], arrays) and data.ids[0].endswith("a.png")
    assert np.array_equal(data.X[[5, 1]][..., 0], arrays[[5, 1]]) and np.array_equal(data.X[-1][..., 0], arrays[6])
    assert np.array_equal(data.X[1:6:2, 2:4], arrays[1:6:2, 2:4, :, None]) and data.X[np.arange(7) < 2].shape[0] == 2
    assert (data.X + 0).shape == data.X.shape and [x.shape for x in data.X] == [(6, 5, 1)] * 7
    with pytest.raises(IndexError, match="row 7 of a column of 7 rows"):
        data.X[7]
    reverse = ImageLoader(sorter=lambda files: sorted(files, reverse=True)).create_dataset(path)
    assert np.array_equal(reverse.X[0][..., 0], arrays[6])


def test_batches_are_those_of_an_array(folder):
    path, arrays = folder
    data = ImageLoader().create_dataset((path, np.arange(7)))
    plain = ct.data.NumpyDataset(arrays[..., None], np.arange(7), ids=data.ids)
    for walk in ({"seed": 3}, {"deterministic": True}, {"seed": 1, "epochs": 2, "pad_batches": True}):
        pairs = list(zip(data.iterbatches(3, **walk), plain.iterbatches(3, **walk), strict=True))
        assert len(pairs) == 3 * walk.get("epochs", 1)
        for one, two in pairs:
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    part = data.select([4, 2])
    assert isinstance(part, ImageDataset) and np.array_equal(part.X[:][..., 0], arrays[[4, 2]])
    train, test = ct.splits.RandomSplitter().train_test_split(data, frac_train=0.5, seed=0)
    assert len(train) + len(test) == 7 and isinstance(train, ImageDataset)


def test_colour_gray_and_more_bits(tmp_path, rng):
    colour = rng.integers(0, 256, (4, 4, 3), np.uint8)
    files = [save(tmp_path / "a.png", colour), save(tmp_path / "b.png", colour[..., 0])]
    data = ImageDataset(files)
    assert np.array_equal(data.X[0], colour) and np.array_equal(data.X[1], np.repeat(colour[..., :1], 3, axis=2))
    assert ImageDataset(files, mode="L").X[1].shape == (4, 4, 1)
    deep = rng.integers(0, 65536, (4, 4), np.uint16)
    mixed = [save(tmp_path / "deep.png", deep), save(tmp_path / "deep.tif", deep), files[1]]
    with pytest.raises(ValueError, match=r"b\.png has 8 bits a value .* unlike the first image; give mode='F'"):
        ImageDataset(mixed).X[2]
    data = ImageDataset(mixed, mode="F")
    assert data.X.dtype == np.float32 and np.array_equal(data.X[:2][..., 0], [deep, deep])
    assert np.array_equal(data.X[2][..., 0], colour[..., 0])
    with pytest.raises(ValueError, match=r"deep\.png holds more than 8 bits .*'F' or None"):
        ImageDataset([tmp_path / "deep.png"], mode="L")
    with pytest.raises(ValueError, match=r"deep\.png holds more than 8 bits a value .*unlike the first"):
        ImageDataset([files[1], tmp_path / "deep.png"]).X[1]
    save(tmp_path / "c.jpg", np.full((4, 4, 3), 200, np.uint8), quality=95)
    assert np.abs(ImageDataset([tmp_path / "c.jpg"]).X[0].astype(int) - 200).max() < 4


def test_masks(tmp_path, rng):
    images = [save(tmp_path / f"i{i}.png", rng.integers(0, 256, (8, 8), np.uint8)) for i in range(3)]
    labels = rng.integers(0, 3, (3, 8, 8), np.uint8)
    masks = [save(tmp_path / "m" / f"{i}.png", m) for i, m in enumerate(labels)]
    data = ImageDataset(images, masks)
    assert data.y.shape == (3, 8, 8) and np.array_equal(np.asarray(data.y), labels) and data.w.shape == (3,)
    same = ImageLoader().create_dataset((images, tmp_path / "m"))
    (_, y, _, _), *_ = same.iterbatches(3, deterministic=True)
    assert np.array_equal(y, labels)
    small = ImageDataset(images, masks, size=(4, 4))
    assert small.X[0].shape == (4, 4, 1) and set(np.unique(small.y[0])) <= {0, 1, 2}
    train = ct.data.AugmentedDataset(data, ct.data.Augment(flip_vertical=1.0), masks=True)
    (X, y, _, ids), *_ = train.iterbatches(3, seed=0)
    order = [data.ids.tolist().index(i) for i in ids]
    assert np.array_equal(y, labels[order][:, ::-1]) and X.dtype == np.float32
    with pytest.raises(ValueError, match="3 images but 2 masks"):
        ImageDataset(images, masks[:2])
    rgb = save(tmp_path / "rgb.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="mask of mode 'RGB'"):
        ImageDataset(images[:1], [rgb])
    with pytest.raises(ValueError, match=r"images are \(8, 8\) but masks \(2, 2\)"):
        ImageDataset(images[:1], [save(tmp_path / "s.png", np.zeros((2, 2), np.uint8))])


@pytest.fixture
def broken(tmp_path, rng):
    """Good, cut short, no image, good, of another size."""
    good = rng.integers(0, 256, (40, 40), np.uint8)
    files = [save(tmp_path / f"{i}.{e}", good) for i, e in enumerate(["png", "png", "jpg", "png", "png"])]
    files[1].write_bytes(files[1].read_bytes()[:-700])
    files[2].write_bytes(b"GIF? no")
    save(files[4], good[:20])
    return files, good


def test_broken_files_are_errors_when_they_are_needed(broken):
    files, good = broken
    data = ImageLoader().create_dataset(files)
    assert np.array_equal(data.X[0][..., 0], good)
    for row, words in (
        (1, r"1\.png is damaged or cut short"),
        (2, r"2\.jpg is not an image"),
        (4, r"4\.png is 20 x 40 where 40 x 40 were needed .*size="),
    ):
        with pytest.raises(ValueError, match=words):
            data.X[row]
    with pytest.raises(ValueError, match="cut short"):
        list(data.iterbatches(2, deterministic=True))
    assert ImageLoader(size=(10, 12)).create_dataset([files[0], files[4]]).X[:].shape == (2, 10, 12, 1)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@pytest.mark.parametrize(
    ("ending", "options"),
    [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"}), ("jpg", {}), ("bmp", {}), ("gif", {})],
    ids=str,
)
def test_a_file_cut_anywhere_is_one_error_that_names_it(tmp_path, rng, ending, options):
    """Or the whole picture, where only bytes after the last pixel are missing."""
    path = save(tmp_path / f"whole.{ending}", rng.integers(0, 256, (20, 20, 3), np.uint8), **options)
    data, whole = path.read_bytes(), ImageDataset([path], mode="RGB").X[0]
    cut = tmp_path / f"cut.{ending}"
    for length in [0, 1, 2, 8, 30, *range(40, len(data), len(data) // 15), len(data) - 1]:
        cut.write_bytes(data[:length])
        try:
            read = ImageDataset([cut], mode="RGB").X[0]
        except ValueError as error:
            assert f"images: {cut} is " in str(error) and ("damaged" in str(error) or "no image" in str(error))
        else:
            assert length > len(data) - 20 and np.array_equal(read, whole)


@pytest.mark.parametrize("first", [0, 1])
def test_mask_and_drop(broken, first, tmp_path):
    files, good = broken
    files = files[first:]
    with pytest.warns(UserWarning, match=f"3 of {len(files)} images were left out"):
        dropped = ImageLoader().create_dataset((files, np.arange(len(files))), errors="drop")
    assert len(dropped) == 2 - first and dropped.y[-1] == 3 - first and dropped.report.kept == len(dropped)
    assert [f.position for f in dropped.report.failures] == [1 - first, 2 - first, 4 - first]
    masked = ImageLoader().create_dataset((files, np.arange(len(files))), errors="mask")
    assert masked.w.tolist() == [1.0, 0, 0, 1, 0][first:] and not masked.X[1 - first].any()
    assert np.array_equal(masked.X[3 - first][..., 0], good) and len(masked.report.failures) == 3
    assert masked.select([2 - first, len(files) - 1]).X[0].max() == 0
    disk = ImageLoader().create_dataset((files, np.arange(len(files))), tmp_path / "d", shard_size=2, errors="mask")
    assert isinstance(disk, DiskDataset) and np.array_equal(np.asarray(disk.X), masked.X[:])
    assert disk.w.tolist() == masked.w.tolist() and len(disk.report.failures) == 3


def test_what_is_refused(tmp_path, broken):
    files, _ = broken
    with pytest.raises(ValueError, match=r"none of the 2 files can be read; the first: .*cut short"):
        ImageLoader().create_dataset(files[1:3], errors="drop")
    (tmp_path / "empty").mkdir()
    for inputs, words in (
        (tmp_path / "none", "no file or folder"),
        (tmp_path / "empty", r"has no \.png"),
        ([], "empty"),
    ):
        with pytest.raises(FileNotFoundError, match=words):
            ImageLoader().create_dataset(inputs)
    with pytest.raises(TypeError, match="ImageLoader takes folders"):
        ImageDataset("folder")
    with pytest.raises(ValueError, match="mode must be None or one of L, RGB"):
        ImageDataset(files, mode="gray")
    with pytest.raises(ValueError, match="size must be"):
        ImageDataset(files, size=(0, 3))
    with pytest.raises(ValueError, match="errors must be"):
        ImageLoader().create_dataset(files, errors="skip")
    frames = [Image.fromarray(np.full((4, 4), i, np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"stack\.tif holds 3 frames"):
        ImageDataset([tmp_path / "stack.tif"])


def test_work_ahead_keeps_order_and_ends_its_thread():
    def threads():
        return [t for t in threading.enumerate() if t.name.startswith("catalase-data")]

    started = []
    walk = prefetch(lambda i: started.append(i) or i * i, range(100), depth=2)
    assert [next(walk), next(walk)] == [0, 1] and len(started) <= 5
    walk.close()
    assert not threads() and len(started) < 10
    assert list(prefetch(lambda i: i, [])) == [] and list(prefetch(str, range(3), depth=9)) == ["0", "1", "2"]
    with pytest.raises(ZeroDivisionError):
        list(prefetch(lambda i: 1 // i, [1, 0]))
    assert not threads()


def png(path, kind, bits, width, rows, extra=b""):
    """A PNG file as the standard has it: Pillow writes no colour of 16 bits and no gray of 2 and 4."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("kind, channels", [(2, 3), (6, 4), (4, 2)])
@pytest.mark.parametrize("mode", [None, "L", "RGB", "F"])
def test_colour_of_16_bits_is_refused_rather_than_cut_to_8(tmp_path, kind, channels, mode):
    row = np.arange(300, 300 + 3 * channels, dtype=">u2").tobytes()
    path = png(tmp_path / "a.png", kind, 16, 3, [row, row])
    with pytest.raises(ValueError, match=r"a\.png holds more than 8 bits a value"):
        ImageDataset([path], mode=mode)


def tiff(path, values, kind, *, bits, sample_format=1, planar=1):
    """Write an uncompressed little-endian TIFF of one strip a plane; `kind` is its PhotometricInterpretation."""
    height, width, channels = values.shape
    data = np.moveaxis(values, 2, 0).tobytes() if planar == 2 else values.tobytes()
    planes = channels if planar == 2 else 1
    tags = [
        (256, 4, [width * 8 * values.itemsize // bits]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]),
        (262, 3, [kind]), (273, 4, [8 + i * len(data) // planes for i in range(planes)]), (277, 3, [channels]),
        (278, 4, [height]), (279, 4, [len(data) // planes] * planes), (284, 3, [planar]),
        (339, 3, [sample_format] * channels),
    ]  # fmt: skip
    after = 8 + len(data) + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, size, numbers in tags:
        packed = struct.pack(f"<{len(numbers)}{'H' if size == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            more, packed = more + packed, struct.pack("<I", after + len(more))
        entries += struct.pack("<HHI", tag, size, len(numbers)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + more)
    return path


COLOUR = np.array([[[1, 300, 65535], [256, 511, 1000]]], np.uint16)


@pytest.mark.parametrize("name", ["a.ppm", "plain.ppm", "a.tif", "planes.tif", "colour.sgi", "gray.sgi"])
@pytest.mark.parametrize("mode", [None, "L", "RGB", "F"])
def test_other_files_of_16_bit_values_that_pillow_cuts_are_refused_too(tmp_path, name, mode):
    path = tmp_path / name
    if name == "a.ppm":
        path.write_bytes(b"P6 2 1 65535\n" + COLOUR.astype(">u2").tobytes())
    elif name == "plain.ppm":
        path.write_bytes(b"P3 2 1 1023\n1 300 1023 256 511 1000")
    elif name.endswith("tif"):
        tiff(path, COLOUR, 2, bits=16, planar=1 + (name == "planes.tif"))
    else:
        Image.new("L" if name == "gray.sgi" else "RGB", (2, 1)).save(path, bpc=2)
    with pytest.raises(ValueError, match=rf"{name} holds more than 8 bits a value"):
        ImageDataset([path], mode=mode)
    first = save(tmp_path / "first.png", np.zeros((1, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=rf"{name} holds more than 8 bits a value"):
        ImageDataset([first, path]).X[1]


def test_colour_in_planes_of_8_bits_is_read(tmp_path):
    path = tiff(tmp_path / "planes.tif", COLOUR.astype(np.uint8), 2, bits=8, planar=2)
    assert np.array_equal(ImageDataset([path]).X[0], COLOUR.astype(np.uint8))


def test_gray_of_more_bits_has_the_values_of_the_file(tmp_path):
    values = np.array([[0, 300], [65535, 1000]], np.uint16)
    whole = np.array([[0, 300], [2**31, 2**32 - 256]], np.uint32)
    files = {
        tiff(tmp_path / "a.tif", values[..., None], 1, bits=16): values,
        tiff(tmp_path / "signed.tif", -values[..., None].astype(np.int32), 1, bits=32, sample_format=2): -values.astype(
            int
        ),
        tiff(tmp_path / "unsigned.tif", whole[..., None], 1, bits=32): whole,
        tiff(tmp_path / "real.tif", np.float32(whole[..., None] / 7), 1, bits=32, sample_format=3): np.float32(
            whole / 7
        ),
        png(tmp_path / "a.png", 0, 16, 2, [row.astype(">u2").tobytes() for row in values]): values,
    }
    for largest in (1023, 4095, 65535):
        file = tmp_path / f"{largest}.pgm"
        files[file] = np.minimum(values, largest)
        file.write_bytes(b"P5 2 2 %d\n" % largest + files[file].astype(">u2").tobytes())
    for file, expected in files.items():
        X = ImageDataset([file]).X[0]
        assert X.dtype == np.float32 and np.array_equal(X[..., 0], expected.astype(np.float32)), file


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_masks_of_few_bits_keep_their_values(tmp_path, bits):
    values = np.arange(8, dtype=np.uint8).reshape(1, 8) % 2**bits
    packed = np.packbits(((values[0, :, None] >> np.arange(bits)[::-1]) & 1).astype(np.uint8))
    gray = png(tmp_path / "gray.png", 0, bits, 8, [packed.tobytes()])
    image = save(tmp_path / "i.png", np.zeros((1, 8), np.uint8))
    assert np.array_equal(ImageDataset([image], [gray]).y[0], values)
    assert np.array_equal(ImageDataset([gray]).X[0][..., 0], values * (255 // (2**bits - 1)))
    tif = tmp_path / "m.tif"
    Image.fromarray(values > 0).save(tif)
    assert np.array_equal(ImageDataset([image], np.array([str(tif)])).y[0], values > 0)


def test_masks_of_other_files_keep_their_values(tmp_path):
    image = save(tmp_path / "image.png", np.zeros((4, 4), np.uint8))
    numbers = np.arange(16, dtype=np.uint8).reshape(4, 4)
    Image.fromarray(numbers % 2 == 1).save(tmp_path / "fax.tif", compression="group4")
    tiff(tmp_path / "four.tif", (numbers[:, ::2] << 4 | numbers[:, 1::2])[..., None], 1, bits=4)
    (tmp_path / "three.pgm").write_bytes(b"P5 4 4 3\n" + (numbers % 4).tobytes())
    (tmp_path / "plain.pgm").write_text("P2 4 4 99\n" + " ".join(map(str, (numbers * 6).ravel())))
    save(tmp_path / "whole.pgm", numbers)
    masks = {"fax.tif": numbers % 2, "four.tif": numbers, "three.pgm": numbers % 4, "plain.pgm": numbers * 6,
             "whole.pgm": numbers}  # fmt: skip
    for name, expected in masks.items():
        y = ImageDataset([image], [tmp_path / name]).y
        assert y.dtype == np.uint8 and np.array_equal(y[0], expected), name
        larger = ImageDataset([image], [tmp_path / name], size=(8, 8)).y[0]
        assert np.array_equal(larger, np.kron(expected, np.ones((2, 2), np.uint8))), name


def test_a_later_mask_in_colour_is_refused(tmp_path):
    image = save(tmp_path / "image.png", np.zeros((4, 4), np.uint8))
    masks = [
        save(tmp_path / "l.png", np.zeros((4, 4), np.uint8)),
        save(tmp_path / "c.png", np.zeros((4, 4, 3), np.uint8)),
    ]
    with pytest.raises(ValueError, match=r"c\.png is a mask of mode 'RGB'"):
        ImageDataset([image, image], masks).y[1]


def test_masks_of_one_bit_can_be_learned(tmp_path):
    images = [save(tmp_path / f"x{i}.png", np.full((16, 16), 100 * i, np.uint8)) for i in range(2)]
    masks = [save(tmp_path / f"m{i}.tif", np.tri(16, dtype=bool)) for i in range(2)]
    model = ct.models.UNet(layer_filters=[2, 2], seed=0)
    history = model.fit(ImageDataset(images, masks), nb_epoch=1, progress=False)
    assert np.isfinite(history["loss"]).tolist() == [True]


def test_palettes(tmp_path):
    numbers = np.array([[2, 0], [2, 1]], np.uint8)
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([10, 10, 10, 90, 90, 90, 200, 200, 200])
    picture.save(tmp_path / "p.png")
    picture.save(tmp_path / "t.png", transparency=0)
    gray = np.array([[200, 10], [200, 90]])
    for name in ("p.png", "t.png"):
        file = tmp_path / name
        assert np.array_equal(ImageDataset([file], [file]).y[0], numbers)
        for mode in ("F", "L"):
            assert np.array_equal(ImageDataset([file], mode=mode).X[0][..., 0], gray)
    assert ImageDataset([tmp_path / "t.png"]).X[0][..., 3].tolist() == [[255, 0], [255, 255]]


def test_colour_is_not_read_as_numbers(tmp_path):
    path = save(tmp_path / "c.png", np.zeros((2, 2, 3), np.uint8))
    first = save(tmp_path / "g.png", np.zeros((2, 2), np.uint8))
    for make in (lambda: ImageDataset([path], mode="F"), lambda: ImageDataset([first, path], mode="F").X[1]):
        with pytest.raises(ValueError, match=r"c\.png is colour.*cannot be read as 'F'; give mode='RGB' or 'L'"):
            make()


@pytest.mark.parametrize(
    ("name", "mode", "channels"),
    [("a.jpg", "CMYK", 3), ("a.tif", "YCbCr", 3), ("a.tif", "LAB", 3), ("a.png", "LA", 4), ("a.png", "RGBA", 4)],
)
def test_other_colour_spaces_become_colour(tmp_path, rng, name, mode, channels):
    colour = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).convert(mode)
    colour.save(tmp_path / name)
    with Image.open(tmp_path / name) as saved:
        expected = np.asarray(saved.convert("RGBA" if channels == 4 else "RGB"))
    assert np.array_equal(ImageDataset([tmp_path / name]).X[0], expected)


def test_the_first_of_two_pictures_that_are_one(tmp_path, rng):
    first, second = (Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)) for _ in range(2))
    first.save(tmp_path / "copies.tif", save_all=True, append_images=[second], tiffinfo={})
    with pytest.raises(ValueError, match="holds 2 frames"):
        ImageDataset([tmp_path / "copies.tif"])
    small = second.resize((4, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(tmp_path / "reduced.tif", save_all=True, append_images=[small])
    assert np.array_equal(ImageDataset([tmp_path / "reduced.tif"]).X[0][..., 0], np.asarray(first))
    first.convert("RGB").save(
        tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second.convert("RGB")], quality=95
    )
    with Image.open(tmp_path / "phone.jpg") as phone:
        assert phone.n_frames == 2
    assert ImageDataset([tmp_path / "phone.jpg"]).X.shape == (1, 8, 8, 3)
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    with pytest.raises(ValueError, match="holds 2 frames"):
        ImageDataset([tmp_path / "moving.png"])


def test_large_images_are_read_up_to_twice_pillows_limit(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", np.zeros((20, 20), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 250)
    assert ImageDataset([path]).X[0].shape == (20, 20, 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    with pytest.raises(ValueError, match=r"a\.png is too large: it has more than 300 pixels"):
        ImageDataset([path])


def test_an_image_for_which_there_is_no_memory_is_not_called_damaged(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    data = ImageDataset([path])

    def convert(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(ValueError, match=r"a\.png does not fit into memory"):
        data.X[0]


def test_hidden_files_and_other_kinds_in_folders(tmp_path, rng):
    pixels = rng.integers(0, 256, (3, 4, 4), np.uint8)
    for name, array in zip(["a.png", "b.bmp", "c.webp"], pixels, strict=True):
        save(tmp_path / name, array, **({"lossless": True} if name == "c.webp" else {}))
    for name in ("._a.png", ".DS_Store", "__MACOSX/x.png", ".thumbnails/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    data = ImageLoader(mode="L").create_dataset((tmp_path, [0, 1, 2]))
    assert len(data) == 3 and np.array_equal(np.asarray(data.X)[:2, ..., 0], pixels[:2])
    (tmp_path / "d.heic").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"1 files of .* such as d\.heic"):
        assert len(ImageLoader(mode="L").create_dataset(tmp_path)) == 3


@pytest.mark.parametrize("given", [np.zeros((2, 4, 4), np.uint8), [np.zeros((4, 4))], [1, 2]])
def test_pixels_instead_of_files_are_refused_in_a_sentence(given):
    with pytest.raises(TypeError, match=r"ImageDataset: X must be a list of files.*NumpyDataset takes pixels"):
        ImageDataset(given)
