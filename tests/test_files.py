"""Files: read with the line of every problem, written whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.config import Config
from evalkit.dataset_files import load_dataset, read_dataset
from evalkit.errors import InfrastructureError, ProblemsError, UsageError
from evalkit.files import find_rubric, load_rubric, read_config, read_rubric, read_text, write_whole
from evalkit.rubric import Rubric
from tests.builders import rubric_yaml


def rows(*items: dict[str, object]) -> str:
    return "".join(
        json.dumps({"id": f"i{n}", "input": "x", **fields}) + "\n" for n, fields in enumerate(items, start=1)
    )


def write(folder: Path, **files: str | bytes) -> Path:
    """Files by name (two underscores stand for a folder, a final `_ext` for the suffix); the dataset's path."""
    for name, content in files.items():
        file = folder / (name.replace("__", "/")[::-1].replace("_", ".", 1)[::-1])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "set.jsonl"


def told(path: Path) -> list[str]:
    return [str(problem).removeprefix(f"{path.parent}/") for problem in load_dataset(path)[1]]


@pytest.mark.parametrize(
    ("content", "text"), [(b"a\r\nb", "a\r\nb"), (b"\xef\xbb\xbfa", "a"), ("ü\u2028".encode(), "ü\u2028"), (b"", "")]
)
def test_text_is_utf8_with_or_without_a_mark(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read_text(tmp_path / "f", "file") == text


@pytest.mark.parametrize(("content", "line"), [(b"\xff\xfea\x00", 1), (b"a\nb\n\xe9\n", 3)])
def test_other_encodings_are_refused_with_the_line(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UsageError, match=f"f:{line}: not UTF-8 text; save the file as UTF-8"):
        read_text(tmp_path / "f", "file")


def test_unreadable_paths_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dataset '.*gone' does not exist; check the path"):
        read_text(tmp_path / "gone", "dataset")
    with pytest.raises(UsageError, match="is a folder; name a file in it"):
        read_text(tmp_path, "dataset")
    (tmp_path / "f").write_text("")
    with pytest.raises(InfrastructureError, match="cannot be read"):
        read_text(tmp_path / "f" / "below", "dataset")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_written_text_is_read_back(tmp_path: Path, text: str) -> None:
    write_whole(tmp_path / "new" / "f.txt", text)
    assert (tmp_path / "new" / "f.txt").read_bytes() == text.encode()


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path) -> None:
    write_whole(tmp_path / "f", "a\ud800b")
    assert (tmp_path / "f").read_text() == "a\\ud800b"


