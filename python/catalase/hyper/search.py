"""Searches for the settings of a model: every combination, some at random, or those that Optuna proposes."""

from __future__ import annotations

import copy
import hashlib
import inspect
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from .._internal import storage
from .._internal.numbers import listed, path_of, plain, shown, whole_number
from ..data.graph import dataset_in_memory
from ..feat import Featurizer
from ..metrics import Metric
from ..models.model import check_transformers
from .checks import check_data, larger_wins, one_metric
from .trials import TrialLog, check_executor, finished

Settings = dict[str, Any]
FEATURIZER = "featurizer"


class SearchResult(NamedTuple):
    """What a search found; it unpacks as DeepChem's.

    Attributes
    ----------
    best_model : Model
        That of the best score, trained on the training rows.
    best_hyperparams : dict
        Its settings.
    all_scores : dict of str to float
        The validation score of each trial, by its settings as a text.
    """

    best_model: Any
    best_hyperparams: Settings
    all_scores: dict[str, float]


class HyperparamOpt:
    """What the searches share. A search says by `_plan` or `_run` which settings are tried."""

    def __init__(self, model_builder: Callable[..., Any]) -> None:
        name = type(self).__name__
        if not callable(model_builder):
            raise TypeError(
                f"{name}: model_builder must be a function of settings that returns a model, got {shown(model_builder)}"
            )
        self.model_builder = model_builder

    def hyperparam_search(
        self,
        params_dict: Mapping[str, Any],
        train_dataset: Any,
        valid_dataset: Any,
        metric: Metric,
        output_transformers: Sequence[Any] = (),
        nb_epoch: int = 10,
        use_max: bool = True,
        logfile: str = "trials.jsonl",
        logdir: Any = None,
        *,
        executor: Any = None,
    ) -> SearchResult:
        """Train a model for each of some settings, and return the one that scores best on validation.

        Parameters
        ----------
        params_dict : dict of str to list
            The values to try of each argument of ``model_builder``; what else a value may be, the search says. The name
            "featurizer" is no argument: its values are featurizers, which make X from the ``ids`` of both datasets (SMILES,
            sequences), once each; the builder is then given ``n_features``, the number of columns, except for graphs.
        train_dataset, valid_dataset : Dataset
        metric : Metric
        output_transformers : sequence of Transformer
            Those that the labels of the datasets were transformed with, as `Model.evaluate` takes them.
        nb_epoch : int
            Given to the method ``fit`` of models that take it.
        use_max : bool
            Whether a larger score is better: False for errors such as `rms_score`. A warning says where the metric is known
            to be the other way round.
        logfile : str
            The name of the log in ``logdir``.
        logdir : path, optional
            A folder for the log of all trials, in JSON lines. A search that finds the log of the same search goes on
            from there, and gives the same result.
        executor : concurrent.futures.Executor, optional
            Runs trials side by side; by default they run in turn. The result is the same. For processes, Dask or MPI the
            builder must be a function that can be pickled, no lambda.

        Returns
        -------
        SearchResult
            Of equal scores the first is the best; a score of nan never is.

        Raises
        ------
        RuntimeError
            Where a trial fails: it names the settings; and where another search writes into ``logdir``.
        TypeError, ValueError
            For arguments that do not fit, the log of another search, and where all scores are nan.

        Notes
        -----
        Let the builder give its models a seed: equal settings then give equal bits, for any executor and after a kill.
        The best model of a search that went on from a log is trained again, where its trial is in the log. The log knows the
        settings, the labels, the identifiers and the featurizers of the data, but not what the builder does: remove it after
        a change there.
        """
        where = type(self).__name__
        if not isinstance(params_dict, Mapping) or not params_dict or not all(isinstance(n, str) for n in params_dict):
            raise TypeError(f"{where}: params_dict must be a dict of lists by name, got {shown(params_dict)}")
        check_data(where, train_dataset, "train_dataset")
        check_data(where, valid_dataset, "valid_dataset")
        metric = one_metric(where, metric)
        undo = list(check_transformers(where, output_transformers)) or None
        nb_epoch = whole_number(where, "nb_epoch", nb_epoch, 0)
        use_max = larger_wins(where, "use_max", use_max, metric)
        name = path_of(where, "logfile", logfile)
        path = None
        if logdir is not None:
            path = path_of(where, "logdir", logdir) / name
            path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            "search": where,
            "metric": metric.name,
            "use_max": use_max,
            "nb_epoch": nb_epoch,
            "rows": [len(train_dataset), len(valid_dataset)],
            "data": _digest(train_dataset, valid_dataset),
        }
        trainer = _Trainer(self.model_builder, train_dataset, valid_dataset, metric, undo, nb_epoch)
        executor = check_executor(where, executor)
        with nullcontext() if path is None else storage.writing(where, path.parent):
            trials = _Trials(where, trainer, use_max, TrialLog(where, path), executor)
            self._run(dict(params_dict), header, trials)
        return trials.result()

    def _run(self, params: Mapping[str, Any], header: dict[str, Any], trials: _Trials) -> None:
        plan, drawn = self._plan(params, trials.log)
        texts = [text_of(settings, places) for settings, places in plan]
        trials.log.begin({**header, "settings": texts, **({"drawn": drawn} if drawn else {})})
        trials.run({i: (settings, text) for i, ((settings, _), text) in enumerate(zip(plan, texts, strict=True))})

    def _plan(self, params: Mapping[str, Any], log: TrialLog) -> tuple[list[tuple[Settings, Settings]], dict[str, Any]]:
        """Return the settings of all trials with the place of each value in its list, and the values that were drawn."""
        raise TypeError(f"{type(self).__name__} tries nothing; use GridHyperparamOpt or RandomHyperparamOpt")


