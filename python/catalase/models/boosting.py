"""Gradient-boosted trees of LightGBM as models, saved in LightGBM's own text format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import train
from .._internal.numbers import plain, shown
from .._internal.registry import Int, Plain, Str
from ..metrics import Metric
from .estimators import Known, Learned, SklearnModel
from .settings import Settings, declared

if TYPE_CHECKING:
    from ..data.dataset import Batched

_HELD_OUT = 0.2  # of the rows, where there is no validation set
_MORE_ROUNDS = 1.25  # for the fit to all rows, which are more


class _EvalMetric(Str):
    """The name of a metric of LightGBM, or a function as its scikit-learn interface takes, which cannot be saved."""

    writes_none = False

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if value is None or isinstance(value, str) or (callable(value) and not isinstance(value, type)):
            return value
        raise TypeError(f"{owner}: {key} must be None, a name or a function, got {shown(value)}")

    def give(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError("save: eval_metric is a function, which a saved config cannot name; give a metric's name")
        return value


@declared
class GBDTModel(SklearnModel):
    """Gradient-boosted trees of LightGBM, with early stopping: one model for each task.

    It needs LightGBM and scikit-learn: ``pip install 'catalase[boosting]'``.

    Parameters
    ----------
    model : lightgbm.LGBMClassifier or lightgbm.LGBMRegressor
        With its settings. It is not changed.
    model_dir : path, optional
        The folder that `save` writes into where it is given none.
    early_stopping_rounds : int
        Boosting ends after so many rounds in which the metric did not improve on the validation rows.
    eval_metric : str or callable, optional
        That metric, as ``LGBMModel.fit`` takes it; "mae" for regression, "auc" for two classes and "multi_logloss" for more
        where left out.
    use_weights : bool
        As `SklearnModel`.

    Attributes
    ----------
    model : lightgbm.LGBMModel
        As it was given.
    estimators : list of lightgbm.Booster
        One for each task; empty before `fit`.

    Notes
    -----
    Data and predictions are those of `SklearnModel`. Arguments and meaning are DeepChem's, which takes one task and no
    weights. XGBoost is not supported. LightGBM reports nothing on the way unless ``model`` was given ``verbose``.

    The trees of a saved model are in LightGBM's own text format, and its settings in JSON; skops is not needed. Load those of
    people you trust: LightGBM's reader is not made for files that want to harm.

    References
    ----------
    Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> from lightgbm import LGBMRegressor  # doctest: +SKIP
    >>> X = np.random.default_rng(0).random((200, 3))
    >>> data = ct.data.NumpyDataset(X, X[:, 0])
    >>> model = ct.models.GBDTModel(LGBMRegressor(n_estimators=50))  # doctest: +SKIP
    >>> _ = model.fit(data.select(range(150)), valid=data.select(range(150, 200)))  # doctest: +SKIP
    """

    settings = SklearnModel.settings | Settings(
        early_stopping_rounds=Int(1), eval_metric=_EvalMetric(none=True, optional=True)
    )
    early_stopping_rounds: int
    eval_metric: str | Callable[..., Any] | None

    def __init__(
        self,
        model: Any,
        model_dir: str | Path | None = None,
        early_stopping_rounds: int = 50,
        eval_metric: str | Callable[..., Any] | None = None,
        use_weights: bool = True,
    ) -> None:
        self._set(locals())
        self._check_estimator(type(self).__name__, model)
        self._start(model, model_dir)

    def _check_estimator(self, where: str, model: Any) -> None:
        lightgbm = _lightgbm(where)
        if not isinstance(model, (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor)):
            raise TypeError(
                f"{where}: model must be LGBMClassifier(...) or LGBMRegressor(...) of LightGBM, got {shown(model)}"
            )

    @property
    def is_classifier(self) -> bool:
        """Whether the trees predict classes."""
        return isinstance(self.model, _lightgbm(type(self).__name__).LGBMClassifier)

    def fit(
        self,
        dataset: Batched,
        nb_epoch: int = 1,
        valid: Batched | None = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
        metrics: Metric | str | Sequence[Metric | str] | None = None,
    ) -> train.History:
        """Grow trees for each task; another call replaces them.

        Parameters
        ----------
        dataset : Dataset
            X (N, n_features), y and w in memory. Each task needs a label.
        valid : Dataset, optional
            Boosting stops by it, and the trees up to the best round are kept. Without it the best number of rounds is found
            on a fifth of the rows (drawn by the estimator's ``random_state``, 0 where it has none), and 1.25 times as many
            are grown on all rows.
        nb_epoch, callbacks, progress, resume, graph, metrics
            These are taken so that the call is that of any model, and change nothing.

        Returns
        -------
        train.History
            Of no epochs.

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, saying what was needed and what came, and where LightGBM refuses them.
        """
        return self._fit(f"{type(self).__name__}.fit", dataset, valid)

    def fit_with_eval(self, train_dataset: Any, valid_dataset: Any) -> train.History:
        """Grow trees on one dataset and stop by another: ``fit(train_dataset, valid=valid_dataset)``."""
        if valid_dataset is None:
            raise TypeError("GBDTModel.fit_with_eval: valid_dataset must be a dataset, got None; fit needs none")
        return self.fit(train_dataset, valid=valid_dataset)

    def _fitted(self, where: str, task: int, known: Known, valid: Known | None) -> Learned:
        from sklearn.model_selection import train_test_split

        lightgbm = _lightgbm(where)
        try:
            if valid is not None:
                made = self._grown(known, valid)
            else:
                rarest = np.unique(known.y, return_counts=True)[1].min() if self.is_classifier else 0
                parts = train_test_split(
                    np.arange(len(known.y)), test_size=_HELD_OUT, random_state=self.model.random_state or 0,
                    stratify=known.y if rarest > 1 else None,
                )  # fmt: skip
                tried, held_out = (
                    Known(known.X[p], known.y[p], None if known.w is None else known.w[p]) for p in parts
                )
                rounds = self._grown(tried, held_out).best_iteration_
                made = self._grown(known, None, max(1, round(rounds * _MORE_ROUNDS)))
        except (TypeError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise ValueError(f"{where}: LightGBM refuses y of task {task}: {error}") from error
        classes = np.asarray(made.classes_, np.int64) if self.is_classifier else None
        return Learned(_booster(where, made.booster_.model_to_string()), classes)

    def _grown(self, known: Known, valid: Known | None, rounds: int | None = None) -> Any:
        """A fitted copy of the model; rounds is the number of them, where that is known."""
        from sklearn.base import clone

        made = clone(self.model)
        if not {"verbose", "verbosity"} & set(made.get_params()):
            made.set_params(verbose=-1)
        if rounds is not None:
            return made.set_params(n_estimators=rounds).fit(known.X, known.y, sample_weight=known.w)
        assert valid is not None
        usual = "mae" if not self.is_classifier else "auc" if self.n_classes == 2 else "multi_logloss"
        stop = _lightgbm("GBDTModel.fit").early_stopping(self.early_stopping_rounds, verbose=False)
        return made.fit(
            known.X, known.y, sample_weight=known.w, eval_X=valid.X, eval_y=valid.y, eval_metric=self.eval_metric or usual,
            eval_sample_weight=None if valid.w is None else [valid.w], callbacks=[stop],
        )  # fmt: skip

    def _answer(self, learned: Learned, X: NDArray[Any]) -> NDArray[Any]:
        found = np.asarray(learned.fitted.predict(X))
        if learned.classes is None or found.ndim == 2:
            return found
        if len(learned.classes) == 1:
            return np.ones((len(X), 1))
        return np.stack([1 - found, found], axis=1)

    def _packed_estimator(self, where: str) -> bytes:
        settings = {key: plain(value) for key, value in self.model.get_params().items()}
        if not Plain().accepts(settings):
            raise TypeError(
                f"{where}: the settings of the model must be numbers, texts and lists of these, got {settings}"
            )
        return json.dumps({"class": type(self.model).__name__, "settings": settings}).encode()

    def _unpacked_estimator(self, where: str, data: bytes) -> Any:
        lightgbm = _lightgbm(where)
        kinds = {"LGBMClassifier": lightgbm.LGBMClassifier, "LGBMRegressor": lightgbm.LGBMRegressor}
        try:
            found = json.loads(data)
            return kinds[found["class"]](**found["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: estimator does not hold the settings of LightGBM: {error!r}") from error

    def _packed(self, where: str, estimator: Any) -> bytes:
        return str(estimator.model_to_string()).encode()

    def _unpacked(self, where: str, data: bytes) -> Any:
        try:
            return _booster(where, data.decode())
        except (ValueError, _lightgbm(where).basic.LightGBMError) as error:
            raise ValueError(f"{where}: LightGBM cannot read the trees: {error}") from error


def _booster(where: str, text: str) -> Any:
    return _lightgbm(where).Booster(model_str=text)


def _lightgbm(where: str) -> Any:
    try:
        import lightgbm
    except ImportError:
        raise ImportError(f"{where}: LightGBM is needed; pip install 'catalase[boosting]'") from None
    return lightgbm
