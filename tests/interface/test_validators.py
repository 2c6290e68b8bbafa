"""The OpenAPI document before validators that nobody here wrote."""

from pathlib import Path

import yaml
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV31SpecValidator

from tests.support.console import Console
from tests.support.document import read_document


def test_document_is_valid_openapi_3_1() -> None:
    """`openapi-spec-validator` finds nothing; what it finds is a word that FastAPI or a route put there."""
    errors = OpenAPIV31SpecValidator(read_document()).iter_errors()

    assert [(list(error.path), error.message) for error in errors] == []


def test_connector_of_power_platform_is_valid_swagger_2(console: Console, tmp_path: Path) -> None:
    """The custom connector has every operation of administrators, and the address it is made for."""
    ended = console.run(tmp_path, "openapi", "--power-platform", "--host", "routing.contoso.example")
    connector = yaml.safe_load(ended.out)
    administration = {path: set(members) for path, members in read_document()["paths"].items() if "/admin/" in path}

    assert [(list(error.path), error.message) for error in OpenAPIV2SpecValidator(connector).iter_errors()] == []
    assert {path: set(members) for path, members in connector["paths"].items()} == administration
    assert (connector["swagger"], connector["host"]) == ("2.0", "routing.contoso.example")