class GridHyperparamOpt(HyperparamOpt):
    """Tries every combination of the values in ``params_dict``, whose lists may not be empty.

    Parameters
    ----------
    model_builder : callable
        ``model_builder(**settings)`` returns a model that is not trained yet.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> train, valid = ct.data.NumpyDataset(X[::2], 3 * X[::2]), ct.data.NumpyDataset(X[1::2], 3 * X[1::2])
    >>> search = ct.hyper.GridHyperparamOpt(lambda alpha: ct.models.RidgeRegression(1, 1, alpha=alpha))
    >>> model, settings, scores = search.hyperparam_search(
    ...     {"alpha": [10.0, 0.001]}, train, valid, ct.metrics.Metric(ct.metrics.rms_score), use_max=False
    ... )
    >>> settings, sorted(scores)
    ({'alpha': 0.001}, ['_alpha_0.001000', '_alpha_10.000000'])
    """

    def _plan(self, params: Mapping[str, Any], log: TrialLog) -> tuple[list[tuple[Settings, Settings]], dict[str, Any]]:
        where = type(self).__name__
        lists = {name: _values(where, name, values) for name, values in params.items()}
        places = [
            dict(zip(lists, chosen, strict=True))
            for chosen in itertools.product(*(range(len(values)) for values in lists.values()))
        ]
        return [({name: lists[name][i] for name, i in place.items()}, place) for place in places], {}


