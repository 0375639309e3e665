"""cnnlib.beyond.tools: each project has one tool that nothing speaks against, and each tool a project."""

import pytest

from cnnlib.beyond.tools import PROJECTS, TOOLS, review


def test_each_project_has_one_tool_left_and_each_useful_tool_a_project():
    left = {name: [tool for tool in TOOLS if not review(name, tool)] for name in PROJECTS}
    assert all(len(tools) == 1 for tools in left.values()), left
    assert set(TOOLS) - {tools[0] for tools in left.values()} == {"pretrained ViT"}


def test_an_objection_names_a_fact_and_a_reason():
    found = review(PROJECTS["tomography"], "diffusion")
    assert found[0].constraint == "somebody measures in what comes out"
    assert "2000 billion" in found[1].why


@pytest.mark.parametrize(("project", "tool"), [("lottery", "diffusion"), ("churn", "a CNN")])
def test_what_is_unknown_is_named_with_what_is_known(project, tool):
    with pytest.raises(ValueError, match="expected one of"):
        review(project, tool)
