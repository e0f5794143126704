"""The nodes get the Salt that runs here, with all that it needs and nothing that it does not."""

from importlib.metadata import version

from lab import wheels


def test_what_salt_requires_comes_with_it_in_the_versions_that_are_installed_here() -> None:
    closure = wheels.salt_closure()
    assert closure["salt"] == version("salt")
    assert closure["pyyaml"] == version("pyyaml")
    assert closure["gitdb"] == version("gitdb")  # of GitPython, which Salt requires
    assert "pytest" not in closure


def test_requirements_of_other_systems_and_of_extras_are_left_out() -> None:
    requirements = [
        "msgpack>=1.1",
        "pywin32; sys_platform == 'win32'",
        "tzdata; python_version >= '3.9'",
        "pytest; extra == 'test'",
    ]
    assert list(wheels.required(requirements)) == ["msgpack", "tzdata"]
