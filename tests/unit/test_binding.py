"""Parameters against a signature: names, conversions by annotation, and values as typed on a line."""

import collections.abc
import dataclasses
import datetime as dt
import enum
import functools
import pathlib
import re
import subprocess
import sys
import typing
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import pytest

import ipybgjobs as bg
from ipybgjobs.targets import binding
from ipybgjobs.targets.binding import RawValue


def label(value):
    """An id that is the same in every process."""
    return re.sub(r"0x\w+|\s", "", str(value))[:40]


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Options(pydantic.BaseModel):
    epochs: int
    out: pathlib.Path = pathlib.Path("out")


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Opaque:
    def __eq__(self, other):
        return isinstance(other, Opaque)

    __hash__ = None


@dataclasses.dataclass
class Guarded:
    pin: str

    def __post_init__(self):
        raise RuntimeError(f"no such pin:\n{self.pin}")


def bind(function, given, secrets=(), **options):
    return binding.bind(binding.signature_of(function, "fit()", **options), given, secrets)


def refusal(function, given, secrets=(), **options):
    with pytest.raises(bg.InvalidParameters) as caught:
        bind(function, given, secrets, **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


def converted(annotation, value):
    """The value as a parameter with that annotation gets it."""

    def function(x):
        pass

    function.__annotations__ = {"x": annotation}
    return bind(function, {"x": value})["x"]


def word(text):
    return RawValue(text, text, bare=True)


def literal(text):
    import ast

    return RawValue(text, ast.literal_eval(text))


# -- names ------------------------------------------------------------------------------------------------------------


def fit(data, epochs=3, *, rate=0.1):
    pass


def test_parameters_that_fit_are_taken_and_defaults_are_left_to_the_method():
    assert bind(fit, {"data": [1], "rate": 0.2}) == {"data": [1], "rate": 0.2}


def test_an_unknown_parameter_is_refused_with_those_that_there_are_and_the_nearest():
    message = refusal(fit, {"data": 1, "epoch": 5})
    assert "fit() has no parameter epoch" in message
    assert "it takes data, epochs, rate." in message
    assert "Did you mean epochs?" in message


def test_an_unknown_parameter_far_from_all_suggests_none():
    assert "Did you mean" not in refusal(fit, {"data": 1, "zzz": 5})


def test_a_method_without_parameters_says_so():
    assert "it takes none" in refusal(lambda: None, {"x": 1})


def test_missing_parameters_are_all_named():
    assert refusal(lambda a, b, c=1, *, d: None, {"b": 1}) == "fit() is missing the required parameters a, d: pass a=…, d=…"


def test_self_is_no_parameter_of_a_method():
    class Trainer:
        def fit(self, epochs):
            pass

    assert bind(Trainer.fit, {"epochs": 1}, skip_first=True) == {"epochs": 1}
    assert "has no parameter self" in refusal(Trainer.fit, {"self": 1, "epochs": 1}, skip_first=True)


def test_keywords_of_any_name_are_taken_where_the_signature_is_open():
    def function(a: int, **rest: int):
        pass

    assert bind(function, {"a": "1", "b": 2, "rest": 3}) == {"a": 1, "b": 2, "rest": 3}


def test_positional_rest_can_not_be_given_by_name():
    assert "has no parameter args" in refusal(lambda *args: None, {"args": (1,)})


def test_a_constructor_s_parameters_are_those_of_its_init():
    class Trainer:
        def __init__(self, rate: float, *, out: pathlib.Path = pathlib.Path()):
            pass

    assert bind(Trainer, {"rate": "0.5", "out": "x"}) == {"rate": 0.5, "out": pathlib.Path("x")}
    assert bind(Point, {"x": "1"}) == {"x": 1.0}


def test_a_decorated_method_is_bound_by_the_signature_it_shows():
    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @decorator
    def function(a: int):
        pass

    assert bind(function, {"a": "5"}) == {"a": 5}
    assert "has no parameter b" in refusal(function, {"a": 1, "b": 2})


def test_what_has_no_signature_takes_everything_as_it_is():
    assert binding.signature_of(dict.update, "update()") is None
    assert binding.bind(None, {"x": literal("1.5"), "y": (1,)}) == {"x": 1.5, "y": (1,)}


# -- positional-only --------------------------------------------------------------------------------------------------


# -- conversion by annotation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "5", 5),
        (int, 5.0, 5),
        (float, 1, 1.0),
        (float, "1e-3", 0.001),
        (bool, "yes", True),
        (str, "1.10", "1.10"),
        (pathlib.Path, "/data/x", pathlib.Path("/data/x")),
        (Colour, "red", Colour.RED),
        (Colour, Colour.BLUE, Colour.BLUE),
        (dt.datetime, "2024-02-03T04:05:06Z", dt.datetime(2024, 2, 3, 4, 5, 6, tzinfo=dt.UTC)),
        (dt.date, "2024-02-03", dt.date(2024, 2, 3)),
        (int | None, None, None),
        (int | None, "5", 5),
        (list[int], ["1", 2], [1, 2]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Literal["a", 1], "a", "a"),
        (Annotated[int, pydantic.Field(ge=0)], "3", 3),
        (Options, {"epochs": "5"}, Options(epochs=5)),
        (Options, Options(epochs=5), Options(epochs=5)),
        (Point, {"x": "1"}, Point(1.0)),
        (Opaque, Opaque(), Opaque()),
        (type(None), None, None),
        (Any, (1,), (1,)),
        (object, "5", "5"),
    ],
    ids=label,
)
def test_a_value_is_converted_by_the_parameter_s_annotation(annotation, value, expected):
    result = converted(annotation, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "five"),
        (int, 5.5),
        (int, None),
        (bool, "perhaps"),
        (str, 5),
        (Colour, "green"),
        (dt.datetime, "yesterday"),
        (list[int], ["a"]),
        (Literal["a", 1], "b"),
        (Annotated[int, pydantic.Field(ge=0)], -3),
        (Options, {"epoch": 5}),
        (Point, {"x": "left"}),
        (Opaque, 5),
        (np.ndarray, "text"),
    ],
    ids=label,
)
def test_a_value_that_does_not_fit_is_refused_by_name_value_and_reason(annotation, value):
    def function(x):
        pass

    function.__annotations__ = {"x": annotation}
    message = refusal(function, {"x": value})
    assert message.startswith(f"fit(): x={value!r} does not fit ")
    assert "pydantic.dev" not in message


