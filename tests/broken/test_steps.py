"""The small projects of lesson 15: what a run does, what may be exchanged, and what errors say."""

import keras
import numpy as np
import pytest

from cnnlib import broken
from cnnlib.broken import steps
from cnnlib.broken.sources import cifar, clothes, drawn, shot


@pytest.fixture(scope="module")
def toys():
    """A project that learns: two classes of clothes, 40 pictures."""

    def load(rng):
        return broken.Data(*drawn(*clothes("train"), classes=(1, 9), counts=20, rng=rng))

    project = broken.project("shoes").replace(
        load=load,
        augment=lambda x, y, rng: (x, y),
        split=lambda data, rng: (np.arange(30), np.arange(30, 40)),
        field=lambda rng: drawn(*clothes("test"), classes=(1, 9), counts=20, rng=rng),
        epochs=8,
        batch_size=10,
    )
    return project


@pytest.fixture(scope="module")
def run(toys):
    return toys.run(3)


def test_a_run_learns_and_tells_all(toys, run):
    assert run.accuracies()["train"] > 0.9
    assert set(run.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(values) == 8 for values in run.history.values())
    assert run.history["val_accuracy"][-1] == run.accuracies()["validation"]
    assert [len(x) for x, _ in run.sets.values()] == [30, 10]
    served, labels = run.in_field()
    assert served.shape == labels.shape == (40,)
    assert repr(run).startswith("Run('shoes', seed 3): train ")


def test_the_same_seed_is_the_same_run_and_another_is_not(toys, run):
    again, other = toys.run(3, epochs=2), toys.run(4, epochs=2)
    assert np.array_equal(run.data.pictures, again.data.pictures)
    assert all(np.array_equal(a, b) for a, b in zip(run.first_weights, again.first_weights))
    assert np.allclose(run.history["loss"][:2], again.history["loss"], rtol=1e-3)
    assert not np.array_equal(run.data.pictures, other.data.pictures)


def test_a_later_run_of_the_same_network_leaves_an_earlier_one_alone(toys, run):
    """The compiled copy is shared; the network of a run is its own."""
    before = run.model.get_weights()
    toys.run(5, epochs=1)
    assert all(np.array_equal(a, b) for a, b in zip(before, run.model.get_weights()))


def test_the_optimizer_of_a_shared_copy_remembers_nothing(toys):
    first = toys.run(6, epochs=2).history["loss"]
    toys.run(7, epochs=2)
    assert np.allclose(toys.run(6, epochs=2).history["loss"], first, rtol=1e-3)


def test_copies_are_shared_by_equal_networks_only(toys):
    optimizer, loss = keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    first = steps._compiled(steps.small_network((28, 28, 1), 2), loss, optimizer)
    same = steps._compiled(steps.small_network((28, 28, 1), 2), loss, keras.optimizers.SGD(0.1))
    assert same is first
    other_rate = steps._compiled(steps.small_network((28, 28, 1), 2), loss, keras.optimizers.SGD(0.2))
    other_classes = steps._compiled(steps.small_network((28, 28, 1), 3), loss, optimizer)
    frozen = steps.small_network((28, 28, 1), 2)
    frozen.layers[1].trainable = False
    assert (
        len({id(model) for model in (first, other_rate, other_classes, steps._compiled(frozen, loss, optimizer))}) == 4
    )


def test_moved_tells_what_is_frozen(toys):
    named = [layer.name for layer in steps.small_network((28, 28, 1), 2).layers]
    assert named  # names differ from model to model, so that they are looked up in the model itself
    run = toys.replace(freeze=lambda model: [layer.name for layer in model.layers[:-1]]).run(0, epochs=1)
    moved = [path for path, change in run.moved().items() if change > 0]
    assert len(moved) == 2
    assert all("dense" in path for path in moved)


def test_every_project_says_what_it_is_and_shows_its_code():
    for name in broken.NAMES:
        project = broken.project(name)
        assert project.name == name
        assert len(project.classes) >= 2
        assert "def load(rng" in project.code
        assert project.code._repr_html_().startswith(f"<details><summary><code>cnnlib/broken/{name}.py")
        assert len(project.code.splitlines()) < 90
    assert "# cnnlib/broken/toys.py" in repr(broken.read("toys", "forest"))
    assert broken.read("toys", "forest")._repr_html_().count("<details>") == 2


