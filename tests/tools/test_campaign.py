"""tools/campaign.py: units, what is missing, what is bad, and the exit code."""

import json

import campaign
import pytest

from cnnlib.parallel import Campaign, CampaignError

GOOD = {"failures": [], "seconds": 1.0, "megabytes": 800}
BAD = {"failures": ["cell 3: ✘ the sum is even", "cell 5: ✘ no"], "seconds": 2.0, "megabytes": 800}


@pytest.fixture
def course(monkeypatch, tmp_path):
    """The tool with its units printing what `outcome` says, and a ledger of its own."""
    outcome = {}

    def command(unit, **more):
        value = outcome.get((unit.lesson, unit.backend, unit.seed), GOOD)
        return ["{python}", "-c", value if isinstance(value, str) else f"print({json.dumps(json.dumps(value))})"]

    monkeypatch.setattr(campaign.Unit, "command", command)
    monkeypatch.setattr(campaign, "FOLDER", tmp_path)
    monkeypatch.setattr(campaign, "state", lambda: "now")
    return outcome


def run(*words: str, workers: str = "2") -> int:
    return campaign.main(["claims", "--lesson", "01", *words, "--workers", workers])


def test_claims_decide_the_exit_code(course, capsys):
    course["01", "jax", 1] = BAD
    assert run("--seeds", "0", "--backend", "jax") == 0
    assert run("--seeds", "0", "1", "--backend", "jax") == 1
    said = capsys.readouterr().out
    assert "    cell 3: ✘ the sum is even\n" in said
    assert "1 of 2 units are done already" in said


def test_the_table_shows_lessons_backends_and_seeds(course, capsys):
    course["01", "tensorflow", 0] = BAD
    course["01", "torch", 0] = "raise SystemExit(5)"
    assert run("--seeds", "0", "--backend", "tensorflow", "--backend", "jax", "--backend", "torch") == 1
    capsys.readouterr()
    assert run("--table", "--seeds", "0", "1", "--backend", "tensorflow", "--backend", "jax", "--backend", "torch") == 1
    _, head, rule, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["backend", "seed", "0", "seed", "1"]
    assert [row.split()[1:] for row in rows] == [["tensorflow", "2", "·"], ["jax", "✔", "·"], ["torch", "✘", "·"]]
    assert len(rule) == len(head)
    assert last == "2 of 6 done, 1 failed (✘)"


def test_fresh_begins_anew_and_keeps_what_was(course, tmp_path, capsys):
    run("--seeds", "0", "--backend", "jax")
    before = (tmp_path / "claims.jsonl").read_text(encoding="utf-8")
    course["01", "jax", 0] = BAD
    assert run("--seeds", "0", "--backend", "jax") == 0, "it was done already"
    assert run("--seeds", "0", "--backend", "jax", "--fresh") == 1
    assert (tmp_path / "claims.before.jsonl").read_text(encoding="utf-8") == before


def test_results_of_two_states_are_not_mixed(course, monkeypatch, capsys):
    run("--seeds", "0", "--backend", "jax")
    monkeypatch.setattr(campaign, "state", lambda: "later")
    assert run("--seeds", "0", "1", "--backend", "jax") == 1
    assert "holds results of 'now', this is 'later'" in capsys.readouterr().err


