# %% [markdown]
# # The project, stage by stage
#
# Each cell is one stage. It reads what earlier stages wrote into `artefacts/`, writes its own file there, and hands
# over nothing else: so you can run one stage again without the others. `capstone.check(project, "split")` says what the
# rubric makes of it. On a command line: `python -m cnnlib.capstone run . --only split`.

# %%
from cnnlib import runtime

runtime.setup()

from cnnlib import capstone

project = capstone.Project()

# %% [markdown]
# ## Before training
# Fill in `[card]` and `[cost]` of `project.toml` first: what a mistake costs is decided before anybody has seen a
# score.

# %% stage: card
capstone.card(project)

# %% [markdown]
# The audit writes `review.csv`. Look at each picture that it names, and write `keep`, `drop` or the right class into
# the last column. A picture that is only hard is kept.

# %% stage: audit
capstone.audit(project)

# %% [markdown]
# What else do some of the images share: a day, a place, a camera, a person? `split.together` keeps it on one side.

# %% stage: split
capstone.split(project)

# %% stage: baseline
capstone.baseline(project)

# %% [markdown]
# ## Training
# Which ways, which rates, how many epochs? If the best rate lies at the edge of those tried, try more on that side.

# %% stage: training
capstone.training(
    project,
    [
        capstone.Candidate("frozen features", rates=(0.001, 0.003, 0.01, 0.03, 0.1), epochs=15),
        capstone.Candidate("last blocks", rates=(0.0001, 0.0003, 0.001), epochs=4),
        capstone.Candidate("from scratch", rates=(0.01, 0.03, 0.1), epochs=15),
    ],
    seeds=(0, 1, 2),
)

# %% [markdown]
# ## Before deployment
# All of this still looks at the validation part only.

# %% stage: calibration
capstone.calibration(project)

# %% stage: threshold
capstone.threshold(project)

# %% stage: explanation
capstone.explanation(project)

# %% [markdown]
# Write what you saw into `[explanation]`. Would a person look at the same places? What do the surest mistakes share?

# %% stage: robustness
capstone.robustness(project)

# %% [markdown]
# Nothing is changed after this cell. It opens the test part, and writes down that it did.

# %% stage: test
capstone.test(project)

# %% stage: serving
capstone.serving(project)

# %% [markdown]
# ## After deployment

# %% stage: watch
capstone.watch(project)

# %% stage: report
capstone.report(project)
