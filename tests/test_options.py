"""The table is complete, consistent, and the only place where an option is defined."""

import dataclasses
import types
import typing
from pathlib import Path

import pytest

from hepto import options
from hepto.config import Config
from hepto.options import BY_NAME, OPTIONS, Option

# The columns of contract.md section 1: a row more or less is a change of the contract with the user.
CONTRACT = """cluster key name role anchor iface ip gw dns search ntp data port api-port mesh-port cni proxy admin ca
admit identity profile kube-api api-names open registry-mirrors registry-credentials
data-disk gossip-compat insecure backup-to restore restore-key debug
info"""

rows = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)


def test_the_table_has_the_rows_of_the_contract_in_its_order() -> None:
    assert [option.name for option in OPTIONS] == CONTRACT.split()


def test_config_has_one_attribute_for_each_row() -> None:
    assert [field.name for field in dataclasses.fields(Config)] == [option.attribute for option in OPTIONS]


@rows
def test_defaults_and_examples_are_values_of_the_type_that_config_declares(option: Option) -> None:
    declared = typing.get_type_hints(Config)[option.attribute]
    values = [option.kind.absent if option.default is None else option.kind.parse(option.default)]
    if not option.secret and "…" not in option.example:
        values.append(option.kind.parse(option.example))

    for value in values:
        # The role is the one value whose default depends on another option.
        assert matches(value, declared) or (option.name == "role" and value is None)


def matches(value: object, declared: object) -> bool:
    """`value` is of type `declared`, as far as Config uses types."""
    if isinstance(declared, types.UnionType):
        return any(matches(value, part) for part in typing.get_args(declared))
    origin = typing.get_origin(declared)
    if origin in (tuple, frozenset):
        item = typing.get_args(declared)[0]
        return isinstance(value, origin) and all(matches(part, item) for part in value)
    return isinstance(value, declared if isinstance(declared, type) else type(None))


@rows
def test_every_row_explains_itself_in_one_sentence(option: Option) -> None:
    assert option.help.endswith(".")
    assert "\n" not in option.help
    assert len(option.help) <= 120


@rows
def test_names_of_the_four_spellings(option: Option) -> None:
    assert option.key == f"hepto.{option.name}"
    assert option.variable == f"HEPTO_{option.name.upper().replace('-', '_')}"
    assert option.flag == f"--{option.name}"


def test_the_nearest_name_is_found_whatever_the_spelling() -> None:
    assert options.nearest("clustr") is BY_NAME["cluster"]
    assert options.nearest("API_PROT") is BY_NAME["api-port"]
    assert options.nearest("xyzzy") is None


def test_an_option_that_cannot_be_honoured_is_never_proposed() -> None:
    unavailable = [option for option in OPTIONS if not option.available]
    assert unavailable

    assert all(near is None or near.available for near in map(options.nearest, (o.name for o in unavailable)))


def test_secrets_are_not_rendered() -> None:
    with pytest.raises(ValueError, match="key is secret"):
        options.render(BY_NAME["key"], ())


def test_the_defaults_of_the_contract() -> None:
    assert {option.name: option.default for option in OPTIONS if option.default is not None} == {
        "cluster": "hepto",
        "ntp": "2.debian.pool.ntp.org",
        "data": "/var/lib/hepto",
        "port": "7946",
        "api-port": "7947",
        "mesh-port": "7948",
        "cni": "native",
        "proxy": "native",
        "admit": "key",
        "profile": "lan",
        "kube-api": "open",
        "gossip-compat": "none",
        "insecure": "no",
        "info": "no",
    }
    assert BY_NAME["data"].kind.parse("/var/lib/hepto") == Path("/var/lib/hepto")
