"""The option ``--features`` of the commands that make features of molecules, and the featurizer that it describes."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .options import list_of, name, whole_number

if TYPE_CHECKING:
    from ...feat import Featurizer

_RADIUS, _SIZE = 2, 2048


def add_feature_options(parser: Any, *, default: str, asked: bool = False) -> None:
    """Add the options that `featurizer_of` reads to a parser or a group of one.

    With ``asked`` those that the user does not give are None, and `featurizer_of` takes their defaults.
    """
    parser.add_argument(
        "--features",
        metavar="NAMES",
        type=list_of(name),
        default=None if asked else [default],
        help="with commas between them: ecfp (bits of circular fingerprints), counts (how often each occurs), chiral-ecfp "
        "(bits that tell enantiomers apart), fcfp (bits of what atoms do, such as accepting hydrogen bonds), maccs (keys), "
        "atom-pairs, torsions and paths (bits), descriptors (the 97 that cost little), all-descriptors (RDKit's 217), or "
        f"names of descriptors such as MolWt,TPSA (default: {default})",
    )
    parser.add_argument(
        "--radius",
        type=whole_number(0, 100),
        default=None if asked else _RADIUS,
        help=f"of the fingerprints (default: {_RADIUS})",
    )
    parser.add_argument(
        "--size",
        type=whole_number(8),
        default=None if asked else _SIZE,
        help=f"bits of the fingerprints (default: {_SIZE})",
    )


def featurizer_of(options: argparse.Namespace) -> Featurizer:
    """Return the featurizer of ``--features``, in that order; of several, a combined one."""
    from ... import feat

    radius = _RADIUS if options.radius is None else options.radius
    size = _SIZE if options.size is None else options.size
    make: dict[str, Callable[[], Featurizer]] = {
        "ecfp": lambda: feat.CircularFingerprint(radius=radius, size=size),
        "counts": lambda: feat.CircularFingerprint(radius=radius, size=size, is_counts_based=True),
        "chiral-ecfp": lambda: feat.CircularFingerprint(radius=radius, size=size, chiral=True),
        "fcfp": lambda: feat.CircularFingerprint(radius=radius, size=size, features=True),
        "maccs": feat.MACCSKeysFingerprint,
        "atom-pairs": lambda: feat.AtomPairFingerprint(size=size),
        "torsions": lambda: feat.TopologicalTorsionFingerprint(size=size),
        "paths": lambda: feat.RDKitFingerprint(size=size),
        "descriptors": feat.Descriptors,
        "all-descriptors": lambda: feat.Descriptors(feat.DESCRIPTOR_NAMES),
    }
    given: list[str] = ["ecfp"] if options.features is None else options.features
    choices = f"choose from {', '.join(make)} and RDKit's descriptors, such as MolWt and TPSA"
    if not given:
        raise ValueError(f"--features names nothing; {choices}")
    for one in given:
        if one not in make and one not in feat.DESCRIPTOR_NAMES:
            raise ValueError(f"--features names {one!r}; {choices}")
        if given.count(one) > 1:
            raise ValueError(f"--features names {one} twice; name each once")
    parts: list[Featurizer] = []
    for is_kind, group in itertools.groupby(given, make.__contains__):
        names = list(group)
        parts += [make[kind]() for kind in names] if is_kind else [feat.Descriptors(names)]
    return parts[0] if len(parts) == 1 else feat.Combined(*parts)


def fitted(featurizer: Featurizer, smiles: Any) -> Featurizer:
    """Return the featurizer fitted to some molecules: descriptors of mean 0 and deviation 1, the tokens that occur."""
    from ... import data, feat, trans

    if isinstance(featurizer, feat.Descriptors):
        scaler = trans.NormalizationTransformer(transform_X=True, dataset=data.NumpyDataset(featurizer(smiles)))
        return feat.TransformedFeaturizer(featurizer, [scaler])
    if isinstance(featurizer, feat.Combined):
        parts = [fitted(part, smiles) for part in featurizer.featurizers]
        changed = any(new is not old for new, old in zip(parts, featurizer.featurizers, strict=True))
        return feat.Combined(*parts) if changed else featurizer
    if isinstance(featurizer, feat.SmilesTokens):
        from ...feat.smiles_tokens import spelled

        texts, _ = spelled(list(smiles), featurizer.canonical)
        return feat.SmilesTokens(data.SmilesTokenizer.fit(texts, unknown="token"), featurizer.canonical)
    return featurizer