class RandomHyperparamOpt(HyperparamOpt):
    """Tries some combinations, drawn at random.

    A value of ``params_dict`` is a list, of which one is chosen, or a function that draws one: it is called with NumPy's
    generator if it takes one argument, with ``random_state`` if it has such an argument, as the ``rvs`` of SciPy's
    distributions, and else with nothing. Where all values are lists no combination comes twice.

    Parameters
    ----------
    model_builder : callable
        ``model_builder(**settings)`` returns a model that is not trained yet.
    max_iter : int
        The number of trials; fewer where there are fewer combinations.
    seed : int
        Of the draws.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> data = ct.data.NumpyDataset(X, 3 * X)
    >>> search = ct.hyper.RandomHyperparamOpt(lambda alpha: ct.models.RidgeRegression(1, 1, alpha=alpha), max_iter=5)
    >>> model, settings, scores = search.hyperparam_search(
    ...     {"alpha": lambda rng: 10.0 ** rng.uniform(-6, 2)}, data, data, ct.metrics.Metric(ct.metrics.r2_score)
    ... )
    >>> len(scores)
    5
    """

    def __init__(self, model_builder: Callable[..., Any], max_iter: int, *, seed: int = 0) -> None:
        super().__init__(model_builder)
        name = type(self).__name__
        self.max_iter = whole_number(name, "max_iter", max_iter, 1, 1_000_000)
        self.seed = whole_number(name, "seed", seed, 0)

    def _plan(self, params: Mapping[str, Any], log: TrialLog) -> tuple[list[tuple[Settings, Settings]], dict[str, Any]]:
        where = type(self).__name__
        rng = np.random.default_rng(self.seed)
        samplers = {name: values for name, values in params.items() if callable(values)}
        lists = {name: _values(where, name, values) for name, values in params.items() if name not in samplers}
        count = self.max_iter if samplers else min(self.max_iter, math.prod(map(len, lists.values())))
        places: dict[tuple[int, ...], None] = {}
        rows: list[tuple[int, ...]] = []
        while len(rows) < count:
            place = tuple(int(rng.integers(len(values))) for values in lists.values())
            if samplers or place not in places:
                places[place] = None
                rows.append(place)
        known = {} if log.header is None else log.header.get("drawn", {})
        if isinstance(known, dict) and known.keys() == samplers.keys() and all(len(v) == count for v in known.values()):
            drawn = known
        else:
            drawn = {name: [plain(_draw(sample, rng)) for _ in range(count)] for name, sample in samplers.items()}
        if log.path is not None:
            _check_json(where, drawn)
        plan = []
        for i, row in enumerate(rows):
            at = dict(zip(lists, row, strict=True))
            chosen = {n: lists[n][at[n]] if n in lists else drawn[n][i] for n in params}
            plan.append((chosen, {n: at.get(n, i) for n in params}))
        return plan, drawn


class OptunaOpt(HyperparamOpt):
    """Tries what Optuna's tree-structured Parzen estimator proposes from the scores so far.

    A value of ``params_dict`` is a list, or a distribution such as ``optuna.distributions.FloatDistribution(1e-4, 0.1,
    log=True)``. It needs optuna: ``pip install "catalase[hyper]"``.

    Parameters
    ----------
    model_builder : callable
        ``model_builder(**settings)`` returns a model that is not trained yet.
    max_iter : int
        The number of trials.
    seed : int
        Of the proposals.
    at_once : int
        How many settings are proposed before their scores are known, so that an executor can run them side by side. The
        result depends on it, and not on the executor.

    References
    ----------
    T. Akiba et al., Optuna, 2019, doi:10.1145/3292500.3330701.
    """

    def __init__(
        self, model_builder: Callable[..., Any], max_iter: int = 50, *, seed: int = 0, at_once: int = 1
    ) -> None:
        super().__init__(model_builder)
        name = type(self).__name__
        self.max_iter = whole_number(name, "max_iter", max_iter, 1, 1_000_000)
        self.seed = whole_number(name, "seed", seed, 0, 2**32 - 1)
        self.at_once = whole_number(name, "at_once", at_once, 1, 1_000_000)

    def _run(self, params: Mapping[str, Any], header: dict[str, Any], trials: _Trials) -> None:
        where = type(self).__name__
        try:
            import optuna
        except ImportError:
            raise ImportError(f"{where}: optuna is needed; pip install 'catalase[hyper]'") from None
        lists: dict[str, list[Any]] = {}
        space: dict[str, Any] = {}
        for name, values in params.items():
            if isinstance(values, optuna.distributions.BaseDistribution):
                space[name] = values
            else:
                lists[name] = _values(where, name, values)
                space[name] = optuna.distributions.CategoricalDistribution(range(len(lists[name])))
        texts = {name: [_text(v, i) for i, v in enumerate(values)] for name, values in lists.items()}
        asked = {name: texts.get(name, str(distribution)) for name, distribution in space.items()}
        own = {"settings": asked, "seed": self.seed, "at_once": self.at_once}
        trials.log.begin({**header, **own})
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(
                direction="maximize" if trials.use_max else "minimize",
                sampler=optuna.samplers.TPESampler(seed=self.seed),
            )
        finally:
            optuna.logging.set_verbosity(before)
        for start in range(0, self.max_iter, self.at_once):
            numbers = range(start, min(start + self.at_once, self.max_iter))
            proposals = {i: study.ask(space) for i in numbers}
            some = {}
            for i, proposal in proposals.items():
                places = dict(proposal.params)
                settings = {n: lists[n][places[n]] if n in lists else places[n] for n in params}
                some[i] = settings, text_of(settings, places)
            trials.run(some)
            for i, proposal in proposals.items():
                score = trials.scores[i]
                if math.isfinite(score):
                    study.tell(proposal, score)
                else:
                    study.tell(proposal, state=optuna.trial.TrialState.FAIL)


