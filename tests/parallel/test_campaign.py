"""Campaigns: nothing lost, nothing twice, whoever is killed; on this machine, and on workers that know an address."""

import importlib.util
import json
import os
import subprocess
import sys
import time

import pytest

from cnnlib.parallel import Campaign, CampaignError, Ledger

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason='pip install -e ".[cluster]" for Dask'
)


def units(folder, count=4, seconds=0.0, **special):
    """Each notes in a file that it began and that it ended; `special` are lines of code that run between."""
    found = {}
    for i in range(count):
        note = f"open({str(folder / 'notes')!r}, 'a').write"
        code = f"import os, time; {note}('begin {i}\\n'); time.sleep({seconds})\n{special.get(f'unit_{i}', '')}\n"
        found[f"unit {i}"] = ["{python}", "-c", f"{code}{note}('end {i}\\n'); print('noise'); print({i * i})"]
    return found


def notes(folder):
    return (folder / "notes").read_text().splitlines()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()][1:]


def once(folder, what="os._exit(9)"):
    """Code that ends the process the first time it is reached."""
    flag = str(folder / "flag")
    return f"if not os.path.exists({flag!r}): open({flag!r}, 'w'); {what}"


def test_every_unit_is_done_once_and_its_last_line_is_kept(tmp_path):
    campaign = Campaign(units(tmp_path), tmp_path / "a.jsonl")
    assert campaign.missing == ["unit 0", "unit 1", "unit 2", "unit 3"]
    assert campaign.run(2) == []
    assert sorted((record["unit"], record["value"]) for record in lines(tmp_path / "a.jsonl")) == [
        (f"unit {i}", i * i) for i in range(4)
    ]
    assert sorted(notes(tmp_path)) == sorted(f"{what} {i}" for i in range(4) for what in ("begin", "end"))
    assert campaign.run(2) == []
    assert len(notes(tmp_path)) == 8, "nothing is run twice"


def test_a_unit_that_is_killed_runs_again(tmp_path):
    special = {"unit_1": once(tmp_path, "os.kill(os.getpid(), 9)" if os.name == "posix" else "os._exit(9)")}
    told = []
    assert Campaign(units(tmp_path, **special), tmp_path / "a.jsonl").run(2, tell=told.append) == []
    assert [(r["unit"], r["status"]) for r in told if r["status"] != "done"] == [("unit 1", "again")]
    assert notes(tmp_path).count("begin 1") == 2
    assert notes(tmp_path).count("end 1") == 1


def test_a_unit_that_always_fails_is_tried_as_often_as_allowed_and_the_others_go_on(tmp_path):
    campaign = Campaign(units(tmp_path, unit_2="raise OSError('no disk')"), tmp_path / "a.jsonl", attempts=2)
    assert campaign.run(2) == ["unit 2"]
    assert notes(tmp_path).count("begin 2") == 2
    assert "OSError: no disk" in campaign.failed["unit 2"]["error"]
    assert "3 of 4 units are done, 1 are missing" in campaign.table()
    assert "no disk" in campaign.table()


def test_a_second_start_goes_on_where_the_first_stopped(tmp_path):
    first = Campaign(units(tmp_path, 6), tmp_path / "a.jsonl")
    missing = first.run(1, limit=2)
    assert missing == ["unit 2", "unit 3", "unit 4", "unit 5"]
    second = Campaign(units(tmp_path, 6), tmp_path / "a.jsonl")
    assert second.missing == missing
    assert second.run(2) == []
    assert sorted(record["unit"] for record in lines(tmp_path / "a.jsonl")) == [f"unit {i}" for i in range(6)]


def test_a_process_that_is_killed_in_the_middle_leaves_whole_lines_and_nobody_working(tmp_path):
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(__file__.rpartition(os.sep)[0])!r})
from test_campaign import units
from cnnlib.parallel import Campaign
folder = Path({str(tmp_path)!r})
Campaign(units(folder, 4, seconds=0.5), folder / "a.jsonl").run(1)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: (tmp_path / "a.jsonl").exists() and len(lines(tmp_path / "a.jsonl")) == 1)
    wait_for(lambda: "begin 1" in notes(tmp_path))
    process.kill()
    process.wait()
    time.sleep(1.0)
    assert "end 1" not in notes(tmp_path), "its unit works on for nobody"
    again = Campaign(units(tmp_path, 4), tmp_path / "a.jsonl")
    assert again.missing == ["unit 1", "unit 2", "unit 3"]
    assert again.run(2) == []
    assert [notes(tmp_path).count(f"end {i}") for i in range(4)] == [1, 1, 1, 1]


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def test_a_torn_last_line_is_no_line(tmp_path):
    campaign = Campaign(units(tmp_path, 3), tmp_path / "a.jsonl")
    campaign.run(1, limit=2)
    path = tmp_path / "a.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"unit": "unit 2", "status": "do')
    assert campaign.missing == ["unit 2"]
    assert campaign.run(1) == []
    assert path.read_bytes().startswith(whole)
    assert len(lines(path)) == 3