def test_a_refusal_names_the_place_inside_of_a_value():
    def function(x: Options):
        pass

    assert "does not fit Options: epochs: field required" in refusal(function, {"x": {}})


def test_a_home_folder_is_expanded_in_paths_and_in_nothing_else(monkeypatch):
    monkeypatch.setenv("HOME", "/home/eva")
    home = pathlib.Path("/home/eva/x")
    assert converted(pathlib.Path, "~/x") == home
    assert converted(pathlib.Path | None, "~/x") == home
    assert converted(Annotated[pathlib.Path, "where"], "~/x") == home
    assert converted(str, "~/x") == "~/x"
    assert converted(Any, "~/x") == "~/x"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (npt.NDArray[np.float64], np.zeros(3)),
        (npt.ArrayLike, [1, 2]),
        (collections.abc.Callable[[int], int], abs),
        (collections.abc.Sequence[int], [1, 2]),
        (collections.abc.Mapping[str, int], {"a": 1}),
        (typing.TypeVar("T"), 5),
        ("no such type at all!", 5),
    ],
    ids=label,
)
def test_an_annotation_that_says_little_refuses_nothing_and_keeps_the_value(annotation, value):
    result = converted(annotation, value)
    assert type(result) is type(value)
    assert np.array_equal(result, value) if isinstance(value, np.ndarray) else result == value


@pytest.mark.parametrize(
    "annotation",
    [
        collections.abc.Iterable,
        collections.abc.Iterable[int],
        typing.Iterable[int],
        collections.abc.Iterable[int] | None,
        list[collections.abc.Iterable[int]],
    ],
    ids=label,
)
def test_a_list_given_as_an_iterable_stays_a_list(annotation):
    value = [[1, 2], [3]] if annotation == list[collections.abc.Iterable[int]] else [1, 2]
    assert converted(annotation, value) == value


def test_what_does_not_fit_by_another_exception_is_told_on_one_line():
    def function(x: Guarded):
        pass

    assert "RuntimeError: no such pin:\\n12" in refusal(function, {"x": {"pin": "12"}})


# -- annotations that can't be evaluated ------------------------------------------------------------------------------


def test_an_annotation_that_can_not_be_evaluated_is_as_good_as_none():
    def function(frame: "pandas.DataFrame", rows: "list[Missing]"):  # noqa: F821
        pass

    assert bind(function, {"frame": "text", "rows": 5}) == {"frame": "text", "rows": 5}


def test_an_annotation_with_an_unknown_name_inside_is_as_good_as_none():
    def function(rows: list["Missing"]):  # noqa: F821
        pass

    assert bind(function, {"rows": [5]}) == {"rows": [5]}


def test_an_annotation_that_can_not_be_evaluated_takes_none_of_the_others_along():
    namespace = {}
    source = "from __future__ import annotations\ndef function(frame: pandas.DataFrame, epochs: int, version: str): pass"
    exec(source, namespace)
    given = {"frame": 1, "epochs": "5", "version": literal("1.10")}
    assert bind(namespace["function"], given) == {"frame": 1, "epochs": 5, "version": "1.10"}