class _Trainer(NamedTuple):
    """Everything of a trial but its settings; it travels to other processes."""

    builder: Callable[..., Any]
    train: Any
    valid: Any
    metric: Metric
    undo: list[Any] | None
    nb_epoch: int


def _train(trainer: _Trainer, settings: Settings) -> tuple[float, Any]:
    """Return the score and the model of some settings."""
    model = trainer.builder(**copy.deepcopy(settings))
    takes = inspect.signature(model.fit).parameters
    options = {"nb_epoch": trainer.nb_epoch, "progress": False}
    model.fit(trainer.train, **{name: value for name, value in options.items() if name in takes})
    return float(model.evaluate(trainer.valid, [trainer.metric], trainer.undo)[trainer.metric.name]), model


class _Trials:
    """The trials of a search: what they scored, and the best model of those that were run here."""

    def __init__(self, where: str, trainer: _Trainer, use_max: bool, log: TrialLog, executor: Any) -> None:
        self.where, self.trainer, self.use_max, self.log, self.executor = where, trainer, use_max, log, executor
        self.settings: dict[int, Settings] = {}
        self.texts: dict[int, str] = {}
        self.scores: dict[int, float] = {}
        self._featurized: dict[Featurizer, tuple[_Trainer, dict[str, int]]] = {}
        self._model: tuple[int, Any] | None = None

    def run(self, trials: Mapping[int, tuple[Settings, str]]) -> None:
        """Run the trials, by their numbers, that are not in the log."""
        jobs = {}
        for i, (settings, text) in trials.items():
            self.settings[i], self.texts[i] = settings, text
            if i in self.log.scores:
                logged, self.scores[i] = self.log.scores[i]
                if logged != text:
                    raise ValueError(
                        f"{self.where}: logdir has the log of another search, whose trial {i + 1} is {logged} instead of "
                        f"{text}; give another folder"
                    )
            else:
                jobs[i] = f"the trial {settings!r}", self._job(settings)
        for i, (score, model) in finished(self.where, _train, jobs, self.executor):
            self.scores[i] = score
            self.log.add(i, self.texts[i], score)
            if self._model is None or i == self._best([self._model[0], i]):
                self._model = i, model

    def _job(self, settings: Settings) -> tuple[_Trainer, Settings]:
        if FEATURIZER not in settings:
            return self.trainer, settings
        featurizer = settings[FEATURIZER]
        if not isinstance(featurizer, Featurizer):
            raise TypeError(
                f"{self.where}: params_dict must have featurizers under {FEATURIZER!r}, such as "
                f"catalase.feat.CircularFingerprint(), got {shown(featurizer)}"
            )
        if featurizer not in self._featurized:
            train, valid = (_featurized(data, featurizer) for data in (self.trainer.train, self.trainer.valid))
            width = {"n_features": train.X.shape[1]} if train.X.ndim == 2 else {}
            self._featurized[featurizer] = self.trainer._replace(train=train, valid=valid), width
        trainer, width = self._featurized[featurizer]
        return trainer, {**{n: v for n, v in settings.items() if n != FEATURIZER}, **width}

    def _best(self, numbers: Iterable[int]) -> int | None:
        """Return the first of the trials with the best score; None where all are nan."""
        known = sorted(i for i in numbers if not math.isnan(self.scores[i]))
        sign = 1 if self.use_max else -1
        return max(known, key=lambda i: sign * self.scores[i]) if known else None

    def result(self) -> SearchResult:
        """Return the best trial; its model is trained again where its score is from the log."""
        best = self._best(self.scores)
        if best is None:
            raise ValueError(
                f"{self.where}: metric is nan for all {len(self.scores)} trials, so there is no best model"
            )
        if self._model is not None and self._model[0] == best:
            model = self._model[1]
        else:
            score, model = _train(*self._job(self.settings[best]))
            if score != self.scores[best]:
                warnings.warn(
                    f"{self.where}: the best model, trained again, scores {score:g} instead of {self.scores[best]:g} as in "
                    "the log; let model_builder give its models a seed",
                    RuntimeWarning,
                    stacklevel=3,
                )
        return SearchResult(model, self.settings[best], {self.texts[i]: self.scores[i] for i in sorted(self.scores)})


