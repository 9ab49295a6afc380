"""A loader that makes datasets of folders and lists of image files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._internal.numbers import choice, listed, path_of, shown, whole_number
from .._internal.report import Failure, Report
from .dataset import Dataset, task_names
from .disk import DiskDataset
from .image import Checked, ImageDataset, ImageForm, checked_form, decode, image_form

_ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm")
_OTHER_ENDINGS = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".dcm", ".exr", ".dng", ".cr2", ".nef",
                  ".arw", ".tga", ".pcx", ".sgi", ".ico", ".jfif", ".jpe", ".czi", ".nd2", ".lif", ".svs", ".ndpi"}  # fmt: skip


class ImageLoader:
    """A loader of images from folders, files and lists of files, with DeepChem's name and arguments.

    Parameters
    ----------
    tasks : sequence of str, optional
        Names of the columns of labels.
    sorter : callable
        Function that puts the files of a folder in order.
    size : (int, int), optional
        Height and width that all images are resized to. By default all must have one size.
    mode : {"L", "RGB", "RGBA", "F"}, optional
        As `ImageDataset`.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         Image.fromarray(np.full((4, 4), i, np.uint8)).save(f"{folder}/{i}.png")
    ...     data = ct.data.ImageLoader().create_dataset((folder, [0, 1, 1]))
    ...     data.X[2].max(), data.y.tolist()
    (np.uint8(2), [0, 1, 1])
    """

    def __init__(
        self,
        tasks: Sequence[str] | None = None,
        sorter: Callable[[Iterable[Path]], Sequence[Path]] = sorted,
        *,
        size: tuple[int, int] | None = None,
        mode: str | None = None,
    ) -> None:
        self.tasks = None if tasks is None else task_names("ImageLoader", tasks)
        if not callable(sorter):
            raise TypeError(f"ImageLoader: sorter must be a function such as sorted, got {shown(sorter)}")
        self.sorter, self.size, self.mode = sorter, checked_form("ImageLoader", size, mode), mode

    def create_dataset(
        self,
        inputs: Any,
        data_dir: str | Path | None = None,
        shard_size: int = 1024,
        errors: str = "raise",
    ) -> Dataset:
        """Return a dataset of the files.

        Parameters
        ----------
        inputs : path, sequence of paths, or tuple (images, labels) or (images, labels, weights)
            A folder stands for the PNG, TIFF, JPEG, BMP, GIF, WebP and PNM files in it and below it, in the sorter's order.
            Hidden files and folders (``.name``, ``__MACOSX``) are skipped; a warning names images of other kinds.
            Labels are an array, or a folder or list of masks.
        data_dir : path, optional
            Folder for a `DiskDataset`, to which all images are decoded once.
        shard_size : int
            Images a shard.
        errors : {"raise", "mask", "drop"}
            Treatment of files that cannot be decoded or have another size: raise an error when they are needed, use zeros
            with weight 0, or leave them out with a warning. For the latter two every file is decoded once here. The
            dataset's ``report`` lists such files.

        Returns
        -------
        ImageDataset, or DiskDataset where `data_dir` is given

        Raises
        ------
        FileNotFoundError
            If a file or folder is missing, or a folder has no images.
        ValueError
            If the number of labels differs from that of the images, and for files that cannot be read.
        """
        choice("create_dataset", "errors", errors, ("raise", "mask", "drop"))
        shard_size = whole_number("create_dataset", "shard_size", shard_size)
        data_dir = None if data_dir is None else path_of("create_dataset", "data_dir", data_dir)
        images, y, w = inputs, None, None
        if isinstance(inputs, tuple):
            if len(inputs) not in (2, 3):
                raise ValueError(f"create_dataset: inputs must be (images, labels) or (.., weights), got {len(inputs)}")
            images, y, *rest = inputs
            w = rest[0] if rest else None
        files = self._files(images)
        if isinstance(y, (str, Path)) or _is_paths(y):
            y = self._files(y)
        failures: list[Failure] = []
        found: Checked | None = None
        if errors != "raise":
            found = self._checked(files, y)
            failures = found.failures
            if errors == "drop" and failures:
                keep = np.setdiff1d(np.arange(len(files)), [failure.position for failure in failures])
                files, y, w = _rows(files, keep), _rows(y, keep), _rows(w, keep)
                found = found._replace(failures=[])
        data = ImageDataset(files, y, w, size=self.size, mode=self.mode, tasks=self.tasks, _checked=found)
        total = len(files) + (len(failures) if errors == "drop" else 0)
        data.report = Report(total, len(files), failures)
        if len(files) < total:
            warnings.warn(
                f"ImageLoader: {total - len(files)} of {total} images were left out; see .report", stacklevel=2
            )
        if data_dir is None:
            return data
        starts = range(0, len(files), shard_size)
        shards = (data.part(np.arange(len(files))[i : i + shard_size]).whole() for i in starts)
        return DiskDataset.create(data_dir, shards, tasks=data.tasks, report=data.report)

    def _files(self, inputs: Any) -> list[Path]:
        given = [inputs] if isinstance(inputs, (str, os.PathLike)) else listed("ImageLoader", "inputs", inputs, "files")
        files: list[Path] = []
        for item in [path_of("ImageLoader", "inputs", item) for item in given]:
            if item.is_dir():
                seen = [f for f in item.rglob("*") if not _is_hidden(f.relative_to(item)) and f.is_file()]
                inside = [f for f in seen if f.suffix.lower() in _ENDINGS]
                others = [f for f in seen if f.suffix.lower() in _OTHER_ENDINGS]
                if others:
                    warnings.warn(
                        f"ImageLoader: {len(others)} files of {item} are images of kinds that are not looked for in "
                        f"folders, such as {others[0].name}; name them, or convert them to PNG",
                        stacklevel=3,
                    )
                if not inside:
                    raise FileNotFoundError(f"ImageLoader: {item} has no {', '.join(_ENDINGS)} files")
                files += self.sorter(inside)
            elif item.is_file():
                files.append(item)
            else:
                raise FileNotFoundError(f"ImageLoader: there is no file or folder {item}")
        if not files:
            raise FileNotFoundError("ImageLoader: the list of files is empty")
        return files

    def _checked(self, files: list[Path], y: Any) -> Checked:
        """Decode every file once; return the failures, and the form of the first file that can be decoded."""
        masks = y if _is_paths(y) else None
        if masks is not None and len(masks) != len(files):
            raise ValueError(f"ImageLoader: there are {len(files)} images but {len(masks)} masks")
        resize = self.size is not None
        form: ImageForm | None = None
        mask_form: ImageForm | None = None
        failures = []
        for i, file in enumerate(files):
            try:
                here = form or image_form(file, self.size, self.mode, False)
                decode(file, here, resize, np.empty(here.row_shape, here.dtype))
                if masks is not None:
                    there = mask_form or image_form(masks[i], self.size, None, True)
                    decode(masks[i], there, resize, np.empty(there.row_shape, there.dtype))
                    mask_form = there
                form = here
            except ValueError as error:
                failures.append(Failure(i, str(file), str(error)))
        if form is None:
            raise ValueError(
                f"ImageLoader: none of the {len(files)} files can be read; the first: {failures[0].reason}"
            )
        return Checked(form, mask_form, failures)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _is_paths(y: Any) -> bool:
    return isinstance(y, list) and bool(y) and all(isinstance(item, (str, Path)) for item in y)


def _rows(column: Any, keep: Any) -> Any:
    """Return some rows of labels, weights or paths."""
    if column is None:
        return None
    if _is_paths(column):
        return [column[i] for i in keep]
    return np.asarray(column)[keep]
