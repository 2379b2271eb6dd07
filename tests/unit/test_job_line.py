"""What somebody types after ``%bgjob``, and in a shell: words, values, options; and what is refused."""

import pytest

from ipybgjobs.commands.job_line import parse, parse_words, words
from ipybgjobs.commands.usage import UsageFault
from ipybgjobs.targets.binding import RawValue

FRAME = object()
VARIABLES = {"frame": FRAME, "i": 7, "name": "set by the notebook"}


def params(line, variables=VARIABLES):
    """The parameters of a line, each as text typed and value read."""
    read = parse(f"work.echo {line}", variables).params
    return {name: (value.text, value.value) if isinstance(value, RawValue) else value for name, value in read.items()}


def refusal(call, *arguments):
    with pytest.raises(UsageFault) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


# -- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("   ", []),
        ("a b", ["a", "b"]),
        ("  a \t b  ", ["a", "b"]),
        ('note="a b" c', ['note="a b"', "c"]),
        ("note='a  b'", ["note='a  b'"]),
        ("""note="it's here" c""", ['note="it\'s here"', "c"]),
        (r'note="a \" b" c', [r'note="a \" b"', "c"]),
        (r'note="a\\" c', [r'note="a\\"', "c"]),
        ("layers=[64, 32] c", ["layers=[64, 32]", "c"]),
        ("x={'a': [1, (2, 3)]} c", ["x={'a': [1, (2, 3)]}", "c"]),
        ('x={"a ]": 1} c', ['x={"a ]": 1}', "c"]),
        ("Trainer(lr=0.1, size=3).fit c", ["Trainer(lr=0.1, size=3).fit", "c"]),
        ("a # comment = [", ["a"]),
        ("# all of it", []),
        ("a#b", ["a#b"]),
        ('note="a # b" c', ['note="a # b"', "c"]),
        ("a;", ["a"]),
        ("a ;", ["a"]),
        ("a ;  ", ["a"]),
        ("a; # comment", ["a"]),
        ("a # comment;", ["a"]),
        ('note="a;"', ['note="a;"']),
        ('note="a;";', ['note="a;"']),
        ("note=a;b", ["note=a;b"]),
        ("\N{GREEK SMALL LETTER ALPHA}=1 b", ["\N{GREEK SMALL LETTER ALPHA}=1", "b"]),
    ],
)
def test_a_line_is_split_at_spaces_outside_of_quotes_and_brackets(line, expected):
    assert words(line) == expected


@pytest.mark.parametrize(
    "line", ['note="a b', "note='", "note=don't", "x=[1, 2", "x=[1, # 2", "x={'a': 1", "Trainer(lr=1", 'x=["a]']
)
def test_what_is_not_closed_is_refused(line):
    assert "is not closed in: " in refusal(words, line)


@pytest.mark.parametrize("line", ["x=1]", "x=)", "x={}}", "x=[1)", "x=(1]"])
def test_brackets_that_do_not_match_are_no_value(line):
    refusal(params, line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a=1, b=2", "a=1, ends in a comma: parameters are separated by spaces; for a tuple write a=(1,)."),
        ("a=abc, b=2", 'a=abc, ends in a comma: parameters are separated by spaces; for a tuple write a=("abc",).'),
        ("a=$i, b=2", "for a tuple write a=($i,)."),
        ("a=[1, 2], b=2", "for a tuple write a=([1, 2],)."),
        ("a='x', b=2", "for a tuple write a=('x',)."),
        ("a=,", "ends in a comma"),
        (
            "password=hunter2, b=2",
            'password=••• ends in a comma: parameters are separated by spaces; for a tuple write password=("•••",).',
        ),
        ("a=1,b=2", "a=1,b=2 has a comma where a space belongs: for a comma in a text, put quotes around the text."),
        ("a=x,b=2", "has a comma where a space belongs"),
        ('a="x",b=2', "has a comma where a space belongs"),
    ],
)
def test_a_comma_between_parameters_is_refused_with_what_to_write(line, words):
    assert words in refusal(params, line)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a=1,2", (1, 2)),
        ("a=(1,)", (1,)),
        ('a="x,"', "x,"),
        ('a="x,b=2"', "x,b=2"),
        ("a=x,y", "x,y"),
        ("a=['x,b=1',]", ["x,b=1"]),
        ("a=x==1,y==2", "x==1,y==2"),
    ],
)
def test_a_comma_in_a_value_is_part_of_it(line, value):
    assert params(line)["a"][1] == value


