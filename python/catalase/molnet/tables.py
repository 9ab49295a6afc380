"""The tables of MoleculeNet: they are found or downloaded, read, and checked here."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._internal.text import strip_white
from ..data.csv_loader import check_columns
from ..data.labels import parse_label


class Table(NamedTuple):
    """A MoleculeNet table. ``sha256`` is the digest of the unpacked CSV; other copies must have the same rows and labels."""

    name: str
    file: str
    url: str
    sha256: str
    rows: int
    labels: int
    tasks: tuple[str, ...]
    smiles: str


_BASE = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/"

TOX21 = Table(
    "Tox21",
    "tox21.csv.gz",
    _BASE + "tox21.csv.gz",
    "7d7e7facd853a63e79ddce4e9c3fcb7a0d83a1c300b603031c0f2c64fbe77761",
    7831,
    77946,
    (
        "NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma",
        "SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53",
    ),
    "smiles",
)  # fmt: skip

DELANEY = Table(
    "ESOL (Delaney)",
    "delaney-processed.csv",
    _BASE + "delaney-processed.csv",
    "8c06a76f0c6487d29ab0f903e6a7a7139f189ab3c1178f159c8be8964602f189",
    1128,
    1128,
    ("measured log solubility in mols per litre",),
    "smiles",
)

SAMPL = Table(
    "FreeSolv (SAMPL)",
    "SAMPL.csv",
    _BASE + "SAMPL.csv",
    "a4fbf3b28fe2e604d6bd7ea0e20b4494ff732400a80f58d1b393677cfbc1b06c",
    642,
    642,
    ("expt",),
    "smiles",
)

LIPO = Table(
    "Lipophilicity",
    "Lipophilicity.csv",
    _BASE + "Lipophilicity.csv",
    "3d2a409dc8bdf620876bb7257faf4996df29a19dd0244d0b4a6a8064c306cded",
    4200,
    4200,
    ("exp",),
    "smiles",
)

BBBP = Table(
    "BBBP",
    "BBBP.csv",
    _BASE + "BBBP.csv",
    "6aecd84110e8c0549bc4e2e486c52267d4e775178fca8999f5465029e31e75bb",
    2050,
    2050,
    ("p_np",),
    "smiles",
)

# Two tables share one file. Its digest is that of LF line ends; a copy with CRLF is accepted by its rows and labels.
BACE_CLASSIFICATION = Table(
    "BACE (classification)",
    "bace.csv",
    _BASE + "bace.csv",
    "894a1efd23d2c391c6f6ee0fb5f719bf9d6633a6b534ec02472fa11e1d5862a3",
    1513,
    1513,
    ("Class",),
    "mol",
)

BACE_REGRESSION = BACE_CLASSIFICATION._replace(name="BACE (regression)", tasks=("pIC50",))

CLINTOX = Table(
    "ClinTox",
    "clintox.csv.gz",
    _BASE + "clintox.csv.gz",
    "9999816e760dd838358b5d88e81cea2fc062be4458ffa412ceecdba4f88a67b6",
    1484,
    2968,
    ("FDA_APPROVED", "CT_TOX"),
    "smiles",
)

SIDER = Table(
    "SIDER",
    "sider.csv.gz",
    _BASE + "sider.csv.gz",
    "71efc6ac4ca82d6545bc512509863281be0f17234afd7adaf71a71899988302e",
    1427,
    38529,
    (
        "Hepatobiliary disorders",
        "Metabolism and nutrition disorders",
        "Product issues",
        "Eye disorders",
        "Investigations",
        "Musculoskeletal and connective tissue disorders",
        "Gastrointestinal disorders",
        "Social circumstances",
        "Immune system disorders",
        "Reproductive system and breast disorders",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "General disorders and administration site conditions",
        "Endocrine disorders",
        "Surgical and medical procedures",
        "Vascular disorders",
        "Blood and lymphatic system disorders",
        "Skin and subcutaneous tissue disorders",
        "Congenital, familial and genetic disorders",
        "Infections and infestations",
        "Respiratory, thoracic and mediastinal disorders",
        "Psychiatric disorders",
        "Renal and urinary disorders",
        "Pregnancy, puerperium and perinatal conditions",
        "Ear and labyrinth disorders",
        "Cardiac disorders",
        "Nervous system disorders",
        "Injury, poisoning and procedural complications",
    ),
    "smiles",
)


class Rows(NamedTuple):
    """The content of a table: SMILES, labels (NaN where missing), and the digest of the unpacked file."""

    smiles: list[str]
    y: Any
    digest: str


def cache_folder() -> Path:
    """Return the user's cache folder for data."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("catalase"))