def test_written_file_has_the_usual_rights_and_leaves_nothing_behind(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_whole(tmp_path / "f", "new")
    finally:
        os.umask(previous)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["f"]  # noqa: PTH208


def test_failed_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InfrastructureError, match=r"No space left on device.*free space or choose another place"):
        write_whole(tmp_path / "f", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f", "old")]


def test_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        write_whole(tmp_path / "f", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["f"]


def test_config_is_optional_and_strict(tmp_path: Path) -> None:
    path = tmp_path / "evalkit.yaml"
    assert read_config(path) == Config()
    path.write_text("seed: 5\n")
    assert read_config(path).seed == 5
    path.write_text("seed: 5\nsead: 6\nepochs: x\n")
    with pytest.raises(ProblemsError) as caught:
        read_config(path)
    assert caught.value.problems == [
        f"{path}:2: unknown key 'sead'; did you mean 'seed'?",
        f"{path}:3: 'epochs' is 'x'; it must be a whole number",
    ]


def test_rubric_is_read_or_refused_with_all_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(rubric_yaml())
    assert isinstance(load_rubric(path), Rubric)
    assert read_rubric(path).name == "quality"
    path.write_text(rubric_yaml("weight: 0", "nope: 1"))
    with pytest.raises(ProblemsError, match=r"r.yaml:5: (.|\n)*r.yaml:8: unknown key 'nope'"):
        read_rubric(path)


@pytest.mark.parametrize("place", ["data/rubrics", "rubrics", "elsewhere/rubrics"])
def test_rubric_is_found_beside_above_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "set.yaml").write_text("")
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = find_rubric(tmp_path / "data" / "set.jsonl", Config())
    assert found.resolve() == tmp_path / place / "set.yaml"


def test_config_names_the_rubric_and_a_missing_one_says_what_to_do(tmp_path: Path) -> None:
    assert find_rubric(tmp_path / "set.jsonl", Config(rubric="my.yaml")) == Path("my.yaml")
    with pytest.raises(UsageError, match=r"name one with --rubric, or write rubrics/set.yaml"):
        find_rubric(tmp_path / "set.jsonl", Config())


def test_dataset_with_card_pool_evidence_and_attachments(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        set_jsonl=rows({"documents": ["pool/./a.md", "own.txt", {"name": "inline", "text": "t"}]},
                       {"attachments": ["p.PDF"], "documents": ["own.txt"]}),
        set_yaml="documents: pool\nsystem: Be brief.\n",
        pool__a_md="A", pool__deep__b_txt="\ufeffB", pool__c_bin=b"\xff", own_txt="O", p_PDF=b"%PDF-1.7",
    )  # fmt: skip
    made = read_dataset(path)
    assert made.name == "set"
    assert made.card.system == "Be brief."
    assert dict(made.documents) == {"pool/a.md": "A", "pool/deep/b.txt": "B", "own.txt": "O", "inline": "t"}
    assert dict(made.evidence) == {"i1": ("pool/a.md", "own.txt", "inline"), "i2": ("own.txt",)}
    assert made.attachments["p.PDF"].media_type == "application/pdf"
    assert made.attachments["p.PDF"].data == b"%PDF-1.7"
    assert dict(made.lines) == {"i1": 1, "i2": 2}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_endings_and_mark_change_nothing(tmp_path: Path, ending: str, mark: str) -> None:
    text = rows({"input": "a\u2028b"}, {})
    plain = read_dataset(write(tmp_path / "plain", set_jsonl=text))
    other = read_dataset(write(tmp_path / "other", set_jsonl=mark + text.replace("\n", ending)))
    assert other.sha256 == plain.sha256


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        ({"set_jsonl": rows({"documents": ["gone.md"]})},
         ["set.jsonl:1: document 'gone.md' does not exist; correct the path"]),
        ({"set_jsonl": rows({}, {"documents": ["The whole text of a contract. " * 20]})},
         ["set.jsonl:2: document 'The whole text of a contract. The whole text of a contract…"
          " does not exist; correct the path"]),
        ({"set_jsonl": rows({"documents": ["a\0b"]})},
         ["set.jsonl:1: document 'a\\x00b' does not exist; correct the path"]),
        ({"set_jsonl": rows({"documents": ["."]})}, ["set.jsonl:1: document '.' is no file; name a file"]),
        ({"set_jsonl": rows({"documents": ["a.md", "./a.md"]}), "a_md": "A"},
         ["set.jsonl:1: document 'a.md' is named twice; name it once"]),
        ({"set_jsonl": rows({"documents": ["a.md"]}, {"documents": [{"name": "a.md", "text": "B"}]}), "a_md": "A"},
         ["set.jsonl:2: document 'a.md' has another text elsewhere; rename one of them"]),
        ({"set_jsonl": rows({"attachments": ["a.doc", "b.png"]})},
         ["set.jsonl:1: attachment 'a.doc' is of an unknown kind;"
          " use one of .gif, .jpeg, .jpg, .pdf, .png, .webp",
          "set.jsonl:1: attachment 'b.png' does not exist; correct the path"]),
        ({"set_jsonl": rows({}), "set_yaml": "system: x\ndocuments: pool\n"},
         ["set.yaml:2: folder 'pool' does not exist; create it or correct the path"]),
        ({"set_jsonl": rows({}), "set_yaml": "system: x\nsystm: y\n"},
         ["set.yaml:2: unknown key 'systm'; did you mean 'system'?"]),
        ({"set_jsonl": "{\n" + rows({"documents": ["gone.md"]}), "set_yaml": "context_tokens: 0\n"},
         ["set.jsonl:1: not JSON (Expecting property name enclosed in double quotes at column 2);"
          " write one JSON object per line",
          "set.jsonl:2: document 'gone.md' does not exist; correct the path",
          "set.yaml:1: 'context_tokens' is 0; it must be greater than 0"]),
    ],
)  # fmt: skip
def test_every_problem_of_a_dataset_is_told_at_once(tmp_path: Path, files: dict[str, str], problems: list[str]) -> None:
    path = write(tmp_path, **files)
    assert told(path) == problems
    with pytest.raises(ProblemsError):
        read_dataset(path)


