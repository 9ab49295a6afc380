"""Datasets of image files, which are decoded batch by batch."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import rows_of
from .._internal.numbers import listed, path_of, shown, whole_number
from .._internal.report import Failure, Report
from .dataset import Dataset, NumpyDataset, Rows, checked_columns, checked_walk
from .lazy_columns import LazyArray, prefetch

# The mode in which files of other modes are read: gray, or colour with transparency.
_READ_AS = {"1": "L", "L": "L", "LA": "RGBA", "PA": "RGBA", "La": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
_DEEP = re.compile(r";16|SGI16")  # found in the names of pixel formats of 16 bits
_FEW_BITS = re.compile(r"\bL;([24])")
# TIFF tags: kind of picture (bit 0, or value 2: a smaller copy), bits of each channel, sample format (1: unsigned).
_SUBFILE, _OLD_SUBFILE, _BITS, _SAMPLE_FORMAT = 254, 255, 258, 339
_MOST_ON_A_SIDE = 2**16
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4, "F": 1}


class ImageForm(NamedTuple):
    """The form of all images of a column: height, width and mode ("L", "RGB", "RGBA", "F", or "labels")."""

    height: int
    width: int
    mode: str
    asked: bool = False  # whether the caller chose the mode

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        here = (self.height, self.width)
        return here if self.mode == "labels" else (*here, _CHANNELS[self.mode])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the values."""
        return np.dtype(np.float32 if self.mode == "F" else np.uint8)


class CheckedFiles(NamedTuple):
    """The result of checking all files: the forms of images and masks, and the files that cannot be read."""

    form: ImageForm
    mask_form: ImageForm | None
    failures: list[Failure]


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Any]:
    """Open an image with Pillow; any failure in the block becomes one ValueError that names the file."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("images: reading them needs Pillow; pip install pillow") from None
    if not Path(path).is_file():
        raise FileNotFoundError(f"images: there is no file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Pillow reads up to twice its limit
            with Image.open(path) as image:
                _check_frames(image)
                _check_depth(image)
                yield image
    except _Refused as error:
        raise ValueError(f"images: {path} {error}") from None
    except Image.DecompressionBombError:
        raise ValueError(
            f"images: {path} is too large: it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; cut it, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS (half of that) for files that you trust"
        ) from None
    except Image.UnidentifiedImageError:
        raise ValueError(
            f"images: {path} is not an image that Pillow knows; it is damaged, no image, or has bits or channels that "
            "Pillow does not read"
        ) from None
    except MemoryError:
        raise ValueError(f"images: {path} does not fit into memory; cut it into tiles") from None
    except (
        OSError, EOFError, SyntaxError, ValueError, IndexError, KeyError, TypeError, OverflowError,
    ) as error:  # fmt: skip
        raise ValueError(f"images: {path} is damaged or cut short ({error})") from None


class _Refused(Exception):
    """The fault of a file, as the end of a sentence that begins with its name."""


def _check_frames(image: Any) -> None:
    """Refuse several pictures in one file, unless the others are smaller copies or further views of the first."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":
        return
    if image.format == "TIFF":
        copies = 0
        for frame in range(1, frames):
            image.seek(frame)
            kind, old_kind = image.tag_v2.get(_SUBFILE, 0), image.tag_v2.get(_OLD_SUBFILE, 0)
            copies += bool(kind & 1) or old_kind == 2
        image.seek(0)
        if copies == frames - 1:
            return
    raise _Refused(f"holds {frames} frames; save them as files of their own")


def _check_depth(image: Any) -> None:
    """Refuse more than 8 bits a value where Pillow would cut them to 8."""
    if _is_deep(image.mode):
        return
    if image.format == "TIFF":
        deep = max(image.tag_v2.get(_BITS, (1,))) > 8
    elif image.format == "PPM":
        deep = _largest_named(image) > 255
    elif image.format == "JPEG2000":
        image.fp.seek(0)
        head = image.fp.read(2**16)
        at = head.find(b"\xff\x4f\xff\x51") + 42  # position of the first channel's depth in the SIZ segment
        deep = 42 <= at < len(head) and (head[at] & 0x7F) >= 8
    else:
        deep = any(_DEEP.search(f"{tile[0]} {tile[3]}") for tile in image.tile)
    if deep:
        raise _Refused(
            f"holds more than 8 bits a value ({image.format}, {image.mode}), of which Pillow reads only 8; save each channel "
            "as a gray image of 16 bits, or all with 8 bits"
        )


