"""What does not end is stopped, and how time is counted."""

import contextlib
import signal
import sysconfig
import textwrap
import threading
import time
import types
from pathlib import Path

import pytest
from engine_case import CRASHED, RIGHT, WRONG, answer_of, output_size, sizes

from cnnlib.exercises import Case, CheckExercise, Wrong, limits, memory, sandbox, stopping

LOOPS = {
    "a loop": """
        while True:
            pass
    """,
    "a sleep": "time.sleep(1e9)",
    "a lock": """
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    """,
    "a regular expression": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "a loop that catches all": """
        while True:
            try:
                pass
            except:
                pass
    """,
    "a loop that catches all and goes on": """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
    """,
    "nested handlers": """
        while True:
            try:
                try:
                    try:
                        for i in range(10**9):
                            i * i
                    except:
                        pass
                except:
                    pass
            except:
                pass
    """,
    "sleeps in handlers": """
        while True:
            try:
                while True:
                    try:
                        time.sleep(1)
                    except BaseException:
                        try:
                            time.sleep(0.1)
                        except BaseException:
                            pass
            except BaseException:
                pass
    """,
    "finally": """
        while True:
            try:
                x = 1
            finally:
                continue
    """,
    "a context manager": """
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(100)
    """,
    "recursion in a handler": """
        def again():
            try:
                while True:
                    pass
            except:
                again()
        again()
    """,
    "an answer after the interrupt": """
        try:
            while True:
                pass
        except BaseException:
            return 3
    """,
    "another error after the interrupt": """
        try:
            while True:
                pass
        except BaseException:
            raise ValueError("no")
    """,
    "an endless print": """
        while True:
            print("x" * 1000)
    """,
    "an endless list of prints to stderr": """
        while True:
            print("x" * 1000, file=sys.stderr)
    """,
    "an endless string": """
        text = "x"
        while True:
            text = text[1:] + "y"
    """,
    "a thread that is waited for": """
        def work():
            while True:
                time.sleep(0.01)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join()
    """,
}


ASLEEP = {"a sleep", "a lock", "sleeps in handlers", "a context manager", "a thread that is waited for"}


@pytest.mark.parametrize("loop", list(LOOPS))
def test_what_does_not_end_is_stopped(loop, capsys, monkeypatch):
    monkeypatch.setattr(limits, "WAITING", 3)
    started = time.monotonic()
    result = sizes().check(answer_of(LOOPS[loop]))
    assert time.monotonic() - started < 5
    assert result.outcome == CRASHED
    if loop in ASLEEP:
        assert "still running after 0.9 seconds, hardly working in them, and was stopped" in result.says
    else:
        assert "still running after 0.3 seconds and was stopped" in result.says
    assert len(repr(result)) < 5000
    assert sizes().check(output_size).outcome == RIGHT
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


@pytest.mark.parametrize(
    "loop", ["a loop", "a loop that catches all", "nested handlers", "finally", "an endless print"]
)
def test_what_does_not_end_is_stopped_where_there_are_no_timer_signals(loop, monkeypatch):
    monkeypatch.setattr(stopping, "_set_timer", None)
    before = signal.getsignal(signal.SIGINT)
    result = sizes().check(answer_of(LOOPS[loop]))
    assert result.outcome == CRASHED
    assert "and was stopped" in result.says
    assert signal.getsignal(signal.SIGINT) is before
    assert sizes().check(output_size).outcome == RIGHT


@pytest.mark.parametrize("loop", ["a loop", "nested handlers", "a sleep", "an endless print"])
def test_outside_the_main_thread_what_does_not_end_is_stopped_or_left_behind(loop, monkeypatch):
    monkeypatch.setattr(limits, "GRACE", 0.3)
    monkeypatch.setattr(limits, "WAITING", 2)
    results = []
    body = LOOPS[loop].replace("time.sleep(1e9)", "time.sleep(3)")
    thread = threading.Thread(target=lambda: results.append(sizes().check(answer_of(body))))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert results[0].outcome == CRASHED
    assert "still running after 0.3 seconds" in results[0].says
    if loop == "a sleep":
        assert "could not be stopped. Restart the kernel" in results[0].says
    assert sizes().check(output_size).outcome == RIGHT


def test_right_answers_outside_the_main_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(sizes().check(output_size)))
    thread.start()
    thread.join(20)
    assert results[0].outcome == RIGHT


LIBRARY = """
    def tidy(times=1):
        end = time.thread_time() + times * SECONDS
        while time.thread_time() < end:
            pass

    class Graph:
        def __enter__(self):
            left.clear()

        def __exit__(self, *error):
            tidy()
            left.append("in order")

    @contextlib.contextmanager
    def graph():
        left.clear()
        try:
            yield
        finally:
            tidy()
            left.append("in order")

    def called(work):
        left.clear()
        try:
            work()
        finally:
            tidy()
            left.append("in order")

    def slow():
        tidy()
        left.append("came back")

    def endless():
        while True:
            pass

    class Endless:
        def __enter__(self):
            pass

        def __exit__(self, *error):
            while True:
                tidy()
"""


