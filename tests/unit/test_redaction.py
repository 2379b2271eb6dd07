"""What is shown: no secret, and nothing that could pass for another line."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipybgjobs.model import redaction
from ipybgjobs.model.call import Call
from ipybgjobs.model.redaction import BLANK, SECRET_NAMES

#: Machines are slow and shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shown(params=None, init=None, pickled=None, secrets=()):
    return str(Call("lab.Trainer.fit", init or {}, params or {}, pickled or {}, secrets))


# -- one line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ä€😀 text", "plain ä€😀 text"),
        ("a\nERROR forged", "a\\nERROR forged"),
        ("a\r\nb\rc", "a\\r\\nb\\rc"),
        ("a\x0bb\x0cc\x1cd\x1de\x1ef", "a\\x0bb\\x0cc\\x1cd\\x1de\\x1ef"),
        ("a\x85b\u2028c\u2029d", "a\\x85b\\u2028c\\u2029d"),
        ("\x1b[2J\x1b]0;title\x07\x9b1m", "\\x1b[2J\\x1b]0;title\\x07\\x9b1m"),
        ("\x00\x08\x7f", "\\x00\\x08\\x7f"),
        ("\u202egnp.exe\u200b\ufeff", "\\u202egnp.exe\\u200b\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_could_start_a_line_or_steer_a_terminal_is_escaped(text, line):
    assert redaction.one_line(text) == line


@PATIENT
@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_one_printable_line_and_stays_so(text):
    line = redaction.one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert redaction.one_line(line) == line


@PATIENT
@given(st.text(), st.integers(1, 80))
def test_a_text_is_cut_to_the_length_asked_for_and_keeps_both_ends(text, longest):
    short = redaction.cut(text, longest)
    assert len(short) <= longest
    assert short == text or "…" in short
    if len(text) > longest >= 3:
        assert short[0] == text[0]
        assert short[-1] == text[-1]


# -- names of secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "passwd",
        "apiKey",
        "api_key",
        "OPENAI-API-KEY",
        "aws_secret_access_key",
        "token",
        "credentials",
        "pwd",
        "pass",
        "db_pass",
        "smtpPass",
        "passphrase",
        "auth",
        "basic_auth",
        "bearer",
        "Authorization",
        "cookie",
        "session-cookies",
        "dsn",
        "SENTRY_DSN",
        "connection_string",
        "jwt",
        "ssh_key",
        "sessionKey",
        "signing_key",
        "private_key",
        "github_pat",
        "pin",
        "card_pin",
    ],
)
def test_names_of_secrets_are_known_in_any_case_and_with_any_underscores(name):
    assert redaction.secret_names([name], SECRET_NAMES) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "epochs",
        "key",
        "path",
        "passenger",
        "api",
        "monkey",
        "_",
        "bypass",
        "compass",
        "pass_rate",
        "pin_memory",
        "author",
        "primary_key",
        "keyboard",
        "spin",
        "pattern",
        "PWD",
        "OLDPWD",
        "SSH_AUTH_SOCK",
        "XAUTHORITY",
        "GIT_ASKPASS",
        "n_tokens",
    ],
)
def test_other_names_are_no_secrets(name):
    assert redaction.secret_names([name], SECRET_NAMES) == ()


def test_the_names_of_the_configuration_come_on_top_of_ours():
    assert redaction.secret_names(["patient", "PatientId", "password", "name"], ["P_atient*"]) == (
        "patient",
        "PatientId",
        "password",
    )


# -- values -----------------------------------------------------------------------------------------------------------


def test_secrets_are_blanked_at_any_depth_and_the_rest_stays():
    value = {
        "url": "db",
        "logins": [{"user": "eva", "password": "hunter22"}, ("x", {"api_key": ["k1"]})],
        "pin": {"deep": 1},
        3: "three",
    }
    assert redaction.blanked(value, ["pin"]) == {
        "url": "db",
        "logins": [{"user": "eva", "password": BLANK}, ("x", {"api_key": BLANK})],
        "pin": BLANK,
        3: "three",
    }
    assert value["logins"][0]["password"] == "hunter22"


def test_names_given_as_an_iterator_count_at_every_depth():
    value = [{"pin": "1"}, {"deep": [{"pin": "2"}]}]
    assert "1" not in str(redaction.blanked(value, iter(["pin"])))
    assert "2" not in str(redaction.blanked(value, iter(["pin"])))


def test_a_call_is_shown_as_code():
    assert shown({"epochs": 3, "note": "a b"}) == "lab.Trainer.fit(epochs=3, note='a b')"
    assert shown({"epochs": 3}, {"lr": 0.1}) == "lab.Trainer(lr=0.1).fit(epochs=3)"
    assert shown(pickled={"params.df": "<DataFrame 3×2>", "init.p": "/x"}) == "lab.Trainer(p=/x).fit(df=<DataFrame 3×2>)"
    assert shown() == "lab.Trainer.fit()"


def test_a_call_shows_no_secret_wherever_it_stands():
    text = shown(
        {"password": "hunter22", "config": {"db": {"token": "hunter22"}}},
        {"pin": "hunter22"},
        {"params.key": "hunter22"},
        ("password", "pin", "key"),
    )
    assert "hunter" not in text
    assert text.count(BLANK) == 4


@pytest.mark.parametrize(
    "call",
    [
        {"params": {"note": "a\nERROR forged\x1b[2J\u2028b"}},
        {"init": {"note": "a\nERROR forged"}},
        {"pickled": {"params.x": "<A\nERROR forged>"}},
        {"params": {"a\nERROR forged": 1}},
        {"pickled": {"params.a\nERROR forged": "<A>"}},
    ],
    ids=["value", "constructor", "description", "name", "name of a described value"],
)
def test_a_call_is_one_line_whatever_it_is_given(call):
    assert shown(**call).isprintable()


def test_long_values_are_cut_and_short_ones_beside_them_stay():
    text = shown({"data": list(range(10_000)), "epochs": 3})
    assert len(text) < 120
    assert text.endswith("9999], epochs=3)")


# -- secrets in texts -------------------------------------------------------------------------------------------------


def test_secret_values_are_removed_from_a_text_the_longer_first():
    assert redaction.without("hunter22 and hunter", ["hunter", "hunter22"]) == f"{BLANK} and {BLANK}"


def test_a_value_too_short_to_be_told_from_other_text_stays():
    assert redaction.without("abcabc", ["abc", ""]) == "abcabc"


@pytest.mark.parametrize("secret", ["it's-mine", "back\\slash", "both\"and'", "line\nbreak", "schlüssel\x00"])
def test_a_secret_is_removed_as_repr_writes_it_too(secret):
    text = redaction.without(str(KeyError(secret)), [secret])
    assert text.strip("'\"") == BLANK


def test_the_secret_values_of_a_call_are_those_inside_of_a_secret_and_under_a_secret_s_name_too():
    params = {
        "credentials": {"user": "eva", "key": "hunter22"},
        "config": {"db": [{"password": "hunter33"}]},
        "plain": "visible",
    }
    values = redaction.secrets_in([{"pin": 123456}, params], ("credentials", "pin"))
    assert {"hunter22", "hunter33", "123456"} <= set(values)
    assert "visible" not in values