def _largest_named(image: Any) -> int:
    """Return the largest value that a PNM header names; Pillow scales it to 255, or to 65,535 in mode "I"."""
    decoder, _, _, arguments = image.tile[0]
    if decoder in ("ppm", "ppm_plain") and isinstance(arguments, tuple):
        return int(arguments[1])
    return 65535 if image.mode == "I" else 255


def _is_deep(mode: str) -> bool:
    return mode in ("I", "F") or mode.startswith("I;")


def image_form(path: str | Path, size: tuple[int, int] | None, mode: str | None, labels: bool) -> ImageForm:
    """Return the form of an image by its header."""
    with open_image(path) as image:
        own = _mode_of(image)
        width, height = image.size
        if labels:
            _check_mask(image)
        elif mode == "F":
            _check_gray(image)
    if labels:
        own = "labels"
    elif mode is not None:
        if own == "F" and mode != "F":
            raise ValueError(f"images: {path} holds more than 8 bits a value ({image.mode}); mode must be 'F' or None")
        own = mode
    tall, wide = size or (height, width)
    return ImageForm(tall, wide, own, mode is not None)


def _check_mask(image: Any) -> None:
    if image.mode not in ("1", "L", "P"):
        raise _Refused(f"is a mask of mode {image.mode!r}; masks have one channel of at most 8 bits (L, P or 1)")


def _check_gray(image: Any) -> None:
    if not _is_deep(image.mode) and image.mode not in ("1", "L", "P"):
        raise _Refused(
            f"is colour, or has transparency ({image.mode}), which cannot be read as 'F'; give mode='RGB' or 'L'"
        )


def _mode_of(image: Any) -> str:
    if _is_deep(image.mode):
        return "F"
    return "RGBA" if "transparency" in image.info and image.mode == "P" else _READ_AS.get(image.mode, "RGB")


def decode(path: str | Path, form: ImageForm, resize: bool, out: NDArray[Any]) -> None:
    """Decode one file into `out`."""
    from PIL import Image

    with open_image(path) as image:
        own = _mode_of(image)
        if (image.height, image.width) != form[:2] and not resize:
            raise _Refused(
                f"is {image.height} x {image.width} where {form.height} x {form.width} were needed (height x width); give "
                "size=(height, width) to resize all"
            )
        if form.mode == "labels":
            _check_mask(image)
            picture = _as_stored(image)
        elif form.mode == "F":
            _check_gray(image)
            if own != "F" and not form.asked:
                raise _Refused(
                    f"has 8 bits a value ({image.mode}), unlike the first image; give mode='F' to read all values as they stand"
                )
            gray = _as_stored(image) if own == "F" else image.convert("L")
            picture = gray if gray.mode == "F" else Image.fromarray(np.asarray(gray).astype(np.float32))
        elif own == "F":
            raise _Refused(f"holds more than 8 bits a value ({image.mode}), unlike the first image; give mode='F'")
        else:
            picture = image.convert(form.mode)
        if picture.size != (form.width, form.height):
            how = Image.Resampling.NEAREST if form.mode == "labels" else Image.Resampling.BILINEAR
            picture = picture.resize((form.width, form.height), how)
        out[...] = np.asarray(picture).reshape(out.shape)


def _as_stored(image: Any) -> Any:
    """Return the picture with the values of the file, where Pillow scales or misreads a single channel."""
    from PIL import Image

    if image.mode == "I" and image.format == "TIFF" and set(image.tag_v2.get(_SAMPLE_FORMAT, (1,))) == {1}:
        return Image.fromarray(np.asarray(image).view(np.uint32).astype(np.float32))  # Pillow reads them as int32
    few = next((_FEW_BITS.search(str(tile[3])) for tile in image.tile), None) if image.mode == "L" else None
    largest, spread = 1, 1
    if few is not None:
        largest, spread = 2 ** int(few[1]) - 1, 255
    elif image.format == "PPM" and image.mode in ("L", "I"):
        largest, spread = _largest_named(image), 255 if image.mode == "L" else 65535
    if largest == spread:
        return image
    values = np.rint(np.asarray(image) * (largest / spread))
    return Image.fromarray(values.astype(np.uint8 if image.mode == "L" else np.float32))


