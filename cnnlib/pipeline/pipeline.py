"""One function from an image file to a structured answer. Lesson 14."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from cnnlib import gradients
from cnnlib.pipeline import answer as answers_of
from cnnlib.pipeline.box_decoders import DECODERS
from cnnlib.pipeline.decoding import MAX_PIXELS, Decoded, ImageError, decode, name_of
from cnnlib.pipeline.latency import Latency
from cnnlib.pipeline.specification import Specification, SpecificationError

__all__ = ["MODEL", "Pipeline"]

MODEL = "model.keras"  # the file that `save` writes


class Pipeline:
    """A network with everything around it.

    >>> answer = pipeline.ready("detect")("photo.jpg")
    >>> [(found["label"], found["score"], found["box"]) for found in answer["results"]]

    Args:
        model: a Keras model of one input.
        specification: what its numbers mean. If it names the sha256 of weights, the model must have these.
        boxes: of "detect": a function from the network's outputs to boxes and logits, as in `box_decoders`; needed only
            where the specification's ``decoder`` is not one of `box_decoders.DECODERS`.
        max_pixels: images with more are refused.

    Attributes:
        specification: with the sha256 of weights and labels.
        latency: `Latency` of all images so far.

    Raises:
        SpecificationError: model and specification do not belong together.
    """

    def __init__(
        self,
        model: keras.Model,
        specification: Specification,
        boxes: Callable | None = None,
        max_pixels: int = MAX_PIXELS,
    ):
        self.model = model
        self.specification = specification.for_model(model)
        self.max_pixels = max_pixels
        self.latency = Latency()
        self._forward = gradients.forward(model)
        self._boxes = boxes or DECODERS.get(specification.decoder)
        if specification.task == "detect" and self._boxes is None:
            raise SpecificationError(
                f"{specification.name}: decoder={specification.decoder!r} is none of {', '.join(DECODERS)}. Give "
                "boxes=, a function from the network's outputs to boxes and logits."
            )

    def __repr__(self) -> str:
        spec = self.specification
        size = "x".join(map(str, spec.preprocessing.size))
        return f"Pipeline({spec.name} {spec.version}, {spec.task}, {len(spec.labels)} labels, {size})"

    def __call__(self, source, *, soft_masks: bool = False) -> dict:
        """The answer to one image: a dictionary, ready for JSON, as `answer_schema` describes it.

        Args:
            source: a path, bytes, an open binary file, a Pillow image or an array (see `decode`).
            soft_masks: of "segment": whether each region also has its probabilities, as a PNG.

        Raises:
            ImageError: there is no image in it; ``code`` says why.
        """
        return self.answers([source], soft_masks=soft_masks)[0]

    def answers(self, sources: Iterable, *, batch_size: int = 8, soft_masks: bool = False) -> list[dict]:
        """The answers to several images, in batches.

        Raises:
            ImageError: of the first that is none. `stream` goes on instead.
        """
        sources, found = list(sources), []
        for start in range(0, len(sources), batch_size):
            decoded = [self._decoded(source) for source in sources[start : start + batch_size]]
            prepared = [self._prepared(each) for each in decoded]
            found += self._answered(decoded, prepared, batch_size if len(sources) > 1 else 1, soft_masks)
        return found

    def stream(
        self, sources: Iterable, *, batch_size: int = 8, workers: int = 1, soft_masks: bool = False
    ) -> Iterator[dict]:
        """Answers one after the other, in the order of the sources, which may be endless.

        Where a source is no image, the record of its failure takes the place of an answer: it has "error" and no
        "results". Images are decoded by threads while the network computes.

        Args:
            sources: an iterable of whatever `decode` takes; no more than two batches are asked for in advance.
            batch_size: images in a forward pass.
            workers: threads that decode.
            soft_masks: as in a call.
        """
        if batch_size < 1 or workers < 1:
            raise ValueError(f"batch_size={batch_size}, workers={workers}: expected 1 or more.")
        sources, ahead = iter(sources), deque()
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            try:
                while True:
                    for source in itertools.islice(sources, 2 * batch_size - len(ahead)):
                        ahead.append((name_of(source), pool.submit(self._read, source)))
                    if not ahead:
                        return
                    part = [ahead.popleft() for _ in range(min(batch_size, len(ahead)))]
                    results = [(name, job.result()) for name, job in part]
                    good = [result for _, result in results if not isinstance(result, ImageError)]
                    pictures, prepared = [image for image, _ in good], [ready for _, ready in good]
                    ready = iter(self._answered(pictures, prepared, batch_size, soft_masks) if good else [])
                    for name, result in results:
                        if isinstance(result, ImageError):
                            yield answers_of.failure(name, self.specification.task, result)
                        else:
                            yield next(ready)
            finally:  # also where the consumer stops
                pool.shutdown(wait=False, cancel_futures=True)

    # --- the stages --------------------------------------------------------------------------------------------------

    def _read(self, source):
        """What a thread does: a decoded and prepared image, or the error."""
        try:
            decoded = self._decoded(source)
            return decoded, self._prepared(decoded)
        except ImageError as error:
            return error

    def _decoded(self, source) -> Decoded:
        with self.latency.timed("decode"):
            background = self.specification.preprocessing.background
            return decode(source, background=background, max_pixels=self.max_pixels)

    def _prepared(self, decoded: Decoded):
        with self.latency.timed("resize"):
            return self.specification.preprocessing.prepare(decoded)

    def _answered(self, decoded: Sequence[Decoded], prepared: Sequence, size: int, soft_masks: bool) -> list[dict]:
        """Answers to images of one batch, filled up to ``size``: of one shape, so that nothing is compiled twice."""
        with self.latency.timed("forward", len(decoded)):
            batch = np.zeros((max(size, len(prepared)), *self.specification.preprocessing.input_shape), np.float32)
            for row, (pixels, _) in zip(batch, prepared):
                row[:] = pixels
            outputs = self._forward(batch)
        with self.latency.timed("post-processing", len(decoded)):
            found = self._found(outputs, [where for _, where in prepared], soft_masks)
            return [answers_of.whole(image, self.specification, own) for image, own in zip(decoded, found)]

    def _found(self, outputs, placements: Sequence, soft_masks: bool) -> list[dict]:
        spec = self.specification
        if spec.task == "classify":
            return [answers_of.classes_in(row, spec) for row, _ in zip(outputs, placements)]
        if spec.task == "segment":
            return [answers_of.regions_in(row, where, spec, soft_masks) for row, where in zip(outputs, placements)]
        boxes, logits = self._boxes(outputs)
        return [answers_of.objects_in(*row, where, spec) for *row, where in zip(boxes, logits, placements)]

    # --- files -------------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Write ``model.keras``, ``specification.json`` and ``labels.txt`` into a folder."""
        folder = Path(folder)
        self.specification.save(folder)
        self.model.save(folder / MODEL)

    @classmethod
    def load(cls, folder: str | Path, **options) -> Pipeline:
        """Read what `save` has written. ``options`` as those of the class.

        Raises:
            SpecificationError: a file is missing, or weights, label map and specification do not belong together.
        """
        folder = Path(folder)
        specification = Specification.load(folder)
        if not (folder / MODEL).is_file():
            raise SpecificationError(f"{MODEL} is missing beside the specification of {specification.name}.")
        import cnnlib.models.common
        import cnnlib.models.resnet  # noqa: F401  registers the layers that models of the course are made of

        return cls(keras.saving.load_model(folder / MODEL, compile=False), specification, **options)