def test_a_shell_has_taken_the_quotes_off_so_a_comma_may_be_meant():
    assert "for a tuple write a=(1,)" in refusal(parse_words, ["work.echo", "a=1,", "b=2"])
    assert parse_words(["work.echo", "a=dear all,"])[2]["a"].value == "dear all,"
    assert parse_words(["work.echo", "a=x,y=2"])[2]["a"].value == "x,y=2"


# -- values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("50", 50),
        ("-1", -1),
        ("1e-3", 0.001),
        ("1.10", 1.1),
        ("1_000", 1000),
        ("0x10", 16),
        ("True", True),
        ("None", None),
        ("[64, 32]", [64, 32]),
        ("(1, 2)", (1, 2)),
        ("{'a': 1, 'b': [2]}", {"a": 1, "b": [2]}),
        ('"a b"', "a b"),
        ("'a b'", "a b"),
        ('"a=b"', "a=b"),
        (r'"a\nb"', "a\nb"),
        (r'"say \"hi\""', 'say "hi"'),
        ('""', ""),
        ('"$i"', "$i"),
        ('"#1"', "#1"),
        ("b'raw'", b"raw"),
        ("fast", "fast"),
        ("a=b", "a=b"),
        ("~/data.csv", "~/data.csv"),
        ("2024-01-31", "2024-01-31"),
        ("10:30", "10:30"),
        ("1,5", (1, 5)),
        ("007", "007"),
        ("true", "true"),
        ("nan", "nan"),
    ],
)
def test_a_value_is_a_literal_or_a_bare_word_and_the_text_goes_along(typed, value):
    [(text, read)] = params(f"x={typed}").values()
    assert text == typed
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("$i", 7),
        ("$frame", FRAME),
        ("[$i, 2]", [7, 2]),
        ("[$frame]", [FRAME]),
        ("{'a': $i, 'b': [$frame, '$i']}", {"a": 7, "b": [FRAME, "$i"]}),
        ("($i, $i)", (7, 7)),
    ],
)
def test_a_variable_is_taken_by_value_also_in_a_literal(typed, value):
    assert params(f"x={typed}") == {"x": value}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x=$nothing", 'this notebook has no variable nothing; to pass the text, write "$nothing"'),
        ("x=[$nothing]", "this notebook has no variable nothing"),
        ("x=frame", 'frame is a variable here. Write x=$frame for its value, or x="frame" for the text.'),
        (
            "x=$frame.values",
            "is neither a Python literal nor a bare word: $ sends a variable as it is; assign its part to a variable first",
        ),
        ("x=$i+1", "x="),
        ("x=frame()", "is neither a Python literal nor a bare word"),
        ("x=[frame]", "is neither a Python literal nor a bare word"),
        ("x={frame}", "is neither a Python literal nor a bare word: write x=$frame for the variable."),
        (
            "x={frame.values}",
            "an expression in braces is not evaluated here; assign its value to a variable first, and write x=$variable",
        ),
        ("x=__import__('os')", "is neither a Python literal nor a bare word"),
        ("x=", 'x= has no value; for the empty text, write x="".'),
        ("epochs", "'epochs' is not a parameter: write key=value"),
        ("epochs = 50", "'epochs' is not a parameter: write key=value, with no spaces"),
        ("epochs= 50", "epochs= has no value"),
        ("=50", "'=50' is not a parameter"),
        ("a.b=1", "'a.b=1' is not a parameter"),
        ("1=2", "'1=2' is not a parameter"),
        ("x=1 y=2 x=3", "x is given twice"),
    ],
)
def test_what_could_mean_something_else_is_refused(line, said):
    assert said in refusal(params, line)


