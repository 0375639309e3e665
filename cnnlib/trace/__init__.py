"""One walk over a Keras model: shape, parameters, multiply-accumulates and receptive field of every layer (lesson 02).

>>> print(trace(keras.applications.VGG16(weights=None)))

The graph is read by public means only: the model is cloned by ``keras.models.clone_model`` with a recorder in the
place of every layer, and each recorder notes what it was called with. Neither the model nor its layers are changed, and
no value is computed, so that even a large network takes a second and no memory.

The receptive field follows Araujo, Norris and Sim (2019), "Computing receptive fields of convolutional neural
networks". Instead of three numbers it carries, for each position of a feature map, the first and the last pixel seen,
so that branches, unequal padding, up-sampling and dropped borders come out exactly. What it cannot know it calls
unknown.
"""

from cnnlib.arithmetic import count_text
from cnnlib.trace.effective import effective_receptive_field, effective_size
from cnnlib.trace.result import Row, Trace
from cnnlib.trace.walk import trace

__all__ = ["Row", "Trace", "count_text", "effective_receptive_field", "effective_size", "trace"]
