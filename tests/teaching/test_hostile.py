"""Submissions that want points which they have not earned, or to do harm: none gets any, and the others are graded."""

import os
import time

import pytest
from grading import jail, unit
from grading.jail import Limits
from grading_case import RIGHT, notebook

pytestmark = pytest.mark.skipif(bool(jail.works()), reason=f"bubblewrap: {jail.works()}")

LIMITS = Limits(cells=20, call=5, all=60, memory=400 * 1024**2)
WRONG_POSTS = "def posts(panels):\n    return 5"
HAVE = "posts", "heights", "nails", "gate"

# name -> cells at the beginning, and the answers to 07.1 (a function) and 07.3 (a value)
FORGERIES = {
    "patches the result": (
        "import asked.outcome as o\no.Result.__bool__ = lambda self: True\no.Outcome.WRONG = o.Outcome.RIGHT",
        WRONG_POSTS,
        "nails = 1",
    ),
    "patches the comparison": (
        "import asked.compare as c, asked.function as f\nc.difference = f.difference = lambda *a, **k: None",
        WRONG_POSTS,
        "nails = 1",
    ),
    "patches NumPy": (
        "np.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = lambda *a: np.zeros(1)",
        WRONG_POSTS,
        "nails = 1",
    ),
    "asks for the answer": (
        "from asked import exercise\nexec(exercise('07.1').answer().source)",
        "posts = posts",
        "from asked import exercise as e\nnails = e('07.3').expected",
    ),
    "takes the reference": (
        "from asked import exercise\nref = exercise('07.1').reference",
        "posts = ref",
        "from fences.checks.lesson_07 import EXERCISES\nnails = EXERCISES[2].expected",
    ),
    "looks for the answers on the disk": (
        "import os, re\ntext = ''\nfor folder, _, names in os.walk('/'):\n    for name in names:\n"
        "        if '07' in name and not folder.startswith(('/proc', '/usr', '/dev')):\n"
        "            text += open(os.path.join(folder, name), errors='replace').read()",
        "exec(re.search(r'def posts\\(panels\\):\\n(    .*\\n)+', text)[0])\nposts = posts",
        "nails = int(re.search(r'expected=(\\d+)', text)[1])",
    ),
    "an object that equals everything": (
        "class Yes:\n    __eq__ = __le__ = __ge__ = lambda self, other: True\n    __bool__ = lambda self: True\n"
        "    __hash__ = lambda self: 0\n    __ne__ = lambda self, other: False",
        "def posts(panels):\n    return Yes()",
        "nails = Yes()",
    ),
    "a number that equals everything": (
        "class One(int):\n    __eq__ = lambda self, other: True\n    __sub__ = __rsub__ = __abs__ = lambda *a: 0",
        "def posts(panels):\n    return One(5)",
        "nails = One(5)",
    ),
    "an array of a class of its own": (
        "class A(np.ndarray):\n    def __array_function__(self, *a, **k):\n        return True\n"
        "    __eq__ = lambda self, other: np.True_",
        "def posts(panels):\n    return np.zeros(()).view(A)",
        "nails = np.zeros(()).view(A)",
    ),
    "an object that runs code when it is unpacked": (
        "class P:\n    def __reduce__(self):\n        import os\n        return os.system, ('touch /tmp/owned',)",
        "def posts(panels):\n    return P()",
        "nails = P()",
    ),
    "answers in the place of the grader's program": (
        "import os, json\nfor number in range(3, 40):\n    try:\n        os.write(number, json.dumps({'answers': [],"
        " 'outcome': 'RIGHT', 'value': True, 'errors': []}).encode() + b'\\n')\n    except OSError:\n        pass",
        WRONG_POSTS,
        "nails = 1",
    ),
    "sends what is no answer": (
        "import os\nfor number in range(3, 40):\n    try:\n        os.write(number, b'[' * 100000 + b'\\n')\n"
        "    except OSError:\n        pass",
        WRONG_POSTS,
        "nails = 1",
    ),
    "looks into its callers": (
        "import sys, gc",
        "def posts(panels):\n    frame = sys._getframe()\n    while frame:\n        for v in frame.f_locals.values():\n"
        "            if hasattr(v, 'reference'):\n                return v.reference(panels)\n"
        "        frame = frame.f_back\n"
        "    others = [o for o in gc.get_objects() if getattr(o, '__name__', '') == 'posts' and o is not posts]\n"
        "    return others[0](panels)",
        "nails = [o for o in gc.get_objects() if type(o).__name__ == 'ValueExercise'][0].expected",
    ),
    "writes progress": (
        "import json, pathlib\nfor place in ('/tmp/.cnnlib', '/course', '/course/fences'):\n    try:\n"
        "        p = pathlib.Path(place); p.mkdir(exist_ok=True)\n"
        "        (p / 'progress.json').write_text(json.dumps({'exercises': {'07.1': {'solved': '2020-01-01'}}}))\n"
        "    except OSError:\n        pass",
        WRONG_POSTS,
        "nails = 1",
    ),
}