def library(seconds):
    """A library whose contexts take that long to put their state in order; ``left`` tells that they did."""
    names = {"time": time, "contextlib": contextlib, "left": []}
    file = Path(sysconfig.get_path("purelib")) / "a_library.py"
    exec(compile(textwrap.dedent(LIBRARY.replace("SECONDS", str(seconds))), str(file), "exec"), names)
    return types.SimpleNamespace(**names)


def test_a_library_that_comes_back_in_a_moment_is_not_interrupted():
    one = library(0.8)
    assert (
        sizes(time_limit=0.3).check(answer_of("library.slow()\nwhile True:\n    pass", library=one)).outcome == CRASHED
    )
    assert one.left == ["came back"]


INTERRUPTED = {
    "a context": "with library.Graph():\n    while True:\n        pass",
    "a context of a generator": "with library.graph():\n    while True:\n        pass",
    "a context whose last line is slow": "with library.Graph():\n    library.tidy(3)\nwhile True:\n    pass",
    "a library that does not come back": "with library.Graph():\n    library.endless()",
    "a call": "def work():\n    while True:\n        pass\nlibrary.called(work)",
    "a handler around it": """
        try:
            with library.graph():
                while True:
                    pass
        except BaseException:
            while True:
                pass
    """,
}


@pytest.mark.parametrize("timer", [True, False], ids=["timer", "no timer"])
@pytest.mark.parametrize("what", list(INTERRUPTED))
def test_a_library_puts_its_state_in_order_when_code_in_it_is_stopped(what, timer, monkeypatch):
    if not timer:
        monkeypatch.setattr(stopping, "_set_timer", None)
    one = library(0.3)
    result = sizes().check(answer_of(INTERRUPTED[what], library=one))
    assert "and was stopped" in result.says
    assert one.left == ["in order"]


def test_outside_the_main_thread_a_library_puts_its_state_in_order_too():
    one, results = library(0.3), []
    thread = threading.Thread(
        target=lambda: results.append(sizes().check(answer_of(INTERRUPTED["a context of a generator"], library=one)))
    )
    thread.start()
    thread.join(20)
    assert "and was stopped" in results[0].says
    assert one.left == ["in order"]


def test_a_library_that_never_comes_to_an_end_is_stopped():
    body = "with library.Endless():\n    while True:\n        pass"
    started = time.monotonic()
    result = sizes().check(answer_of(body, library=library(0.1)))
    assert result.outcome == CRASHED
    assert time.monotonic() - started < 10
    assert sizes().check(output_size).outcome == RIGHT


def test_a_learner_gets_no_more_time_for_handlers_than_others():
    body = "try:\n    while True:\n        pass\nfinally:\n    while True:\n        pass"
    started = time.thread_time()
    assert sizes().check(answer_of(body)).outcome == CRASHED
    assert time.thread_time() - started < 0.3 + limits.GRACE / 2


# --- how time is counted ---------------------------------------------------------------------------------------------


def busy(seconds):
    """Work for so many seconds of the processor."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def own_check(body, **names):
    """The function of a check whose lines are the course's own."""
    path = Path(sandbox.__file__).with_name("a_check.py")
    namespace = {"time": time, "busy": busy_of_the_course, "Wrong": Wrong, **names}
    text = "def check(answer, rng):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    exec(compile(text, str(path), "exec"), namespace)
    return namespace["check"]


busy_of_the_course = types.FunctionType(
    busy.__code__.replace(co_filename=str(Path(sandbox.__file__).with_name("a_check.py"))), {"time": time}
)


def slow_by(pause):
    def answer(size, kernel, stride=1, padding=0):
        pause()
        return output_size(size, kernel, stride, padding)

    return answer


def test_a_stopwatch_counts_work_and_no_sleep():
    clock = stopping.Stopwatch()
    busy(0.2)
    work, seconds = clock.lap()
    assert 0.15 < work <= seconds
    time.sleep(0.3)
    work, seconds = clock.lap()
    assert work < 0.1
    assert seconds > 0.25


