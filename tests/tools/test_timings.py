"""tools/timings.py and tools/check_claims.py: the table of the README, and the table of claims."""

import os
import signal
import subprocess
import sys

import _execute
import check_claims
import psutil
import pytest
import timings
from sample_lesson import SETUP, sample

README = "# Course\n\n<!-- timings:begin -->\n<!-- timings:end -->\n\nMore text | with | bars |.\n"
FIRST = timings.Cost(seconds=12.6, megabytes=812.4)
HERE = {"processor": "Some Chip", "instructions": "AVX2", "cores": 2, "index": 1.0, "lessons": {}}


@pytest.fixture
def readme(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README, encoding="utf-8")
    return path


def test_the_table_stands_between_the_markers_and_nothing_else_changes(tmp_path, readme):
    lesson = sample(tmp_path)
    known = timings.merge({}, "fast", HERE, {"90_sums": FIRST})
    timings.rewrite(readme, [lesson], known)
    text = readme.read_text(encoding="utf-8")
    row = "| [90 Sums](notebooks/90_sums.ipynb) | What does a sum cost? | 3 min | 5 min | 13 s | – | 0.8 GB |"
    said = "Seconds of a whole lesson · *fast*: Some Chip with AVX2, 2 cores, speed index 1.00."
    assert text == README.replace("begin -->\n", f"begin -->\n{timings.HEAD}\n{row}\n\n{said}\n")
    timings.rewrite(readme, [lesson], known)
    assert readme.read_text(encoding="utf-8") == text


def test_each_kind_of_processor_has_its_column_and_memory_is_the_larger(tmp_path, readme):
    slow = {**HERE, "index": 0.25, "instructions": ""}
    known = timings.merge({}, "slow", slow, {"90_sums": timings.Cost(44.4, 900.0)})
    known = timings.merge(known, "fast", HERE, {"90_sums": FIRST})
    assert list(known["processors"]) == ["fast", "slow"]
    timings.rewrite(readme, [sample(tmp_path)], known)
    assert "| 13 s | 44 s | 0.9 GB |" in readme.read_text(encoding="utf-8")


def test_what_was_not_measured_keeps_its_numbers(tmp_path, readme):
    lesson = sample(tmp_path)
    timings.rewrite(readme, [lesson], {})
    assert "| – | – | – |" in readme.read_text(encoding="utf-8")
    assert "Seconds of" not in readme.read_text(encoding="utf-8")
    both = timings.merge({}, "fast", HERE, {"90_sums": FIRST, "91_more": FIRST})
    again = timings.merge(both, "fast", {**HERE, "index": 3.0}, {"91_more": timings.Cost(1.0, 1.0)})
    assert again["processors"]["fast"]["lessons"]["90"] == {"seconds": 12.6, "megabytes": 812}
    assert again["processors"]["fast"]["lessons"]["91"]["seconds"] == 1.0
    assert again["processors"]["fast"]["index"] == 1.0, "the index of one lesson's run replaced that of all"


def test_a_column_stems_from_one_machine(tmp_path):
    known = timings.merge({}, "fast", HERE, {"90_sums": FIRST})
    other = timings.merge(known, "fast", {**HERE, "processor": "Another Chip", "index": 2.0}, {"91_more": FIRST})
    assert list(other["processors"]["fast"]["lessons"]) == ["91"]
    assert other["processors"]["fast"]["index"] == 2.0


@pytest.mark.parametrize(
    "text", ["", timings.BEGIN, f"{timings.END}\n{timings.BEGIN}", f"{timings.BEGIN}{timings.END}{timings.END}"]
)
def test_a_readme_without_the_markers_is_left_alone(tmp_path, readme, text):
    readme.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.md must have"):
        timings.replace_table(text, "table")
    assert readme.read_text(encoding="utf-8") == text


def test_a_lesson_is_measured(tmp_path):
    cost = timings.measure(sample(tmp_path, (SETUP, "import time\ntime.sleep(1)")))
    assert 1 < cost.seconds < 120
    assert 20 < cost.megabytes < 1000


def test_a_lesson_that_fails_is_not_measured(tmp_path):
    with pytest.raises(RuntimeError, match=r"90_sums on tensorflow: cell 4.*ZeroDivisionError"):
        timings.measure(sample(tmp_path, (SETUP, "import time"), ("total = 2 + 3", "1 / 0")))


# --- claims -----------------------------------------------------------------------------------------------------------


def test_all_false_claims_of_a_lesson_are_found(tmp_path):
    lesson = sample(
        tmp_path,
        (SETUP, "from cnnlib.claims import claim"),
        ("total = 2 + 3\n", 'total = 5\nclaim("two is three", 2 == 3)\n'),
        ('print("✔ the sum is 5")', 'claim("the sum is 6", total == 6)'),
    )
    run = check_claims.run(lesson, "tensorflow", seed=1)
    assert [check_claims.sentence(failure) for failure in run.failures] == [
        "cell 4: ✘ two is three",
        "cell 7: ✘ the sum is 6",
    ]


def test_a_check_that_refuses_the_answer_is_found(tmp_path):
    checks = ("# %%\nlarger(2, 3)", '# %%\nfrom cnnlib import exercise\n\nexercise("01.1").check(larger)')
    run = check_claims.run(sample(tmp_path, (SETUP, "import time"), checks), "tensorflow", seed=0)
    (failure,) = run.failures
    assert failure.name == "WrongAnswer"
    assert "the check of exercise 01.1 refuses the lesson's own answer" in failure.message


# --- a slower processor, imitated ------------------------------------------------------------------------------------

WORK = """
import time

begun = time.perf_counter()
while time.process_time() < 1.0:
    pass
print(time.perf_counter() - begun)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process for a while")
def test_what_is_slowed_works_for_a_share_of_the_time():
    """Processor seconds of a child over its wall clock; a busy machine makes the share smaller, never larger."""
    with timings.slowed(0.4):
        done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True, timeout=120)
    assert 1.0 / float(done.stdout) < 0.6
    family = psutil.Process().children(recursive=True)
    assert not [member for member in family if member.status() == psutil.STATUS_STOPPED], "a child was left stopped"


@pytest.mark.parametrize("share", [0, -0.5, 1.1])
def test_a_share_that_is_none_is_refused(share, capsys):
    with pytest.raises(ValueError, match="at most 1"), timings.slowed(share):
        pass


def test_the_table_says_that_a_processor_was_slowed(tmp_path, readme):
    known = timings.merge({}, "slow", {**HERE, "share": 0.6}, {"90_sums": FIRST})
    timings.rewrite(readme, [sample(tmp_path)], known)
    assert "*slow*: Some Chip with AVX2, slowed to 60% of its time, 2 cores" in readme.read_text(encoding="utf-8")
    other = timings.merge(known, "slow", {**HERE, "share": 0.5}, {"91_more": FIRST})
    assert list(other["processors"]["slow"]["lessons"]) == ["91"], "columns of two shares were mixed"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("own", [0, 120])
def test_memory_that_processes_share_counts_once_and_what_each_has_to_itself_adds_up(own):
    program = f"""
import os, sys, time
shared = b"x" * 150_000_000
reading, writing = os.pipe()
if os.fork() == 0:
    own = b"y" * {own}_000_000
    os.write(writing, b"1")
    time.sleep(60)
os.read(reading, 1)
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout.readline() == b"ready\n"
            family = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children()]
            assert len(family) == 2
            found = _execute.in_memory(family)
            alone = _execute.in_memory(family[:1])
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
    assert alone == pytest.approx(165e6, abs=15e6)
    assert found == pytest.approx(alone + own * 1e6, abs=10e6)