# name -> the text of the answer to 07.1; 07.2 and 07.3 are right, and must stay so
HARM = {
    "never ends": "def posts(panels):\n    while True:\n        pass",
    "never ends, and swallows what would end it": "def posts(panels):\n    while True:\n        try:\n"
    "            while True:\n                pass\n        except BaseException:\n            pass",
    "sleeps": "import time\ndef posts(panels):\n    time.sleep(1e6)",
    "sleeps in its cell": "import time\ntime.sleep(1e6)\ndef posts(panels):\n    return 1",
    "takes all memory": "def posts(panels):\n    held = []\n    while True:\n        held.append(np.ones(2_000_000))",
    "takes all memory in its cell": "held = [np.ones(3_000_000) for _ in range(100_000)]\n"
    "def posts(panels):\n    return 1",
    "starts processes without end": "import os\nfor _ in range(9):\n    os.fork()\ndef posts(panels):\n    return 1",
    "goes on twice": "import os\nos.fork()\ndef posts(panels):\n    return 1",
    "leaves another to answer": "import os\nif os.fork():\n    import time\n    time.sleep(1e9)\n"
    "def posts(panels):\n    return 1",
    "ends its process": "import os\ndef posts(panels):\n    os.kill(os.getpid(), 9)",
    "ends its process in its cell": "import os\nos._exit(0)\ndef posts(panels):\n    return 1",
    "ends every process it can see": "import os\nos.kill(-1, 9)\ndef posts(panels):\n    return 1",
    "crashes the interpreter": "import ctypes\nctypes.string_at(0)\ndef posts(panels):\n    return 1",
    "returns without end": "def posts(panels):\n    return 'x' * 200_000_000",
    "returns what is nested deep": "def posts(panels):\n    x = []\n    for _ in range(100_000):\n"
    "        x = [x]\n    return x",
    "returns a number of many digits": "def posts(panels):\n    return 10 ** 1_000_000",
    "prints without end": "def posts(panels):\n    while True:\n        print('x' * 10_000)",
    "fills the disk": "def posts(panels):\n    with open('/tmp/f', 'wb') as out:\n        while True:\n"
    "            out.write(bytes(1 << 24))",
}


def rules(**more):
    return unit.Rules(secret="s", hidden=True, limits=LIMITS, **more)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_gets_no_point(name, place, hand_in):
    before, posts, nails = FORGERIES[name]
    text = notebook(posts=f"{before}\n{posts}", nails=f"{before}\n{nails}")
    found = unit.grade(hand_in(text), place, rules())["exercises"]
    assert found["07.1"]["outcome"] != "RIGHT", found["07.1"]
    assert found["07.3"]["outcome"] != "RIGHT", found["07.3"]
    assert not os.path.exists("/tmp/owned")