def test_a_cluster_without_dask_says_how_to_install_it(course, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    assert run("--seeds", "0", "--backend", "jax", "--address", "tcp://127.0.0.1:1") == 1
    assert 'python -m pip install "distributed' in capsys.readouterr().err


def test_units_are_lesson_backend_and_seed():
    options = campaign._parser().parse_args(["claims", "--lesson", "1", "--seeds", "0", "2", "--backend", "torch"])
    units = campaign.units_of(options)
    assert [unit.name for unit in units] == ["01 torch seed 0", "01 torch seed 2"]
    options = campaign._parser().parse_args(["mutation", "--lesson", "1", "--backend", "jax"])
    assert [unit.name for unit in campaign.units_of(options)] == ["01 jax seed 0"]
    options = campaign._parser().parse_args(["weights", "--name", "lenet5", "--seeds", "3"])
    assert [unit.name for unit in campaign.units_of(options)] == ["lenet5 torch seed 3"]


def test_weights_need_a_network_and_the_packages(capsys):
    assert campaign.main(["weights"]) == 1
    assert "which networks?" in capsys.readouterr().err
    assert campaign.main(["weights", "--name", "lenet5_fashion_mnist"]) == 1
    assert "where are the packages" in capsys.readouterr().err


def test_a_unit_of_weights_is_a_command_that_the_tool_understands(monkeypatch):
    import train_weights

    said = []
    monkeypatch.setattr(campaign, "_tool", lambda *words: said.append(words) or {"status": 0, "last": []})
    unit = campaign.Unit("weights", "lenet5_fashion_mnist", "torch", 3)
    campaign.KINDS["weights"](unit, source="packages", epochs=2, images=None)
    tool, *words = said[0]
    options = train_weights.parse(words)
    assert tool == "train_weights.py"
    assert (options.name, str(options.source), options.seed) == ("lenet5_fashion_mnist", "packages", 3)
    assert (options.epochs, options.images) == (2, None)
    assert options.out.parts[-2:] == ("weights", "lenet5_fashion_mnist-3")


def test_a_unit_refuses_another_state_of_the_sources(capsys):
    unit = campaign.Unit("claims", "01", "tensorflow", 0)
    text = json.dumps({"kind": "claims", "lesson": "01", "backend": "tensorflow", "seed": 0, "state": "elsewhere"})
    assert campaign.main(["--unit", text]) == 3
    assert "bring both to one state" in capsys.readouterr().err
    assert json.loads(unit.command(state="x")[-1])["state"] == "x"


def test_a_unit_prints_its_result_last_and_a_dead_kernel_is_none(monkeypatch, capsys):
    import check_claims
    from _execute import Failure, Run

    text = json.dumps({"kind": "claims", "lesson": "01", "backend": "jax", "seed": 4})
    outcome = Run(None, 1.5, 9_000_000, [Failure(3, 2, "ClaimFailed", "✘ the sum is even\n\nmore")])
    monkeypatch.setattr(check_claims, "run", lambda lesson, backend, seed: outcome)
    assert campaign.main(["--unit", text]) == 0
    value = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert value == {"failures": ["cell 3: ✘ the sum is even"], "seconds": 1.5, "megabytes": 9}
    outcome.failures[0] = Failure(3, 2, "DeadKernel", "it died")
    assert campaign.main(["--unit", text]) == 3


def test_experiments_are_written_when_all_seeds_are_there(tmp_path, monkeypatch):
    import run_experiments

    def line(seed):
        return {"experiment": "01_sums", "seed": seed, "setting": {"device": "cpu"}, "values": {"n": seed}}

    units = [campaign.Unit("experiments", "01", "tensorflow", seed) for seed in (0, 1)]
    commands = {u.name: ["{python}", "-c", f"print('''{json.dumps({'lines': [line(u.seed)]})}''')"] for u in units}
    options = campaign._parser().parse_args(["experiments", "--lesson", "01"])
    monkeypatch.setattr(run_experiments, "RESULTS", tmp_path / "results")
    work = Campaign(commands, tmp_path / "ledger.jsonl", folder=campaign.ROOT)
    work.run(1, limit=1)
    assert campaign.keep_experiments(units, work, options) == []
    work.run(1)
    (path,) = campaign.keep_experiments(units, work, options)
    assert [run["n"] for run in json.loads(path.read_text())["runs"]] == [0, 1]


def test_at_least_one_unit_runs_at_a_time_and_backends_are_found():
    assert campaign.at_a_time() >= 1
    assert "tensorflow" in campaign.installed()
    assert campaign.state()
    assert issubclass(CampaignError, RuntimeError)