def test_a_stopwatch_counts_the_work_of_native_threads_and_of_other_threads_once():
    clock = stopping.Stopwatch()
    threads = [threading.Thread(target=busy, args=(0.2,)) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    work, seconds = clock.lap()
    assert 0.35 / stopping._CORES < work <= seconds


def test_where_no_thread_can_be_asked_the_process_is(monkeypatch):
    monkeypatch.setattr(stopping, "_clock_id", None)
    box = []
    clock = stopping.Stopwatch()

    def other():
        busy(0.1)
        box.append(clock.lap())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert 0.05 < box[0][0] <= box[0][1]


def test_a_right_answer_on_a_busy_machine_is_right():
    """Held up in each call for longer than it may work, as by other programs."""
    cases = lambda rng: [Case((size, 3)) for size in range(5, 8)]  # noqa: E731
    assert sizes(cases=cases).check(slow_by(lambda: time.sleep(0.4))).outcome == RIGHT


def test_the_time_limit_is_for_one_call():
    """Five calls of 0.2 seconds, where 0.3 is the limit."""
    cases = lambda rng: [Case((size, 3)) for size in range(5, 10)]  # noqa: E731
    assert sizes(cases=cases).check(slow_by(lambda: busy(0.2))).outcome == RIGHT


def test_calls_that_are_too_slow_together_are_stopped_with_another_message():
    result = sizes().check(slow_by(lambda: busy(0.25)))
    assert result.outcome == CRASHED
    assert "Your code is slow: its first 8 calls took" in result.says
    assert "never end" not in result.message


def test_sleeping_in_every_call_comes_to_an_end(monkeypatch):
    monkeypatch.setattr(limits, "WAITING", 1)
    started = time.monotonic()
    result = sizes().check(slow_by(lambda: time.sleep(0.2)))
    assert time.monotonic() - started < 3
    assert result.outcome == CRASHED
    assert "hardly working" in result.says


def test_a_slow_reference_gives_the_learner_more_time():
    cases = lambda rng: [Case((size, 3)) for size in range(5, 8)]  # noqa: E731
    slow = sizes(reference=slow_by(lambda: busy(0.05)), misconceptions=(), cases=cases, time_limit=0.1)
    assert slow.check(slow_by(lambda: busy(0.3))).outcome == RIGHT


@pytest.mark.parametrize("timer", [True, False])
def test_the_work_of_the_check_is_not_the_learners(timer, monkeypatch):
    if not timer:
        monkeypatch.setattr(stopping, "_set_timer", None)
    check = own_check("busy(0.7)\nanswer()")
    exercise = CheckExercise("01.4", "Trained by the check", check=check, time_limit=0.2)
    assert exercise.check(lambda: busy(0.05)).outcome == RIGHT
    result = exercise.check(answer_of(LOOPS["a loop"]))
    assert result.outcome == CRASHED
    assert "still running after 0.2 seconds and was stopped" in result.says
    assert result.row("Your line")


def test_the_work_of_the_check_is_not_the_learners_in_another_thread():
    check = own_check("busy(1.5)\nanswer()")
    # What lies between two looks counts as one: up to limits.PAUSE may be taken for the learner's.
    exercise = CheckExercise("01.4", "Trained by the check", check=check, time_limit=limits.PAUSE + 0.2)
    results = []
    thread = threading.Thread(target=lambda: results.append(exercise.check(lambda: busy(0.05))))
    thread.start()
    thread.join()
    assert results[0].outcome == RIGHT


def test_even_the_work_of_the_check_comes_to_an_end(monkeypatch):
    monkeypatch.setattr(limits, "OWN_WORK_LEAST", 0.5)
    monkeypatch.setattr(limits, "OWN_WORK", 1)
    exercise = CheckExercise("01.4", "Endless", check=own_check("while True:\n    busy(0.1)"), time_limit=0.2)
    result = exercise.check(3)
    assert result.outcome == CRASHED
    assert "The check was still at work with your answer after 0.5 seconds" in result.says


def test_a_comparison_of_its_own_is_not_the_learners_time():
    compare = own_check("busy(0.4)\nreturn True")
    assert sizes(compare=compare, cases=lambda rng: [Case((5, 3))] * 2).check(output_size).outcome == RIGHT


def test_work_in_native_code_is_stopped():
    result = sizes().check(answer_of("x = np.ones((200, 200))\nwhile True:\n    x = x @ x * 0"))
    assert result.outcome == CRASHED
    assert "still running after 0.3 seconds and was stopped" in result.says


def test_work_in_threads_is_stopped():
    body = """
        def work():
            while True:
                pass
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join()
    """
    started = time.monotonic()
    result = sizes().check(answer_of(body))
    assert time.monotonic() - started < 5
    assert result.outcome == CRASHED
    assert "still running after" in result.says


# --- timers, threads, memory -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here")
def test_a_timer_of_somebody_else_goes_on():
    rings = []
    before = signal.signal(signal.SIGALRM, lambda *args: rings.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        sizes().check(output_size)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        time.sleep(0.6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rings == [1]


def test_threads_are_ended():
    body = "threading.Thread(target=work, daemon=True).start()\nreturn 0"

    def work():
        while True:
            time.sleep(0.005)

    before = threading.active_count()
    result = sizes().check(answer_of(body, work=work))
    assert result.outcome == WRONG
    time.sleep(0.2)
    assert threading.active_count() == before


def test_threads_that_cannot_be_ended_are_noted():
    body = """
        def work():
            time.sleep(2)
        if not done:
            threading.Thread(target=work, daemon=True).start()
        done.append(1)
        return 0
    """
    result = sizes().check(answer_of(body, done=[]))
    assert "left a thread running" in result.message


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "affordable", lambda most: 200 * 1024**2)
    result = sizes(time_limit=20).check(answer_of("kept = []\nwhile True:\n    kept.append(bytearray(10**6))"))
    assert result.outcome == CRASHED
    assert "0.2 GB of memory and was stopped" in result.says
    assert sizes().check(output_size).outcome == RIGHT


def test_finalizers_do_no_harm():
    body = """
        class Stubborn:
            def __del__(self):
                while True:
                    pass
        kept = Stubborn()
        raise ValueError("with a local object")
    """
    result = sizes().check(answer_of(body))
    assert result.outcome == CRASHED