def test_a_line_that_is_damaged_in_the_middle_is_an_error(tmp_path):
    campaign = Campaign(units(tmp_path, 2), tmp_path / "a.jsonl")
    campaign.run(1)
    path = tmp_path / "a.jsonl"
    path.write_text(path.read_text().replace('"done"', '"do', 1))
    with pytest.raises(CampaignError, match="a.jsonl is damaged"):
        campaign.run(1)


def test_two_processes_do_not_run_one_campaign(tmp_path):
    with Ledger(tmp_path / "a.jsonl"), pytest.raises(CampaignError, match="another process is running this campaign"):
        Campaign(units(tmp_path), tmp_path / "a.jsonl").run(1)
    assert Campaign(units(tmp_path), tmp_path / "a.jsonl").run(2) == []


def test_a_ledger_of_another_state_is_refused(tmp_path):
    Campaign(units(tmp_path, 1), tmp_path / "a.jsonl", stamp="one").run(1)
    with pytest.raises(CampaignError, match="holds results of 'one', this is 'two'"):
        Campaign(units(tmp_path, 1), tmp_path / "a.jsonl", stamp="two").run(1)


def test_what_takes_too_long_and_what_prints_no_json_fails(tmp_path):
    slow = units(tmp_path, 1, seconds=30)
    begun = time.monotonic()
    assert Campaign(slow, tmp_path / "a.jsonl", attempts=1, timeout=1).run(1) == ["unit 0"]
    assert time.monotonic() - begun < 15
    assert notes(tmp_path) == ["begin 0"]
    silent = Campaign({"x": ["{python}", "-c", "print('hello')"]}, tmp_path / "b.jsonl", attempts=1)
    silent.run(1)
    assert "its last line is no JSON" in silent.failed["x"]["error"]


def test_bad_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="0 units and 3 attempts"):
        Campaign({}, tmp_path / "a.jsonl")


def test_without_dask_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CampaignError, match="python -m pip install"):
        Campaign(units(tmp_path), tmp_path / "a.jsonl").run(address="tcp://127.0.0.1:1")


# --- a cluster --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path):
    """A scheduler, and a function that starts a worker: processes of their own, which know its address alone."""
    processes = []

    def start(module, *words):
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT, env=env))
        return processes[-1]

    file = tmp_path / "scheduler.json"
    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-show")
    wait_for(lambda: file.exists() and file.read_text().strip().endswith("}"))
    address = json.loads(file.read_text())["address"]

    def worker():
        return start("dask_worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path))

    yield address, worker
    for process in reversed(processes):
        process.kill()
        process.wait()


ROOT = __import__("pathlib").Path(__file__).resolve().parents[2]


@needs_dask
@pytest.mark.slow
def test_a_worker_is_killed_in_the_middle_and_nothing_is_lost_or_done_twice(tmp_path, cluster):
    address, worker = cluster
    workers = [worker(), worker()]
    campaign = Campaign(units(tmp_path, 8, seconds=0.8), tmp_path / "a.jsonl")
    killed = []

    def tell(record):
        """After the first result: kill the other worker, which is in the middle of a unit then."""
        if not killed:
            mine = int(record["where"].rpartition(" ")[2])
            (victim,) = [process for process in workers if process.pid != mine]
            begun = {note.split()[1] for note in notes(tmp_path) if note.startswith("begin")}
            wait_for(lambda: len([n for n in notes(tmp_path) if n.startswith("begin")]) >= 2)
            victim.kill()
            victim.wait()
            killed.append(begun)

    assert campaign.run(address=address, tell=tell) == []
    assert killed
    records = lines(tmp_path / "a.jsonl")
    assert sorted(record["unit"] for record in records) == [f"unit {i}" for i in range(8)], "each once"
    assert [record["value"] for record in sorted(records, key=lambda r: r["unit"])] == [i * i for i in range(8)]
    assert sum(note.startswith("begin") for note in notes(tmp_path)) >= 9, "one was begun, cut off, and begun again"
    assert sorted(note for note in notes(tmp_path) if note.startswith("end")) == [f"end {i}" for i in range(8)]


@needs_dask
@pytest.mark.slow
def test_units_wait_for_a_worker_that_comes_later(tmp_path, cluster):
    address, worker = cluster
    campaign = Campaign(units(tmp_path, 3), tmp_path / "a.jsonl")
    worker()
    assert campaign.run(address=address, limit=1) != []
    assert campaign.run(address=address) == []
    assert sorted(record["unit"] for record in lines(tmp_path / "a.jsonl")) == [f"unit {i}" for i in range(3)]


@needs_dask
@pytest.mark.slow
def test_no_scheduler_is_an_error_that_says_so(tmp_path, monkeypatch):
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(CampaignError, match="no scheduler"),
    ):
        Campaign(units(tmp_path), tmp_path / "a.jsonl").run(address="tcp://127.0.0.1:9")
