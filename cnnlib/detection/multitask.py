"""A network that several losses train at once, and three ways to weigh them. Lesson 13."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from keras import ops

__all__ = ["MultiTask"]

PACE = 10.0  # how much faster than the other weights the logarithms of the variances learn


class MultiTask(keras.Model):
    """A network with a loss for each of several tasks.

    ``fit`` minimises the weighted sum and reports each loss by its name, unweighted, so that runs with different
    weights can be compared.

    Args:
        network: a Keras model whose output is a dict that holds an entry for each task.
        losses: for each task a function ``(targets, output)`` that returns one number; ``targets`` are all targets of
            the batch.
        weights, uncertainty: as in `weigh`.

    Raises:
        ValueError: a task has no output.
    """

    def __init__(
        self,
        network: keras.Model,
        losses: Mapping[str, Callable],
        weights: Mapping[str, float] | None = None,
        uncertainty: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if missing := [task for task in losses if task not in network.output]:
            raise ValueError(f"the network has outputs {', '.join(network.output)}, and none for {', '.join(missing)}.")
        self.network, self.tasks = network, dict(losses)
        count = (len(losses),)
        self._fixed = self.add_weight(shape=count, initializer="ones", trainable=False, name="task_weights")
        self._learning = self.add_weight(shape=(), initializer="zeros", trainable=False, name="learning")
        self._logs = self.add_weight(shape=count, initializer="zeros", name="log_variances")
        self.trackers = {task: keras.metrics.Mean(name=f"{task}_loss") for task in losses}
        self.built = True
        self._start = network.get_weights()
        self.weigh(weights or {}, uncertainty)

    def weigh(self, weights: Mapping[str, float], uncertainty: bool = False) -> None:
        """Set the weights of the losses. Nothing need be compiled again.

        Args:
            weights: for each task the number that its loss is multiplied by; 0 switches it off. 1, if it is not named.
            uncertainty: learn the weights (Kendall, Gal and Cipolla 2018): the sum is that of ``exp(-s) * loss + s``,
                each times its weight, where ``s``, the logarithm of a variance, is a weight of the model, one for each
                task. It starts at 0.

        Raises:
            ValueError: there is a weight without a task, or a negative one.
        """
        if odd := [task for task in weights if task not in self.tasks]:
            raise ValueError(f"weights for {', '.join(odd)}, which are no tasks; these are: {', '.join(self.tasks)}.")
        if any(weight < 0 for weight in weights.values()):
            raise ValueError(f"weights={dict(weights)}: a negative weight would make the head worse on purpose.")
        self._fixed.assign([float(weights.get(task, 1.0)) for task in self.tasks])
        self._learning.assign(float(uncertainty))

    def restart(self) -> None:
        """Back to the weights that the network had at first, with an optimizer that remembers nothing."""
        self.network.set_weights(self._start)
        self._logs.assign(ops.zeros(self._logs.shape))
        for variable in self.optimizer.variables:
            if not variable.path.endswith("learning_rate"):
                variable.assign(ops.zeros(variable.shape, variable.dtype))

    @property
    def task_weights(self) -> dict[str, float]:
        """What each loss is multiplied by now."""
        values = ops.convert_to_numpy(self._fixed * ops.exp(-self._log_variances()))
        return dict(zip(self.tasks, values.tolist()))

    def _log_variances(self):
        return PACE * self._learning * self._logs

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the losses of a batch."""
        y = keras.tree.map_structure(ops.convert_to_tensor, y)  # train_on_batch hands NumPy on, which PyTorch minds
        losses = [loss(y, y_pred[task]) for task, loss in self.tasks.items()]
        for task, value in zip(self.tasks, losses):
            self.trackers[task].update_state(value)
        logs = self._log_variances()
        return ops.sum(self._fixed * (ops.exp(-logs) * ops.stack(losses) + logs))