class ImageColumn(LazyArray):
    """Image files as an array (N, H, W, C), or (N, H, W) for masks; each access decodes the files of its rows."""

    def __init__(self, files: Sequence[Path], form: ImageForm, resize: bool, blank: frozenset[int]) -> None:
        super().__init__((len(files), *form.row_shape), form.dtype)
        self.files, self.form, self.resize, self.blank = list(files), form, resize, blank

    def take_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Decode these rows."""
        out = np.zeros((len(rows), *self.shape[1:]), self.dtype)
        for at, row in enumerate(rows):
            if int(row) not in self.blank:
                decode(self.files[row], self.form, self.resize, out[at])
        return out

    def part(self, rows: NDArray[np.int64]) -> ImageColumn:
        """Return the column of some of the files."""
        blank = frozenset(at for at, row in enumerate(rows) if int(row) in self.blank)
        return ImageColumn([self.files[row] for row in rows], self.form, self.resize, blank)


class ImageDataset(Dataset):
    """A dataset of image files, decoded batch by batch; a thread decodes the next batch while this one is used.

    Parameters
    ----------
    X : sequence of path
        PNG, TIFF, JPEG and other formats that Pillow reads; one image a file.
    y : array_like, or sequence of path, optional
        Labels, as `NumpyDataset`; or masks, one file an image. A mask has one channel of 8 bits or fewer, whose values
        (palette numbers, also with transparency) are taken unchanged: 0 and 1 for a mask of one bit.
    w, ids, tasks : optional
        As `NumpyDataset`; ids are the paths, w (N,) for masks.
    size : (int, int), optional
        Height and width that all images are resized to (bilinear, masks nearest). By default all must have the size of
        the first one.
    mode : {"L", "RGB", "RGBA", "F"}, optional
        Gray, colour, colour with transparency, or float32; by default the mode of the first image. Other images are converted
        to it, but 8 bits and more bits a value are mixed only with ``mode="F"``. "F" converts a palette to the gray of its
        colours, and refuses colour images.

    Attributes
    ----------
    X : array-like, shape (N, H, W, C)
        uint8; float32 with the values of the file for images of more than 8 bits. An access decodes its rows: X[3:5]
        reads two files, ``np.asarray(X)`` all.
    y : ndarray, or array-like (N, H, W) for masks

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        For a file that is not an image, is truncated, holds several frames, colour of more than 8 bits a value, or more pixels
        than twice ``PIL.Image.MAX_IMAGE_PIXELS`` (178,956,970), or has another size than the first. The headers of the first
        files are read at once, everything else when a batch needs it.

    Notes
    -----
    The first picture is read of photographs with a second one (MPO) and of TIFF files with smaller copies. Orientation
    tags of cameras are not applied. AVIF files of more than 8 bits a value are read with 8, as Pillow does.
    `catalase.data.ImageLoader` finds the files of a folder and can check, mask or drop broken ones.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = [f"{folder}/{i}.png" for i in range(3)]
    ...     for i, file in enumerate(files):
    ...         Image.fromarray(np.full((4, 5), i, np.uint8)).save(file)
    ...     data = ct.data.ImageDataset(files, y=[0, 1, 0])
    ...     data.X.shape, [int(X.max()) for X, *_ in data.iterbatches(1, deterministic=True)]
    ((3, 4, 5, 1), [0, 1, 2])
    """

    def __init__(
        self,
        X: Sequence[str | Path],
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        *,
        size: tuple[int, int] | None = None,
        mode: str | None = None,
        tasks: Sequence[Any] | None = None,
        _checked: CheckedFiles | None = None,
    ) -> None:
        if isinstance(X, (str, Path)):
            raise TypeError(f"ImageDataset: X must be a list of files, got {X!r}; ImageLoader takes folders")
        size = checked_form("ImageDataset", size, mode)
        if isinstance(X, np.ndarray) and X.dtype.kind != "U":
            raise TypeError(
                f"ImageDataset: X must be a list of files, got an array of {X.dtype}; NumpyDataset takes pixels"
            )
        files: list[Path] = []
        for file in listed("ImageDataset", "X", X, "files"):
            if not isinstance(file, (str, os.PathLike)):
                raise TypeError(
                    f"ImageDataset: X must be a list of files, got {type(file).__name__} at {len(files)}; "
                    "NumpyDataset takes pixels"
                )
            files.append(path_of("ImageDataset", "X", file))
        if not files:
            raise ValueError("ImageDataset: X must be a list of files, but it is empty: there are no files")
        masks = _mask_files(y, len(files))
        n = len(files)
        ids = np.array([str(file) for file in files]) if ids is None else ids
        plain = checked_columns("ImageDataset", n, np.zeros(n) if masks else y, w, ids, tasks)
        blank = frozenset(failure.position for failure in _checked.failures) if _checked else frozenset()
        resize = size is not None
        form = _checked.form if _checked else image_form(files[0], size, mode, False)
        self._images = ImageColumn(files, form, resize, blank)
        self._masks = None
        if masks:
            mask_form = (_checked and _checked.mask_form) or image_form(masks[0], size, None, True)
            self._masks = ImageColumn(masks, mask_form, resize, blank)
            if self._masks.shape[:3] != self._images.shape[:3]:
                raise ValueError(
                    f"ImageDataset: images are {self._images.shape[1:3]} but masks {self._masks.shape[1:3]} (height, "
                    "width); give size=(height, width)"
                )
        self._labels, self._weights, self._ids, self.tasks = plain.y, plain.w, plain.ids, plain.tasks
        if blank:
            self._weights = self._weights.copy()
            self._weights[sorted(blank)] = 0
        self.report: Report | None = None

    @property
    def X(self) -> Any:  # type: ignore[override]
        """Images; an access decodes only its rows."""
        return self._images

    @property
    def y(self) -> Any:  # type: ignore[override]
        """Labels, or masks."""
        return self._labels if self._masks is None else self._masks

    @property
    def w(self) -> NDArray[Any]:  # type: ignore[override]
        """Weights."""
        return self._weights

    @property
    def ids(self) -> NDArray[Any]:  # type: ignore[override]
        """Identifiers; by default the paths."""
        return self._ids

    def part(self, rows: Any) -> ImageDataset:
        """Return the dataset of some of the rows, without decoding files."""
        chosen = rows_of("part", "rows", rows, len(self))
        part = object.__new__(ImageDataset)
        part._images = self._images.part(chosen)
        part._masks = None if self._masks is None else self._masks.part(chosen)
        part._labels, part._weights, part._ids = self._labels[chosen], self._weights[chosen], self._ids[chosen]
        part.tasks, part.report, part.featurizer = list(self.tasks), self.report, self.featurizer
        return part

    def select(self, indices: Any) -> ImageDataset:  # type: ignore[override]
        """Return the rows at `indices`, in that order, as an ImageDataset, without decoding files."""
        return self.part(rows_of("select", "indices", indices, len(self)))

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Rows]]:
        """Yield (epoch, row numbers, batch); the order is that of `NumpyDataset`."""
        given = checked_walk(batch_size, epochs, deterministic, pad_batches, seed)
        numbers = np.arange(len(self))
        ones = np.ones(len(self), np.float32)  # repeated rows of a padded batch have weight 0
        walk = NumpyDataset(numbers, numbers, ones, numbers)
        return prefetch(self._decoded, walk.numbered_batches(*given))

    def whole(self) -> NumpyDataset:
        """Return the dataset in memory, with every file decoded."""
        made = NumpyDataset(self._images[:], self.y[:], self._weights, self._ids, featurizer=self.featurizer)
        made.tasks = list(self.tasks)
        return made

    def _decoded(self, item: tuple[int, NDArray[np.int64], Rows]) -> tuple[int, NDArray[np.int64], Rows]:
        epoch, rows, (_, _, filled, _) = item
        w = self._weights[rows]
        w[filled == 0] = 0
        return epoch, rows, (self._images[rows], self.y[rows], w, self._ids[rows])


def checked_form(function: str, size: Any, mode: Any) -> tuple[int, int] | None:
    """Return the size that images must have; refuse any other value, and an unknown mode."""
    if mode is not None and (not isinstance(mode, str) or mode not in _CHANNELS):
        raise ValueError(f"{function}: mode must be None or one of {', '.join(_CHANNELS)}; got {shown(mode)}")
    if size is None:
        return None
    if isinstance(size, np.ndarray):
        size = size.tolist()
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise TypeError(f"{function}: size must be (height, width) or None, got {shown(size)}")
    height, width = (whole_number(function, "size", n, 1, _MOST_ON_A_SIDE) for n in size)
    return height, width


def _mask_files(y: Any, n: int) -> list[Path] | None:
    """Return the files of masks if y is a list of paths, else None."""
    if isinstance(y, np.ndarray) and y.dtype.kind == "U":
        y = y.tolist()
    if not isinstance(y, (list, tuple)) or not y or not all(isinstance(item, (str, Path)) for item in y):
        return None
    if len(y) != n:
        raise ValueError(f"ImageDataset: there are {n} images but {len(y)} masks")
    return [path_of("ImageDataset", "y", item) for item in y]
