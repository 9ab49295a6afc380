"""One standard form for each molecule: without counterions, neutral, as RDKit's canonical SMILES, and with its InChIKey."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag, is_number, listed, shown
from .._internal.report import Failure, Report
from .duplicates import Duplicates, duplicate_notes
from .reading import item_text, molecule_list, read_extended, read_molecule, refusal, split_extension

_MAX_ATOMS = 1_000  # of a molecule; RDKit then takes some 0.3 s, and InChI reads no more than 1,023
_ROUNDS = 5  # of neutralizing; a second one can change a molecule whose charges cannot all go, a third has not
# Salts that are drawn with covalent bonds. Bonds of other metals belong to complexes, which RDKit's own list would break.
_IONIC_BONDS = ("[Li,Na,K,Rb,Cs]~[#7,#8,#9,#16,Cl,Br,I]", "[Mg,Ca,Sr,Ba]~[#8,#9,#16,Cl,Br,I]")
_BARE_METALS = frozenset((3, 11, 12, 19, 20, 37, 38, 55, 56))  # RDKit's Reionizer gives these atoms a charge


class StandardForm(NamedTuple):
    """The standard form of one molecule; ``reason`` says why there is none.

    Attributes
    ----------
    smiles, inchikey : str
        "" where there is none.
    removed : tuple of str
        SMILES of the fragments that were removed.
    charges : int
        Number of charged atoms that neutralization took away.
    changes : str
        What was done, in words; "" where the molecule was in its standard form.
    mixture : bool
        Whether a removed fragment has carbon and half as many heavy atoms as the one that was kept, or more.
    reason : str
    """

    smiles: str = ""
    inchikey: str = ""
    removed: tuple[str, ...] = ()
    charges: int = 0
    changes: str = ""
    mixture: bool = False
    reason: str = ""

    @property
    def key(self) -> str:
        """What equal molecules share: the InChIKey, or the SMILES where InChI knows no such molecule."""
        return self.inchikey or self.smiles


class Standardized:
    """Standardized molecules in the order of the input, and what was done to them. `standardize` makes it.

    Attributes
    ----------
    smiles : list of str
        Canonical SMILES; "" for a molecule that could not be read, with ``errors="mask"``.
    inchikeys : list of str
        "" where there is none: for such molecules, for those that InChI does not describe, and with ``inchikey=False``.
    changes : list of str
        What was done to each molecule; "" where nothing was changed.
    kept : int64 ndarray
        The input row of each molecule.
    first : int64 ndarray
        The input row of the first molecule equal to it, which is its own for the first of its kind.
    labels : float64 ndarray of shape (molecules, tasks), or None
    tasks : list of str
    salts : dict of str to int
        The removed fragments by SMILES, and in how many molecules each was, the commonest first.
    duplicates : list of list of int
        The input rows of each molecule that occurs more than once.
    conflicts : list of Conflict
        Duplicates whose labels differ.
    report : Report
        Failures with their reasons by row; ``print(report)`` sums up everything.
    """

    def __init__(
        self, forms: Sequence[StandardForm], kept: Sequence[int], labels: NDArray[Any] | None, tasks: list[str]
    ) -> None:
        self.smiles = [form.smiles for form in forms]
        self.inchikeys = [form.inchikey for form in forms]
        self.changes = [form.changes for form in forms]
        self.kept = np.asarray(kept, np.int64)
        self.labels, self.tasks = labels, tasks
        duplicates = Duplicates(tasks)
        self.first = self.kept.copy()
        for place, (form, row) in enumerate(zip(forms, kept, strict=True)):
            if not form.reason:
                self.first[place] = duplicates.add(form.key, row, () if labels is None else labels[place].tolist())
        self.salts = removed_fragments(forms)
        self.duplicates = duplicates.repeated()
        self.conflicts = [conflict for found in duplicates.conflicts() for conflict in found]
        self.report = Report(0, 0)
        self._all = duplicates

    def __len__(self) -> int:
        return len(self.smiles)

    def __repr__(self) -> str:
        return f"Standardized({len(self):,} molecules, {len(self._all.rows):,} different)"

    def merge(self, how: str = "mean") -> tuple[list[str], NDArray[np.float64] | None, list[list[int]]]:
        """Return one entry for each different molecule, in the order of their first rows.

        Parameters
        ----------
        how : {"mean", "median", "missing"}
            The label of duplicates whose labels differ; "missing" is NaN. A task whose labels are all 0 and 1 gets NaN
            with each of them, since no class lies between. Missing labels do not count.

        Returns
        -------
        smiles : list of str
            The standardized SMILES of the first row of each molecule.
        labels : float64 ndarray of shape (molecules, tasks), or None
        rows : list of list of int
            The input rows of each molecule. Molecules that could not be read are in none.

        Examples
        --------
        >>> import catalase as ct
        >>> result = ct.chem.standardize(["CCN", "CC[NH3+].[Cl-]", "CCO"], labels=[1.0, 2.0, 5.0])
        >>> smiles, labels, rows = result.merge()
        >>> smiles, labels.ravel().tolist(), rows
        (['CCN', 'CCO'], [1.5, 5.0], [[0, 1], [2]])
        """
        labels = self._all.merged("merge", how)
        smiles = dict(zip(self.kept.tolist(), self.smiles, strict=True))
        rows = list(self._all.rows.values())
        return [smiles[same[0]] for same in rows], None if self.labels is None else labels, rows


def standardize(
    smiles: Sequence[Any],
    *,
    labels: Any = None,
    tasks: Sequence[str] | None = None,
    normalize: bool = True,
    largest_fragment: bool = True,
    neutralize: bool = True,
    inchikey: bool = True,
    errors: str = "raise",
) -> Standardized:
    """Return each molecule in one standard form, with a report of salts, charges, duplicates and labels that differ.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        SMILES, or CXSMILES: an extension such as ``|&1:1|`` is read by RDKit and then dropped, which ``changes`` says.
    labels : array of numbers of shape (molecules,) or (molecules, tasks), optional
        NaN is a missing label. Where given, duplicates whose labels differ are listed.
    tasks : sequence of str, optional
        Names of the columns of ``labels``; "label", or "label 0", "label 1" ... by default.
    normalize : bool
        Write functional groups in one way (RDKit's Normalizer), and break drawn bonds between alkali or alkaline earth
        metals and O, N, S or halogens.
    largest_fragment : bool
        Keep the largest organic fragment (the largest one, where none has carbon), without counterions and solvents.
    neutralize : bool
        Take charges away by adding and removing protons (RDKit's Reionizer and Uncharger). Charges that cannot go so,
        as in quaternary ammonium, nitro groups and N-oxides, stay, and as many opposite ones.
    inchikey : bool
        Make InChIKeys, by which duplicates are found. Else these are found by canonical SMILES.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, keep its row with the SMILES "", or leave it out.

    Returns
    -------
    Standardized

    Raises
    ------
    TypeError, ValueError
        As `read`; also for labels that are no numbers, or not as many as molecules.

    Notes
    -----
    All steps are RDKit's MolStandardize with its results (it writes sulfoxides with charges, for instance): some 600
    molecules a second, a quarter of the time for InChI. A molecule is refused by the limits of `read`, if it is empty, and
    beyond 1,000 atoms. The standard InChIKey is one for the common tautomers of a molecule, and differs between
    stereoisomers; the SMILES are not changed to one tautomer. Standardizing a result again changes nothing.

    References
    ----------
    Heller et al., J. Cheminform. 7 (2015) 23, doi:10.1186/s13321-015-0068-4 (InChI). Bento et al., J. Cheminform. 12
    (2020) 51, doi:10.1186/s13321-020-00456-1 (why and how databases standardize).

    Examples
    --------
    >>> import catalase as ct
    >>> table = ["CC(=O)[O-].[Na+]", "CC(=O)O", "C1CC", "OCC"]
    >>> result = ct.chem.standardize(table, labels=[1.0, 0.0, 1.0, 0.0], tasks=["toxic"], errors="mask")
    >>> result.smiles, result.first.tolist()
    (['CC(=O)O', 'CC(=O)O', '', 'CCO'], [0, 0, 2, 3])
    >>> print(result.report)
    4 of 4 kept
    1 had counterions or other fragments, which were removed: [Na+] (1)
    1 had charges, which were neutralized
    1 molecule occurs more than once, in 2 rows: 1 row repeats an earlier one
    1 of them has labels that differ: toxic: row 0: 1, row 1: 0
      2: 'C1CC': not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)
    """
    items = molecule_list("standardize", smiles)
    values, names = _labels(labels, tasks, len(items))
    standard = standardizer(
        "standardize", normalize=normalize, largest_fragment=largest_fragment, neutralize=neutralize, inchikey=inchikey
    )
    choice("standardize", "errors", errors, ("raise", "mask", "drop"))
    forms: list[StandardForm] = []
    failures: list[Failure] = []
    for position, item in enumerate(items):
        forms.append(standard(item))
        if forms[-1].reason:
            failures.append(Failure(position, item_text(item), forms[-1].reason))
            if errors == "raise":
                raise refusal("standardize", item, failures[-1], len(items), "gives '' in its place")
    kept = [i for i, form in enumerate(forms) if errors != "drop" or not form.reason]
    part = [forms[i] for i in kept]
    result = Standardized(part, kept, None if values is None else values[kept], names)
    result.report = standard_report(forms, result._all, failures, len(items), len(result))
    return result


def removed_fragments(forms: Sequence[StandardForm]) -> dict[str, int]:
    """Return the fragments that were removed, and from how many molecules, the commonest first."""
    return dict(Counter(fragment for form in forms for fragment in set(form.removed)).most_common())


def standard_report(
    forms: Sequence[StandardForm],
    duplicates: Duplicates,
    failures: Sequence[Failure],
    total: int,
    kept: int,
    first: int = 0,
) -> Report:
    """Return the report of standardized molecules; its sentences count rows from ``first``."""
    counts = {
        "changed": sum(bool(form.changes) for form in forms),
        "salts": sum(bool(form.removed) for form in forms),
        "mixtures": sum(form.mixture for form in forms),
        "neutralized": sum(form.charges > 0 for form in forms),
        "duplicates": sum(len(rows) - 1 for rows in duplicates.repeated()),
        "conflicts": len(duplicates.conflicts()),
        "refused": len(failures),
    }
    said = []
    if counts["salts"]:
        salts = removed_fragments(forms)
        common = ", ".join(f"{fragment} ({count:,})" for fragment, count in list(salts.items())[:8])
        more = f" and {len(salts) - 8:,} others" if len(salts) > 8 else ""
        said.append(f"{counts['salts']:,} had counterions or other fragments, which were removed: {common}{more}")
    if counts["mixtures"]:
        said.append(f"{counts['mixtures']:,} of these lost an organic fragment of half the size or more: look at them")
    if counts["neutralized"]:
        said.append(f"{counts['neutralized']:,} had charges, which were neutralized")
    return Report(total, kept, failures, said + duplicate_notes(duplicates, first), counts)


def standardizer(
    function: str, *, normalize: bool, largest_fragment: bool, neutralize: bool, inchikey: bool
) -> Callable[[Any], StandardForm]:
    """Return the function that gives one molecule its standard form; ``function`` is named in errors of the settings."""
    steps = (
        flag(function, "normalize", normalize),
        flag(function, "largest_fragment", largest_fragment),
        flag(function, "neutralize", neutralize),
    )
    inchikey = flag(function, "inchikey", inchikey)

    def form(item: Any) -> StandardForm:
        from rdkit import rdBase

        molecule, said, reason = _read(item)
        if reason:
            return StandardForm(reason=reason)
        with rdBase.BlockLogs():
            try:
                return _form(molecule, said, steps, inchikey)
            except (ValueError, RuntimeError) as error:
                return StandardForm(reason=f"RDKit cannot standardize it: {' '.join(str(error).split())[:200]}")

    return form


def _read(item: Any) -> tuple[Any, list[str], str]:
    """Return an RDKit molecule, what its extension was about, and the reason why it cannot be standardized."""
    smiles, extension = split_extension(item) if isinstance(item, str) else ("", "")
    said: list[str] = []
    if extension:
        molecule, said, reason = read_extended(smiles, extension)
    else:
        molecule, reason = read_molecule(item)
    if reason:
        return None, [], reason
    atoms = molecule.GetNumAtoms()
    if not atoms:
        return None, [], "the SMILES is empty" if isinstance(item, str) else "the molecule has no atoms"
    if atoms > _MAX_ATOMS:
        return None, [], f"it has {atoms:,} atoms; a molecule of at most {_MAX_ATOMS:,} is standardized"
    return molecule, said, ""


class _Tools(NamedTuple):
    """RDKit's objects, with settings that stay."""

    disconnector: Any
    normalizer: Any
    chooser: Any
    reionizer: Any
    uncharger: Any


@functools.cache
def _tools() -> _Tools:
    from rdkit import Chem
    from rdkit.Chem.MolStandardize import rdMolStandardize as steps

    disconnector = steps.MetalDisconnector()
    alkali, earth = (Chem.MolFromSmarts(pattern) for pattern in _IONIC_BONDS)
    disconnector.SetMetalNof(alkali)
    disconnector.SetMetalNon(earth)
    chooser = steps.LargestFragmentChooser(True)
    return _Tools(disconnector, steps.Normalizer(), chooser, steps.Reionizer(), steps.Uncharger())


def _form(molecule: Any, said: list[str], steps: tuple[bool, bool, bool], inchikey: bool) -> StandardForm:
    """Return the standard form of an RDKit molecule; ``said`` are the changes so far."""
    from rdkit import Chem

    normalize, largest_fragment, neutralize = steps
    removed: tuple[str, ...] = ()
    tools, mixture, charges = _tools(), False, 0
    if normalize:
        bonds = molecule.GetNumBonds()
        molecule = tools.disconnector.Disconnect(molecule)
        said += ["broke bonds to metal ions"] * (molecule.GetNumBonds() < bonds)
        spelled = Chem.MolToSmiles(molecule)
        molecule = tools.normalizer.normalize(molecule)
        said += ["wrote groups in their normal form"] * (Chem.MolToSmiles(molecule) != spelled)
    if largest_fragment:
        molecule, removed, mixture = _largest(molecule)
        said += [f"removed {' and '.join(removed)}"] * bool(removed)
    if neutralize:
        molecule, charges, kept = _neutral(molecule)
        said += [f"neutralized {charges} charge{'s' * (charges > 1)}"] * (charges > 0)
        said += ["kept its charges, since RDKit cannot read the neutral form"] * kept
    net = Chem.GetFormalCharge(molecule)
    said += [f"a charge of {net:+d} remains"] * (net != 0)
    molecule, smiles = _read_again(molecule)
    if molecule is None:
        return StandardForm(reason=f"RDKit cannot read the SMILES of its standard form, {smiles[:80]!r}")
    key = Chem.MolToInchiKey(molecule) if inchikey else ""
    return StandardForm(smiles, key, removed, charges, "; ".join(said), mixture)


def _read_again(molecule: Any) -> tuple[Any, str]:
    """Return the molecule that its SMILES gives, and its SMILES; None where RDKit cannot read what it wrote."""
    from rdkit import Chem

    smiles = Chem.MolToSmiles(molecule)
    again = Chem.MolFromSmiles(smiles)
    return (again, smiles) if again is None else (again, Chem.MolToSmiles(again))


def _largest(molecule: Any) -> tuple[Any, tuple[str, ...], bool]:
    """Return the largest fragment, the SMILES of the others, and whether one of these is nearly as large."""
    from rdkit import Chem

    fragments = Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)
    if len(fragments) == 1:
        return molecule, (), False
    chosen = _tools().chooser.choose(molecule)
    others = Counter(map(Chem.MolToSmiles, fragments)) - Counter([Chem.MolToSmiles(chosen)])
    second = max(
        (
            fragment.GetNumHeavyAtoms()
            for fragment in fragments
            if Chem.MolToSmiles(fragment) in others and any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
        ),
        default=0,
    )
    return chosen, tuple(sorted(others.elements())), 2 * second >= chosen.GetNumHeavyAtoms()


