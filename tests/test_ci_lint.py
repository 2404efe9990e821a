"""The linters of what CI runs: they pass what is here, and each catches what it is there for."""

import pytest
from ci_lint import ROOT, all_findings, findings, shell_findings

WORKFLOW, ACTION, GITLAB = "examples/ci/model-bump.yml", "action.yml", "examples/ci/gitlab-ci.yml"


@pytest.mark.long
def test_the_action_the_workflows_and_the_scripts_pass_their_linters() -> None:
    assert list(all_findings()) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        (WORKFLOW, [("runs-on: ubuntu-latest", "runs-onn: ubuntu-latest", "check-jsonschema")]),
        (ACTION, [("      shell: bash\n", "", "check-jsonschema")]),
        (
            WORKFLOW,
            [
                ("always() && github.event_name", "always() && && github.event_name", "couldn't parse expression"),
                ("  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
                ("          persist-credentials: false\n", "", "artipacked"),
                ("actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "actions/checkout@main", "unpinned-uses"),
                ('[ -n "$id" ]', "[ -n $id ]", "SC2070"),
            ],
        ),
        (ACTION, [('run: sh "$GITHUB_ACTION_PATH/ci', 'run: sh "${{ inputs.lock }}/ci', "template-injection")]),
        (
            GITLAB,
            [
                ("    when: always\n", "    when: sometimes\n", "'sometimes' is not one of"),
                ('echo "no changed file names a model"; exit 0; fi\'', "exit 0'", "SC1046"),
            ],
        ),
    ],
)
def test_what_is_broken_is_found(name: str, broken: list[tuple[str, str, str]]) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for old, new, _ in broken:
        assert old in text
        text = text.replace(old, new, 1)
    said = "\n".join(findings(ROOT / name, text))
    assert [told for *_, told in broken if told not in said] == []


@pytest.mark.long
def test_a_script_that_plain_sh_may_not_know_is_found() -> None:
    script = (ROOT / "ci" / "model-bump.sh").read_text(encoding="utf-8")
    assert "shellcheck: " in "\n".join(shell_findings("sh", script + "\nlocal -a found=(x)\n"))
