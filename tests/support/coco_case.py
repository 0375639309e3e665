"""The same detections judged by pycocotools, and random sets of them."""

import contextlib
import io

import numpy as np


def as_coco(
    truth: list[dict], detections: list[dict], num_classes: int, masks: bool = False
) -> tuple[dict, list[dict]]:
    """What `coco_evaluation` takes, in the structures of COCO."""
    annotations, results = [], []
    for image, (objects, found) in enumerate(zip(truth, detections)):
        for j, label in enumerate(np.asarray(objects["labels"]).tolist()):
            entry = {"id": len(annotations) + 1, "image_id": image, "category_id": label}
            entry |= shape_of(objects, j, masks)
            entry["area"] = float(objects["areas"][j]) if "areas" in objects else entry["area"]
            entry["iscrowd"] = int(objects["crowd"][j]) if "crowd" in objects else 0
            entry["set_aside"] = bool(objects["ignore"][j]) if "ignore" in objects else False
            annotations.append(entry)
        for j, label in enumerate(np.asarray(found["labels"]).tolist()):
            entry = shape_of(found, j, masks)
            del entry["area"]
            results.append({"image_id": image, "category_id": label, "score": float(found["scores"][j]), **entry})
    images = [{"id": i, "height": 40, "width": 50} for i in range(len(truth))]  # the sizes count for masks only
    categories = [{"id": k, "name": str(k)} for k in range(num_classes)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}, results


def shape_of(objects: dict, j: int, masks: bool) -> dict:
    if masks:
        from pycocotools import mask

        coded = mask.encode(np.asfortranarray(objects["masks"][j].astype(np.uint8)))
        return {"segmentation": coded, "area": float(objects["masks"][j].sum())}
    x1, y1, x2, y2 = map(float, objects["boxes"][j])
    return {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}


def pycocotools(data: dict, results: list[dict], masks: bool = False):
    """A COCOeval that has done its work.

    Its matching knows objects to be ignored, but its preparation overwrites the flags by those of crowds: here they are
    put back.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    class WithIgnored(COCOeval):
        def _prepare(self):
            super()._prepare()
            for objects in self._gts.values():
                for entry in objects:
                    entry["ignore"] = int(entry["ignore"] or entry["set_aside"])

    return evaluated(COCO, WithIgnored, data, results, "segm" if masks else "bbox")


def evaluated(coco, coco_eval, data: dict, results: list[dict], kind: str = "bbox"):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = data
        truth.createIndex()
        evaluation = coco_eval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def random_set(rng: np.random.Generator, images: int, num_classes: int, objects: int = 7, found: int = 25):
    """Truth with crowds, ignored objects and own areas, and detections near it; sides are quarters, scores repeat."""
    truth, detections = [], []
    for _ in range(images):
        count = int(rng.integers(0, objects + 1))
        corner, side = rng.uniform(0, 500, (count, 2)), np.exp(rng.uniform(np.log(8), np.log(250), (count, 2)))
        boxes = np.round(np.concatenate([corner, corner + side], 1) * 4) / 4
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * rng.uniform(0.5, 1, count)
        labels, crowd = rng.integers(0, num_classes, count), rng.random(count) < 0.15
        for j in np.flatnonzero(crowd):  # a crowd around another object of its class, so that the two compete
            other = int(rng.integers(count))
            boxes[j] = boxes[other] + rng.choice([0, 20]) * np.array([-1, -1, 1, 1])
            labels[j] = labels[other]
        flags = {"crowd": crowd, "ignore": rng.random(count) < 0.15}
        truth.append({"boxes": boxes, "labels": labels, "areas": areas, **flags})
        number = int(rng.integers(0, found + 1)) if count else int(rng.integers(0, 3))
        source = rng.integers(0, max(1, count), number)
        near = boxes[source] if count else rng.uniform(0, 500, (number, 4))
        spread = rng.choice([0.0, 0.05, 0.3], number)[:, None] * np.tile(near[:, 2:] - near[:, :2], 2)
        near = np.round((near + rng.normal(size=near.shape) * spread) * 4) / 4
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], 1)
        guess = rng.integers(0, num_classes, number)
        own = np.where(rng.random(number) < 0.8, labels[source], guess) if count else guess
        detections.append({"boxes": near, "labels": own, "scores": np.round(rng.random(number), 1)})
    return truth, detections
