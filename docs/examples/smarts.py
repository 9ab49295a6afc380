"""The substructures of chapter 4 of "Deep Learning for the Life Sciences": SMARTS patterns, with the matched atoms marked.

    python smarts.py --out smarts

Four molecules are matched with three patterns: three carbons in a row, a carbon with any neighbour to another carbon, and
one whose neighbour is carbon, nitrogen or oxygen. Written are a picture for each pattern, and one for a drug.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import catalase as ct

SMILES = ["CCCCC", "CCOCC", "CCNCC", "CCSCC"]
PATTERNS = {"three-carbons": "CCC", "any-between": "C*C", "carbon-nitrogen-or-oxygen": "C[C,N,O]C"}
DRUG = "CCCc1nn(C)c2c1[nH]c(nc2=O)-c1cc(ccc1OCC)S(=O)(=O)N1CCN(C)CC1"  # sildenafil
GROUPS = {"sulfonamide": "S(=O)(=O)N", "ether": "[#6]O[#6]", "ring nitrogen": "[#7;R]"}


def main(arguments: Sequence[str] | None = None) -> dict[str, list[int]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="smarts")
    out = Path(parser.parse_args(arguments).out)
    out.mkdir(parents=True, exist_ok=True)

    matches = ct.ops.substructure(SMILES, list(PATTERNS.values()), what="atoms")
    counts: dict[str, list[int]] = {}
    for column, (name, pattern) in enumerate(PATTERNS.items()):
        of_pattern = [row[column] for row in matches]
        counts[pattern] = [len(found) for found in of_pattern]
        # The first match of each molecule, as in the book; of all that overlap the whole molecule would be marked.
        first = [found[:1] for found in of_pattern]
        ct.chem.draw(SMILES, out / f"{name}.png", legends=SMILES, highlight=first, columns=4)
        said = ", ".join(f"{smiles} {count}" for smiles, count in zip(SMILES, counts[pattern], strict=True))
        print(f"{pattern:10} {said}")

    (groups,) = ct.ops.substructure([DRUG], list(GROUPS.values()), what="atoms")
    legends = [f"{name}: {len(found)}" for name, found in zip(GROUPS, groups, strict=True)]
    ct.chem.draw([DRUG] * len(GROUPS), out / "sildenafil.png", legends=legends, highlight=groups, columns=len(GROUPS))
    print(f"sildenafil {', '.join(legends)}; pictures in {out}")
    counts["sildenafil"] = [len(found) for found in groups]
    return counts


if __name__ == "__main__":
    main(sys.argv[1:])
