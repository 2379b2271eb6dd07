"""The help of magics and verbs: an option a line, examples that can be typed, and messages that name what works where one is."""

import argparse
import shlex

import pytest

from ipybgjobs.commands import cell_line, cli, help_text, job_line, verb_words
from ipybgjobs.model import surface
from ipybgjobs.model.surface import Surface

#: Characters that a notebook of 848 pixels shows in a line of output.
WIDE = 98

MAGICS = {"%bgjob": job_line.magic_parser(), "%%bgjob": cell_line.parser()}


def verbs(prog):
    [found] = [each.choices for each in cli.parser(prog)._actions if isinstance(each, argparse._SubParsersAction)]
    return found


@pytest.mark.parametrize("magic", MAGICS)
def test_help_of_a_magic_has_each_option_in_one_line_and_three_examples(magic):
    text = MAGICS[magic].format_help()
    head, _, examples = text.partition("\nexamples:\n")
    assert head.startswith(f"usage: {magic} [options]")
    options = [action for action in MAGICS[magic]._actions if action.option_strings]
    lines = head.partition("options:\n")[2].splitlines()
    assert len(lines) == len(options)
    assert all(line.lstrip().startswith(action.option_strings[0]) for action, line in zip(options, lines, strict=True))
    assert len(examples.splitlines()) == 3
    assert max(map(len, text.splitlines())) <= WIDE


def test_the_examples_of_the_magics_can_be_read():
    for example in help_text.of_job("%bgjob").splitlines()[1:]:
        target = job_line.parse(example.partition("%bgjob ")[2], {"df": 1}).target
        assert target in ("training.Trainer.fit", "ipybgjobs.Notebook.run")
    for example in help_text.of_job("%%bgjob").splitlines()[1:]:
        cell_line.parse(example.partition("%%bgjob")[2], {"df": 1, "epochs": 2})


@pytest.mark.parametrize("prog", [Surface.NOTEBOOK, Surface.TERMINAL])
def test_each_verb_has_three_examples_that_its_parser_takes(prog):
    assert set(help_text.VERBS) == set(verbs(prog))
    for verb, parser in verbs(prog).items():
        text = parser.format_help()
        examples = text.partition("\nexamples:\n")[2].splitlines()
        assert len(examples) == 3, verb
        for example in examples:
            assert example.startswith(f"  {prog} {verb}")
            cli.parser(prog).parse_args(shlex.split(example.removeprefix(f"  {prog} ")))


def test_help_in_a_notebook_never_names_the_terminal_s_command():
    texts = [cli.parser(Surface.NOTEBOOK).format_help(), *(each.format_help() for each in verbs(Surface.NOTEBOOK).values())]
    assert [text for text in texts if "jupyter" in text] == []
    assert max(len(line) for text in texts for line in text.splitlines()) <= WIDE


@pytest.fixture
def here():
    """What sets where one is, undone at the end."""
    before = surface.use(Surface.SCRIPT)
    yield surface.use
    surface.use(before)


@pytest.mark.parametrize(
    ("where", "listing", "doctor"),
    [
        (Surface.NOTEBOOK, "`%bgjobs list`", "`%bgjobs doctor`"),
        (Surface.TERMINAL, "`jupyter bgjobs list`", "`jupyter bgjobs doctor`"),
        (Surface.SCRIPT, "`bg.jobs()`", "`jupyter bgjobs doctor`"),
    ],
)
def test_a_command_is_named_as_it_is_typed_where_one_is(here, where, listing, doctor):
    here(where)
    assert surface.command("list", "bg.jobs()") == listing
    assert surface.command("doctor") == doctor


def test_an_option_is_named_as_it_is_typed():
    assert [surface.option("after_any"), surface.option("on_duplicate", "replace")] == ["after_any", 'on_duplicate="replace"']
    with surface.flags():
        assert [surface.option("after_any"), surface.option("on_duplicate", "replace")] == [
            "--after-any",
            "--on-duplicate replace",
        ]
    assert surface.option("after_any") == "after_any"


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ('"my name"', "my name"),
        ("'my name'", "my name"),
        ('--name="my name"', "--name=my name"),
        ('my" "name', "my name"),
        ('"a \\"b\\""', 'a "b"'),
        ("'a \\ b'", "a \\ b"),
        ('note="a b"', 'note="a b"'),
        ("layers=[1, 'a']", "layers=[1, 'a']"),
        ("plain", "plain"),
    ],
)
def test_quotes_of_a_verb_s_words_are_taken_off_as_in_a_shell_and_values_keep_theirs(word, seen):
    assert verb_words.unquoted(word) == seen
