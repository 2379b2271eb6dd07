"""The options of a submit are the same in the table, in Python, for a type checker, on on command lines."""

import argparse
import inspect
import re
import typing

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import Client
from ipybgjobs.client.submit import options
from ipybgjobs.client.submit.option_table import NAMES, ON_DUPLICATE, OPTIONS
from ipybgjobs.commands import cell_line, cli, job_line
from ipybgjobs.configuration.settings import AllowedEntry, Settings

#: Options of `submit_many` are all but these; a group's name is a parameter of its own.
FOR_ONE_JOB = {"name", "reuse"}

each_option = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)


def _verbs():
    [actions] = [action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return actions.choices


PARSERS = {"%bgjob": job_line.magic_parser(), "%%bgjob": cell_line.parser(), "jupyter bgjobs submit": _verbs()["submit"]}


def _documented(function):
    """The parameters that a docstring describes, each with its type."""
    section = inspect.getdoc(function).partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^(\w+) : (.*)$", section, re.MULTILINE))


def test_the_signature_of_submit_lists_the_options_with_their_defaults():
    *parameters, unknown = list(inspect.signature(bg.submit).parameters.values())[2:]
    assert (unknown.name, unknown.kind) == ("unknown", unknown.VAR_KEYWORD)  # refused, with what to write
    assert [parameter.name for parameter in parameters] == ["init", *NAMES]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert {each.name: each.default for each in parameters[1:]} == {option.name: option.default for option in OPTIONS}


def test_a_type_checker_sees_the_same_options_with_the_same_types():
    of_signature, of_options = typing.get_type_hints(bg.submit), typing.get_type_hints(bg.SubmitOptions)
    assert set(of_options) == set(NAMES)
    assert of_options == {name: of_signature[name] for name in NAMES}


def test_a_group_takes_the_options_that_fit_several_jobs():
    assert set(typing.get_type_hints(bg.SubmitManyOptions)) == set(NAMES) - FOR_ONE_JOB


@pytest.mark.parametrize(
    ("function", "taken"),
    [
        (bg.run_background_job, bg.SubmitOptions),
        (bg.submit_many, bg.SubmitManyOptions),
        (Client.submit, bg.SubmitOptions),
        (Client.submit_many, bg.SubmitManyOptions),
        (Client.explain, bg.SubmitOptions),
    ],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_what_is_passed_on_has_the_types_of_the_options(function, taken):
    [passed_on] = [each for each in inspect.signature(function).parameters.values() if each.kind is each.VAR_KEYWORD]
    assert typing.get_type_hints(function)[passed_on.name] == typing.Unpack[taken]


def test_the_docstring_of_submit_describes_the_options_in_their_order_with_their_types():
    found = list(_documented(bg.submit).items())[3:]
    assert found == [(option.name, f"{option.takes}, optional") for option in OPTIONS]


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@each_option
def test_command_lines_have_every_option_with_its_help(parser, option):
    [action] = [action for action in parser._actions if option.flag in action.option_strings]
    assert action.dest == option.name
    assert action.help == option.summary
    assert action.option_strings == [option.flag]


def test_what_can_be_done_with_a_unique_key_that_is_held_is_listed_once():
    assert typing.get_args(typing.get_type_hints(bg.submit)["on_duplicate"]) == ON_DUPLICATE


def test_the_defaults_of_the_table_are_those_of_the_check():
    entry, settings = AllowedEntry("work", ("echo",), "test_config.py"), Settings()
    given = {option.name: option.default for option in OPTIONS}
    assert options.check(given, entry, settings, 100.0) == options.check({}, entry, settings, 100.0)