def _neutral(molecule: Any) -> tuple[Any, int, bool]:
    """Return the molecule without the charges that can go, their number, and whether they stay for want of a SMILES."""
    before = _charged(molecule)
    if not before and not any(a.GetDegree() == 0 and a.GetAtomicNum() in _BARE_METALS for a in molecule.GetAtoms()):
        return molecule, 0, False
    tools, (_, last) = _tools(), _read_again(molecule)
    for _ in range(_ROUNDS):
        neutral, smiles = _read_again(tools.uncharger.uncharge(tools.reionizer.reionize(molecule)))
        if neutral is None:
            return molecule, max(0, before - _charged(molecule)), True
        molecule = neutral
        if smiles == last:
            break
        last = smiles
    return molecule, max(0, before - _charged(molecule)), False


def _charged(molecule: Any) -> int:
    return sum(atom.GetFormalCharge() != 0 for atom in molecule.GetAtoms())


def _labels(labels: Any, tasks: Any, rows: int) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the labels as a matrix of float64, and the names of its columns."""
    if labels is None:
        if tasks is not None:
            raise ValueError(
                f"standardize: tasks are names of the columns of labels, which is None, got {shown(tasks)}"
            )
        return None, []
    try:
        given = np.asarray(labels)
        numbers = given.dtype.kind in "iufb" or (
            given.dtype.kind == "O" and all(v is None or is_number(v) for v in given.ravel().tolist())
        )
        values = given.astype(np.float64) if numbers else None
    except (TypeError, ValueError, OverflowError, RecursionError):
        values = None
    if values is None:
        raise TypeError(f"standardize: labels must be an array of numbers, got {shown(labels)}")
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != rows:
        raise ValueError(
            f"standardize: labels must have a row for each of the {rows:,} molecules, got shape {given.shape}"
        )
    if np.isinf(values).any():
        raise ValueError("standardize: labels must be finite numbers, or NaN where one is missing, got infinity")
    width = values.shape[1]
    names = ["label"] if width == 1 else [f"label {t}" for t in range(width)]
    if tasks is not None:
        names = listed("standardize", "tasks", tasks, "names of columns")
        if len(names) != width or not all(isinstance(name, str) for name in names):
            raise ValueError(f"standardize: tasks must be {width} names, one a column of labels, got {shown(tasks)}")
    return values, names
