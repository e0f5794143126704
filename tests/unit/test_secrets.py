"""No secret is shown, told or logged."""

import pytest

from saltern.errors import CommandFailed, ParseError, RenderError
from saltern.secrets import masked, redact

SECRETS = [
    'shared-secret "hunter2 x";',
    "shared-secret hunter2;",
    "drbdsetup net-options a b --shared-secret=hunter2 --protocol=C",
    '<option name="shared-secret" value="hunter2"/>',
    'vncpasswd = "hunter2"',
    "vncpasswd='hunter2'",
    'spicepasswd="a\\"hunter2"',
    'vfb = ["type=vnc,vncpasswd=hunter2,vnclisten=0.0.0.0"]',
]


@pytest.mark.parametrize("text", SECRETS)
def test_the_value_of_a_secret_option_is_hidden_and_the_rest_is_not(text) -> None:
    assert "hunter2" not in redact(text)
    assert "hidden" in redact(text)
    assert redact(f"protocol C; {text} on dom0").startswith("protocol C; ")


@pytest.mark.parametrize("text", SECRETS)
def test_errors_do_not_tell_secrets(text) -> None:
    for error in (
        ParseError("drbdadm", "why", text),
        CommandFailed(("drbdadm", "adjust"), 10, text, ""),
        CommandFailed(("drbdadm", "adjust"), 10, "", text),
        RenderError("dns", "net/shared-secret", "hunter2", "too long"),
    ):
        assert "hunter2" not in str(error)


def test_plain_data_are_shown_without_their_secrets() -> None:
    tree = {"net": {"shared-secret": "hunter2", "protocol": "C"}, "list": [{"vncpasswd": "hunter2"}]}
    assert masked(tree) == {
        "net": {"shared-secret": "(hidden)", "protocol": "C"},
        "list": [{"vncpasswd": "(hidden)"}],
    }


def test_of_several_secrets_the_names_are_shown() -> None:
    tree = {"secret_options": {"ip": "10.0.9.190", "more": {"password": "hunter2"}, "list": ["hunter2"]}}
    assert masked(tree) == {"secret_options": {"ip": "(hidden)", "more": {"password": "(hidden)"}, "list": "(hidden)"}}