@pytest.mark.parametrize(
    ("item", "card", "problem"),
    [
        ({"documents": ["../secret.md"]}, "", "set.jsonl:1: document '../secret.md'"),
        ({"documents": ["pool/../../secret.md"]}, "", "set.jsonl:1: document 'pool/../../secret.md'"),
        ({"documents": ["../gone.md"]}, "", "set.jsonl:1: document '../gone.md'"),
        ({"documents": ["link.md"]}, "", "set.jsonl:1: document 'link.md'"),
        ({"documents": ["linked/secret.md"]}, "", "set.jsonl:1: document 'linked/secret.md'"),
        ({"documents": ["/etc/hostname"]}, "", "set.jsonl:1: document '/etc/hostname'"),
        ({"attachments": ["../secret.png"]}, "", "set.jsonl:1: attachment '../secret.png'"),
        ({"attachments": ["link.png"]}, "", "set.jsonl:1: attachment 'link.png'"),
        ({}, "system: s\ndocuments: ..\n", "set.yaml:2: folder '..'"),
        ({}, "documents: linked\n", "set.yaml:1: folder 'linked'"),
        ({}, "documents: /etc\n", "set.yaml:1: folder '/etc'"),
        ({}, "documents: pool\n", "set.yaml:1: document 'pool/link.md'"),
    ],
)
def test_nothing_outside_the_datasets_folder_is_read(
    tmp_path: Path, item: dict[str, object], card: str, problem: str
) -> None:
    folder = tmp_path / "set"
    path = write(folder, set_jsonl=rows(item), set_yaml=card, pool__a_md="A")
    for name in ("secret.md", "secret.png"):
        (tmp_path / name).write_text("secret", encoding="utf-8")
    (folder / "linked").symlink_to(tmp_path)
    for place, target in (("link.md", "secret.md"), ("link.png", "secret.png"), ("pool/link.md", "secret.md")):
        (folder / place).symlink_to(tmp_path / target)
    made, problems = load_dataset(path)
    assert [str(p).replace(f"{folder}/", "") for p in problems] == [
        f"{problem} lies outside the dataset's folder; copy it into that"
    ]
    assert "secret" not in made.documents.values()
    assert not made.attachments


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path, set_jsonl=rows({"documents": ["link.md"]}), a_md="A")
    (tmp_path / "link.md").symlink_to("a.md")
    assert dict(read_dataset(path).documents) == {"link.md": "A"}


PNG, JPEG, WEBP = b"\x89PNG\r\n\x1a\n rest", b"\xff\xd8\xff\xe0 rest", b"RIFF\x00\x00\x00\x00WEBP rest"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a_png", PNG, None),
        ("a_jpg", JPEG, None),
        ("a_jpeg", JPEG, None),
        ("a_webp", WEBP, None),
        ("a_gif", b"GIF89a rest", None),
        ("a_pdf", b"%PDF-1.7", None),
        ("a_pdf", b"\n\n%PDF-1.7", None),
        ("a_png", JPEG, "is image/jpeg inside, not image/png"),
        ("a_pdf", PNG, "is image/png inside, not application/pdf"),
        ("a_jpg", b"", "is neither a PDF nor an image inside, not image/jpeg"),
        ("a_pdf", b"<html>not found</html>", "is neither a PDF nor an image inside, not application/pdf"),
    ],
)
def test_an_attachment_is_what_its_content_says(tmp_path: Path, name: str, data: bytes, said: str | None) -> None:
    file = name.replace("_", ".")
    path = write(tmp_path, set_jsonl=rows({"attachments": [file]}), **{name: data})
    line = f"set.jsonl:1: attachment '{file}' {said}; correct its ending, or replace it"
    assert told(path) == ([] if said is None else [line])