def test_deep_nesting_is_refused_in_one_line():
    assert "neither a Python literal" in refusal(params, "x=" + "[" * 5000 + "]" * 5000)


# -- the target and its constructor --------------------------------------------------------------------------------------


def test_a_constructor_s_parameters_stand_in_brackets():
    asked = parse("work.Trainer(lr=0.5, layers=[64, 32], note='a, b', frame=$frame).fit epochs=2", VARIABLES)
    assert asked.target == "work.Trainer.fit"
    init = {name: getattr(value, "value", value) for name, value in asked.init.items()}
    assert init == {"lr": 0.5, "layers": [64, 32], "note": "a, b", "frame": FRAME}
    assert [*asked.params] == ["epochs"]


@pytest.mark.parametrize("target", ["work.Trainer().fit", "work.Trainer( ).fit", "work.Trainer.fit"])
def test_a_constructor_without_parameters_is_the_plain_target(target):
    asked = parse(target, {})
    assert (asked.target, asked.init) == ("work.Trainer.fit", {})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "A job needs a target before its parameters"),
        ("# only a comment", "A job needs a target"),
        ("epochs=2", "A job needs a target"),
        ("epochs=2 work.Trainer.fit", "A job needs a target"),
        ("work.Trainer(0.5).fit", "'0.5' is not a parameter"),
        ("work.Trainer(lr=0.5, lr=0.6).fit", "lr is given twice"),
        ("work.Trainer.fit work.Trainer.fit", "'work.Trainer.fit' is not a parameter"),
    ],
)
def test_a_line_without_a_sound_target_is_refused(line, said):
    assert said in refusal(parse, line, {})


# -- options -------------------------------------------------------------------------------------------------------------

OPTIONS = {"name": "night run", "queue": "gpu", "priority": 5, "delay": "10m", "timeout": "2h", "retry": 3}


@pytest.mark.parametrize(
    "line",
    [
        '--name "night run" --queue gpu --priority 5 --delay 10m --timeout 2h --retry 3 work.echo value=1',
        "work.echo value=1 --name='night run' --queue=gpu --priority=5 --delay=10m --timeout=2h --retry=3",
        "--queue gpu --priority 5 work.echo --name 'night run' --delay 10m value=1 --timeout 2h --retry 3",
    ],
)
def test_options_stand_before_or_after_the_target(line):
    asked = parse(line, {})
    assert asked.options == OPTIONS
    assert (asked.target, [*asked.params]) == ("work.echo", ["value"])


def test_options_that_are_not_given_are_left_to_the_allowlist_s_entry():
    assert parse("work.echo value=1", {}).options == {}


def test_a_negative_value_is_no_option():
    assert parse("work.echo value=-1 --priority -2", {}).options == {"priority": -2}


def test_a_quoted_dash_is_no_option():
    assert params('x="--name y"') == {"x": ('"--name y"', "--name y")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--frob 1 work.echo", "--frob"),
        ("work.echo --priority high", "'high' is not a whole number"),
        ("work.echo --name", "expected one argument"),
        ("work.echo --retry 1.5", "'1.5' is not a whole number"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line_with_the_right_form(line, said):
    message = refusal(parse, line, {})
    assert said in message
    assert "usage: %bgjob [" in message


# -- a shell's words -----------------------------------------------------------------------------------------------------


def test_a_shell_has_taken_the_quotes_away():
    target, init, given = parse_words(["work.Trainer(lr=0.5).fit", "note=a b", "layers=[64, 32]", "home=$HOME", "x="])
    assert (target, init["lr"].value) == ("work.Trainer.fit", 0.5)
    assert {name: value.value for name, value in given.items()} == {
        "note": "a b",
        "layers": [64, 32],
        "home": "$HOME",
        "x": "",
    }


def test_text_with_quotes_and_brackets_is_text_in_a_shell():
    _, _, given = parse_words(["work.echo", "value=it's (late)"])
    assert given["value"] == RawValue("it's (late)", "it's (late)", bare=True)