@pytest.mark.parametrize("name", HARM)
def test_harm_stays_with_who_does_it(name, place, hand_in):
    begun = time.monotonic()
    found = unit.grade(hand_in(notebook(posts=HARM[name])), place, rules())["exercises"]
    assert found["07.1"]["outcome"] in ("WRONG", "CRASHED"), found["07.1"]
    assert found["07.2"]["outcome"] == "RIGHT", found["07.2"]
    assert found["07.3"]["outcome"] == "RIGHT", found["07.3"]
    assert len(str(found)) < 20_000
    assert time.monotonic() - begun < 120


def test_a_submission_sees_no_one_else_no_marks_no_key_and_no_network(place, hand_in, tmp_path, monkeypatch):
    other = hand_in(notebook(), learner="bob").path
    marks = tmp_path / "marks.csv"
    marks.write_text("learner,points\n")
    monkeypatch.setenv("MARKS_SECRET", "42")
    look = f"""
import os, pathlib, socket, subprocess
nails = {{"env": "MARKS_SECRET" in os.environ}}
for name, path in {{"other": {str(other)!r}, "marks": {str(marks)!r}, "passwords": "/etc/passwd"}}.items():
    nails[name] = pathlib.Path(path).exists()
nails["key"] = os.listdir("/course/fences/checks") + os.listdir("/course/lessons")
try:
    pathlib.Path("/course/fences/x").write_text("x"); nails["writes"] = True
except OSError:
    nails["writes"] = False
try:
    socket.create_connection(("127.0.0.1", {_listening()}), timeout=2); nails["loopback"] = True
except OSError:
    nails["loopback"] = False
nails["interfaces"] = len(socket.if_nameindex())
nails["processes"] = max(int(p) for p in os.listdir("/proc") if p.isdigit()) < 100
nails["capabilities"] = pathlib.Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0]
nails["root"] = os.getuid() == 0
"""
    submission = hand_in(notebook(nails=look))
    with jail.Jail(place, LIMITS) as box:
        cells = unit.submissions.chosen(submission, "07.3", ["nails"], place.root / "lessons/07_fences.py", ["07.3"])
        said = box.ask(20, do="run", cells=cells, engine="asked", prelude="")
        (answer,) = box.ask(20, do="answers", expressions=["nails"], id="07.3")["answers"]
    found = unit.wire.decode(answer["value"], str)
    assert not said["errors"]
    assert found == {
        "env": False, "other": False, "marks": False, "passwords": False, "key": [], "writes": False,
        "loopback": False, "interfaces": 1, "processes": True, "capabilities": "0" * 16, "root": False,
    }  # fmt: skip


def _listening():
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    _listening.kept = server
    return server.getsockname()[1]


def test_where_the_key_lies_beside_the_answer_a_mark_can_be_forged_so_it_does_not_count(place, hand_in):
    """The control: the same forgery works where the check runs with the learner's code."""
    gate = "import asked.outcome as o\no.Result.__bool__ = lambda s: True\n"
    gate += "from asked import exercise\nfrom asked.base import Outcome\n"
    gate += "type(exercise('07.4'))._check = lambda self, a, r: self._result(Outcome.RIGHT)\ngate = 3"
    found = unit.grade(hand_in(notebook(gate=gate)), place, rules())["exercises"]["07.4"]
    assert (found["outcome"], found["way"]) == ("RIGHT", "inside")
    from grading import report

    row = report.Row("ada", "07", "07.4", "A gate", "x", found, {}, hidden=True)
    assert (row.counts, row.points) == (False, 0)


def test_the_right_answers_are_right_and_all_names_are_asked_for(place, hand_in):
    found = unit.grade(hand_in(notebook()), place, rules(draws=3))["exercises"]
    assert {id: each["outcome"] for id, each in found.items()} == dict.fromkeys(
        ("07.1", "07.2", "07.3", "07.4"), "RIGHT"
    )
    assert set(RIGHT) == set(HAVE)
