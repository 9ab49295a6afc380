"""The filtering of a library in chapter 11 of "Deep Learning for the Life Sciences": properties, and structural alerts.

    python filter_library.py zinc250k.smi.gz --alerts pains,brenk --out filtered

Before a library is screened, molecules are left out that nobody would follow up: too large, too greasy, or with a group
that reacts or disturbs assays. The book runs rd_filters for this. Written are the molecules that pass (CSV), and all others
with the reason.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import catalase as ct

RANGES = {  # the lowest and the highest value that passes
    "MolWt": (0, 500),
    "MolLogP": (-5, 5),
    "NumHDonors": (0, 5),
    "NumHAcceptors": (0, 10),
    "TPSA": (0, 200),
}


def main(arguments: Sequence[str] | None = None) -> dict[str, int]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", help="any file of molecules that catalase reads")
    parser.add_argument("--smiles", default="smiles", help="column of SMILES in a table")
    parser.add_argument("--alerts", default="pains,brenk", help="catalogs of ct.feat.filter_catalog")
    parser.add_argument("--out", default="filtered")
    options = parser.parse_args(arguments)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)

    begin = time.perf_counter()
    loader = ct.data.CSVLoader([], ct.feat.Descriptors(list(RANGES)), feature_field=options.smiles)
    data = loader.create_dataset(options.library, errors="drop")
    failures = [(failure.text, f"cannot be read: {failure.reason}") for failure in data.report.failures]
    low, high = np.array(list(RANGES.values())).T
    outside = (low > data.X) | (high < data.X)
    inside = np.flatnonzero(~outside.any(axis=1))

    # Only molecules whose properties are right are searched for alerts.
    smiles = data.ids.tolist()
    alerts = ct.feat.filter_catalog(options.alerts.split(",")).matches([smiles[i] for i in inside])
    passed = [i for i, found in zip(inside.tolist(), alerts, strict=True) if not found]

    why = {i: [f"alert: {name}" for name in found] for i, found in zip(inside.tolist(), alerts, strict=True) if found}
    why |= {
        i: [name for name, bad in zip(RANGES, outside[i], strict=True) if bad] for i in np.flatnonzero(outside.any(1))
    }
    with open(out / "passed.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", *RANGES])
        writer.writerows([smiles[i], *(f"{value:.6g}" for value in data.X[i])] for i in passed)
    with open(out / "left_out.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "reason"])
        writer.writerows([smiles[i], "; ".join(reasons)] for i, reasons in sorted(why.items()))
        writer.writerows(failures)

    seconds = time.perf_counter() - begin
    print(f"{len(passed):,} of {data.report.total:,} molecules pass ({seconds:.1f} s); files in {out}")
    for reason, count in Counter(reason for reasons in why.values() for reason in reasons).most_common(8):
        print(f"  {count:,}  {reason}")
    return {"total": data.report.total, "passed": len(passed), "left out": len(why), "unreadable": len(failures)}


if __name__ == "__main__":
    main(sys.argv[1:])