def _digest(*datasets: Any) -> str:
    """Return what tells datasets from others: their labels, weights, identifiers and featurizers."""
    digest = hashlib.sha256()
    for data in datasets:
        for column in (data.y, data.w, getattr(data, "ids", ())):
            array = np.asarray(column)
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())
        digest.update(repr(getattr(data, "featurizer", None)).encode())
    return digest.hexdigest()[:16]


def _featurized(data: Any, featurizer: Featurizer) -> Any:
    X = featurizer.featurize(data.ids.tolist())
    return dataset_in_memory(X, data.y, data.w, data.ids, tasks=data.tasks, featurizer=featurizer)


def _values(where: str, name: str, values: Any) -> list[Any]:
    found = [plain(value) for value in listed(where, "params_dict", values, f"values of {name}")]
    if not found:
        raise ValueError(f"{where}: params_dict has no value for {name}; give one or more")
    return found


def _draw(sample: Callable[..., Any], rng: np.random.Generator) -> Any:
    try:
        takes = inspect.signature(sample).parameters
    except (TypeError, ValueError):  # some compiled functions do not tell
        return sample()
    if "random_state" in takes:
        return sample(random_state=rng)
    needed = [
        p for p in takes.values() if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return sample(rng) if len(needed) == 1 else sample()


def _check_json(where: str, drawn: dict[str, Any]) -> None:
    try:
        json.dumps(drawn, allow_nan=False)
    except (TypeError, ValueError):
        raise TypeError(
            f"{where}: params_dict has a function that draws what a log cannot hold; with logdir, draw numbers, texts or "
            "lists of them"
        ) from None


def text_of(settings: Settings, places: Mapping[str, Any]) -> str:
    """Return settings as a text, in DeepChem's form: ``_alpha_0.100000_layer_sizes[32]``.

    A float that six decimals do not hold is written in full, so that no two settings share a text.
    """
    return "".join(f"_{name}{_text(settings[name], places[name])}" for name in sorted(settings))


def _text(value: Any, place: Any) -> str:
    if isinstance(value, float):
        return f"_{value:f}" if float(f"{value:f}") == value else f"_{value!r}"
    if isinstance(value, int):
        return f"_{value}"
    if isinstance(value, (str, list, type(None), Featurizer)):
        return str(value)
    return f"_{getattr(value, '__name__', type(value).__name__)}_{place}"  # whose own text may have an address