TEMPLATE = "{{ documents }}\n{{ item.input }}\n"


def test_a_template_is_a_file_beside_or_below_the_card(tmp_path: Path) -> None:
    path = write(tmp_path, set_jsonl=rows({}), set_yaml="template: prompts/p.j2\n", prompts__p_j2=TEMPLATE)
    found = read_dataset(path).template
    assert found is not None
    assert (found.text, found.file, found.line) == (TEMPLATE, str(tmp_path / "prompts" / "p.j2"), 1)
    plain = read_dataset(path).sha256
    write(tmp_path, prompts__p_j2=TEMPLATE.replace("\n", "\r\n"))
    assert read_dataset(path).sha256 == plain, "line endings mean nothing"
    write(tmp_path, prompts__p_j2=TEMPLATE + "Be brief.")
    assert read_dataset(path).sha256 != plain


@pytest.mark.parametrize(
    ("card", "line"),
    [
        ("system: x\ntemplate: |\n  {{ documents }}\n  {{ item.input }}\n", 3),
        ('system: x\ntemplate: "{{ documents }}\\n{{ item.input }}\\n"\n', 3),
        ("template: '{{ item.input }}'\n", 1),
    ],
)
def test_a_template_may_stand_in_the_card(tmp_path: Path, card: str, line: int) -> None:
    found = read_dataset(write(tmp_path, set_jsonl=rows({}), set_yaml=card)).template
    assert found is not None
    assert found.text in (TEMPLATE, "{{ item.input }}")
    assert (found.file, found.line) == (str(tmp_path / "set.yaml"), line)


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ("template: gone.j2", "set.yaml:1: template 'gone.j2' does not exist; correct the path"),
        ("system: x\ntemplate: ..\n", "set.yaml:2: template '..' {outside}"),
        ('template: "a\\0b"', "set.yaml:1: template 'a\\x00b' does not exist; correct the path"),
        (
            "template: ../out.j2",
            "set.yaml:1: template '../out.j2' lies outside the dataset's folder; copy it into that",
        ),
        ("template: link.j2", "set.yaml:1: template 'link.j2' {outside}"),
    ],
)
def test_a_template_elsewhere_or_nowhere_is_refused(tmp_path: Path, card: str, problem: str) -> None:
    write(tmp_path, out_j2=TEMPLATE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.j2").symlink_to(tmp_path / "out.j2")
    outside = "lies outside the dataset's folder; copy it into that"
    assert told(write(tmp_path / "in", set_jsonl=rows({}), set_yaml=card)) == [problem.replace("{outside}", outside)]


def test_same_text_under_one_name_is_one_document(tmp_path: Path) -> None:
    inline: dict[str, object] = {"documents": [{"name": "n", "text": "t"}]}
    made = read_dataset(write(tmp_path, set_jsonl=rows(inline, inline)))
    assert dict(made.documents) == {"n": "t"}


def test_shipped_datasets_and_rubrics_are_read(root: Path) -> None:
    logs = {root / "datasets" / "usage-example.jsonl"}  # production's requests, no test set
    datasets = sorted(set((root / "datasets").glob("*.jsonl")) - logs)
    assert len(datasets) >= 3
    for path in datasets:
        assert len(read_dataset(path).items) >= 50
        assert isinstance(read_rubric(find_rubric(path, Config())), Rubric)