def test_every_project_loads_what_its_classes_say():
    for name in broken.NAMES:
        project = broken.project(name)
        data, (pictures, labels) = project.load(project.generator(0)), project.field(project.generator(0))
        assert data.pictures.dtype == pictures.dtype == np.uint8
        assert data.pictures.shape[1:] == pictures.shape[1:]
        assert set(np.unique(data.labels)) == set(np.unique(labels)) == set(range(len(project.classes)))


def test_names_that_do_not_exist():
    with pytest.raises(ValueError, match=r"no project 'shoe'; there are: shoes"):
        broken.project("shoe")
    with pytest.raises(ValueError, match="no project 'shoe'"):
        broken.cause("shoe")
    with pytest.raises(ValueError, match="no project 'shoe'"):
        broken.by_eye("shoe")
    with pytest.raises(AttributeError, match="no attribute 'projects'"):
        broken.projects  # noqa: B018


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rate": 0.1}, TypeError, "no step 'rate'; a project has: load"),
        ({"augment": None}, TypeError, "the step 'augment' is a function"),
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"epochs": True}, ValueError, "epochs=True"),
        ({"batch_size": 2.5}, ValueError, "batch_size=2.5"),
    ],
)
def test_what_cannot_be_exchanged(toys, change, error, message):
    with pytest.raises(error, match=message):
        toys.replace(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"load": lambda rng: 3}, "`load` returns Data"),
        ({"load": lambda rng: broken.Data(np.zeros((4, 3, 3, 1)), np.zeros(3))}, "Did one of them lose an entry"),
        ({"split": lambda data, rng: np.arange(3)}, "`split` returns two arrays"),
        ({"split": lambda data, rng: (np.arange(3), np.array([40]))}, "below 40"),
        ({"split": lambda data, rng: (np.arange(3), np.array([], int))}, "neither of them empty"),
        ({"prepare": lambda pictures: pictures[..., 0]}, "`prepare` gave an array of shape"),
        ({"augment": lambda x, y, rng: x}, "`augment`"),
        ({"augment": lambda x, y, rng: (x, y[:3])}, "labels of shape"),
    ],
)
def test_a_step_that_returns_something_else_is_named(toys, change, message):
    with pytest.raises(ValueError, match=message):
        toys.replace(**change).run(0, epochs=1)


def test_steps_get_copies(toys):
    """What a step does to its arguments in place does not reach the next epoch."""

    def spoil(x, y, rng):
        assert x.std() > 0
        x[...] = 0
        return x, y

    run = toys.replace(augment=spoil).run(0, epochs=2)
    assert run.sets["train"][0].std() > 0


def test_nothing_finite_is_never_right():
    assert broken.answers is steps.answers
    assert steps.accuracy([0, 1, 1], [[1.0, 0.0], [np.nan, 1.0], [0.0, 2.0]]) == pytest.approx(2 / 3)


def test_sources_are_not_to_be_changed():
    for pictures, labels in (clothes("train"), cifar("test")):
        assert not pictures.flags.writeable
        assert len(pictures) == len(labels)
    with pytest.raises(ValueError, match="read-only"):
        clothes("test")[0][0] = 0


def test_drawn_pictures_have_new_numbers():
    pictures, labels = drawn(*clothes("train"), classes=(7, 2), counts=(3, 5), rng=np.random.default_rng(0))
    assert np.bincount(labels).tolist() == [3, 5]
    known, kinds = clothes("train")
    truth = {picture.tobytes(): kind for picture, kind in zip(known, kinds)}
    assert [truth[picture.tobytes()] for picture in pictures] == [(7, 2)[label] for label in labels]


def test_a_shot_is_nearly_the_same_scene():
    picture, rng = cifar("train")[0][0], np.random.default_rng(0)
    near, far = shot(picture, rng).astype(float), cifar("train")[0][7].astype(float)
    assert near.shape == picture.shape
    assert 0 < np.abs(near - picture).mean() < np.abs(far - picture).mean()