def find_table(table: Table, data_dir: str | Path | None = None) -> Path | None:
    """Return the path of a table in `data_dir`, ``CATALASE_DATA_DIR`` or the cache, or None."""
    plain = table.file.removesuffix(".gz")
    for place in (data_dir, os.environ.get("CATALASE_DATA_DIR"), cache_folder):
        if not place:
            continue
        folder = place() if callable(place) else Path(place)  # the cache folder is looked up only when it is needed
        for name in (table.file, plain, plain + ".gz"):
            if (folder / name).is_file():
                return folder / name
    return None


def read_table(table: Table, data_dir: str | Path | None = None) -> Rows:
    """Find or download a table, read it and check it."""
    path = find_table(table, data_dir)
    if path is None:
        return _download(table, Path(data_dir) if data_dir else cache_folder())
    return parse_table(table, path.read_bytes(), path)


def parse_table(table: Table, data: bytes, where: Any) -> Rows:
    """Check the content of a file and split it into columns.

    Raises
    ------
    ValueError
        If it is damaged, or is not the table it should be.
    """
    try:
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{table.name}: {where} is damaged ({error}); delete it and load again") from None
    digest = hashlib.sha256(text).hexdigest()
    reader = csv.reader(io.StringIO(text.decode("utf-8-sig", errors="replace")))
    header = next(reader, [])
    check_columns(where, header, [table.smiles, *table.tasks])
    rows = [row if len(row) >= len(header) else row + [""] * (len(header) - len(row)) for row in reader if row]
    columns = list(zip(*rows, strict=False)) or [()] * len(header)
    labels = [columns[header.index(task)] for task in table.tasks]
    value = {text: parse_label(text)[0] for text in set().union(*labels)}
    y = np.array([list(map(value.__getitem__, column)) for column in labels], np.float32).T.copy()
    found = (len(rows), int(np.count_nonzero(~np.isnan(y))))
    if digest != table.sha256 and found != (table.rows, table.labels):
        raise ValueError(
            f"{table.name}: {where} has {found[0]:,} rows and {found[1]:,} labels, but the table has {table.rows:,} and "
            f"{table.labels:,}; delete it and load again"
        )
    return Rows(list(map(strip_white, columns[header.index(table.smiles)])), y, digest)


def _download(table: Table, folder: Path) -> Rows:
    """Download a table under a temporary name, check it, and rename it."""
    import pooch

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / table.file
    temporary = folder / f".{table.file}.{os.getpid()}.part"
    try:
        with _DownloadBar(f"downloading {table.name}") as bar:
            pooch.HTTPDownloader(progressbar=bar)(table.url, str(temporary), None)
        rows = parse_table(table, temporary.read_bytes(), table.url)
        os.replace(temporary, target)
        return rows
    except (OSError, ValueError) as error:  # the errors of requests are OSErrors
        raise OSError(
            f"{table.name} could not be downloaded ({type(error).__name__}: {str(error)[:200]}); fetch {table.url} by hand "
            f"into {folder}, or into a folder that CATALASE_DATA_DIR names"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


class _DownloadBar:
    """A progress bar of rich with the methods that pooch calls."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(label, total=None)
        self.total: int | None = None

    def __enter__(self) -> _DownloadBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, n: int) -> None:
        """Advance the bar by n bytes."""
        self._bar.update(self._task, advance=n, total=self.total)

    def reset(self) -> None:
        """Do nothing; pooch calls this at the end."""

    def close(self) -> None:
        """Do nothing; pooch calls this at the end."""