def test_annotations_as_text_count_where_they_can_be_evaluated():
    def function(epochs: "int", out: "pathlib.Path | None" = None):
        pass

    assert bind(function, {"epochs": "5", "out": "x"}) == {"epochs": 5, "out": pathlib.Path("x")}


# -- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "hunter22"),
        (Guarded, {"pin": "hunter22"}),
        (Annotated[str, pydantic.AfterValidator(int)], "hunter22"),
        (Opaque, ["hunter22"]),
    ],
    ids=["int", "dataclass", "validator", "list"],
)
def test_the_value_of_a_secret_is_not_in_the_message(annotation, value):
    def function(pin):
        pass

    function.__annotations__ = {"pin": annotation}
    message = refusal(function, {"pin": value}, secrets=("pin",))
    assert "pin=•••" in message
    assert "hunter22" not in message


@pytest.mark.parametrize("value", [{"password": "hunter22"}, {"x": [{"api_key": "hunter22"}]}], ids=label)
def test_a_secret_inside_of_a_value_that_does_not_fit_is_not_in_the_message(value):
    def function(config: int):
        pass

    assert "hunter22" not in refusal(function, {"config": value})


# -- values as typed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1.10", "007", "1e3", "[1,  2]", "None", "True", "0x10", "1_000"])
def test_a_text_parameter_takes_the_text_as_typed(text):
    value = RawValue(text, text, bare=True) if text == "007" else literal(text)
    assert converted(str, value) == text


@pytest.mark.parametrize("text", ['"a b"', "'1.10'"])
def test_quotes_are_no_part_of_the_text(text):
    assert converted(str, literal(text)) == text[1:-1]
    assert converted(str | None, literal(text)) == text[1:-1]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str | None, literal("None"), None),
        (str | None, literal("1.10"), "1.10"),
        (int | str, word("007"), "007"),
        (int, literal("5"), 5),
        (float, literal("5"), 5.0),
        (bool, word("true"), True),
        (bool, word("False"), False),
        (bool | None, word("true"), True),
        (bool | None, word("none"), None),
        (int | None, word("null"), None),
        (str, word("true"), "true"),
        (str, word("null"), "null"),
        (Literal["true", "false"], word("true"), "true"),
        (Colour, word("red"), Colour.RED),
        (Colour, literal("2"), Colour.BLUE),
        (dt.date, word("2024-02-03"), dt.date(2024, 2, 3)),
        (list[float], literal("[1, 2]"), [1.0, 2.0]),
        (Annotated[str, "version"], literal("1.10"), "1.10"),
    ],
    ids=label,
)
def test_a_value_typed_on_a_line_is_read_by_the_annotation(annotation, value, expected):
    result = converted(annotation, value)
    assert result == expected
    assert type(result) is type(expected)


def test_a_typed_path_expands_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/eva")
    assert converted(pathlib.Path, word("~/x")) == pathlib.Path("/home/eva/x")


@pytest.mark.parametrize(
    ("text", "value"), [("true", "True"), ("FALSE", "False"), ("none", "None"), ("null", "None"), ("NULL", "None")]
)
@pytest.mark.parametrize("function", [lambda x: None, lambda **rest: None, dict.update], ids=["bare", "open", "unknown"])
def test_a_word_that_could_be_a_value_is_refused_where_no_annotation_decides(function, text, value):
    message = refusal(function, {"x": word(text)})
    assert f"write x={value} for the value" in message
    assert f'x="{text}" for the text' in message


def test_the_same_words_are_taken_in_quotes_or_as_python_writes_them():
    given = {"a": literal('"true"'), "b": literal("True"), "c": literal("None"), "d": word("truth")}
    assert bind(lambda **rest: None, given) == {"a": "true", "b": True, "c": None, "d": "truth"}


def test_other_values_are_taken_as_python_reads_them_where_no_annotation_decides():
    given = {"a": literal("1.10"), "b": literal("[1, 'x']"), "c": word("hello"), "d": literal("'a b'")}
    assert bind(lambda a, b, c, d: None, given) == {"a": 1.1, "b": [1, "x"], "c": "hello", "d": "a b"}


# -- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "imported"),
    [("x, y=1, *, z=None, **rest", False), ("x: int", False), ("x: int | None", False), ("x: int | float", True)],
)
def test_pydantic_is_imported_only_for_a_value_that_is_not_simple(signature, imported):
    script = f"""
import sys
from ipybgjobs.targets import binding
def function({signature}): pass
print(binding.bind(binding.signature_of(function, "f()"), {{"x": 5}}), "pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{{'x': 5}} {imported}\n"
