"""What the OpenAPI document gives beside the routes: examples of parameters, and links to what knows their values."""

from typing import Any

__all__ = ["complete_parameters"]

Document = dict[str, Any]
_EXAMPLES: dict[str, str | int] = {
    "rule_id": "vip",
    "action": "enable",
    "new": "current",
    "number": 51,
    "role": "Voice User",
    "rota": "support",
    "/destinations/{name}": "overflow",
    "/calendars/{name}": "helsinki",
    "/rotas/{name}": "support",
    "/tests/{name}": "a VIP goes to the VIP queue",
}
"""Values that the demo knows, by the name of the parameter or the end of the path."""
_LINKS = {
    "decision_id": ("listDecisions", "$response.body#/items/0/id"),
    "alert_id": ("listAlerts", "$response.body#/items/0/id"),
    "key_id": ("createKey", "$response.body#/id"),
    "job_id": ("listJobs", "$response.body#/items/0/id"),
    "draft": ("createDraft", "$response.body#/ref"),
    "/admin/replays job_id": ("startReplay", "$response.body#/id"),
    "/admin/numbers job_id": ("correctNumbers", "$response.body#/id"),
}
"""Where a value comes from that nobody knows beforehand: an operation, and a runtime expression on its answer."""
_OF_DRAFTS = ("/publish", "/shadow", "/rules", "/move")
"""Ends of paths below a ruleset that only a draft has, whatever the method."""


def complete_parameters(document: Document) -> None:
    """Give every required parameter an example, or a link from the operation whose answer tells its value."""
    operations = [
        (path, method, operation)
        for path, members in document["paths"].items()
        for method, operation in members.items()
    ]
    named = {operation["operationId"]: operation for _, _, operation in operations}
    for path, method, operation in operations:
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            if not parameter.get("required"):
                continue
            source = _find_source(path, name, method, document)
            if source is not None:
                _link(named[source[0]], operation["operationId"], parameter, source[1])
            elif not {"example", "examples"} & parameter.keys() and (example := _find_example(path, name)) is not None:
                parameter["example"] = example


def _find_source(path: str, name: str, method: str, document: Document) -> tuple[str, str] | None:
    if name == "if-match":
        return _find_etag(path, document), "$response.header.ETag"
    if name == "ref" and (method in {"put", "delete"} or path.endswith(_OF_DRAFTS)):
        return _LINKS["draft"]
    found = None
    for key, source in _LINKS.items():
        beginning, _, parameter = key.rpartition(" ")
        if parameter == name and path.startswith(beginning):
            found = source
    return found


def _find_etag(path: str, document: Document) -> str:
    """Find what shows the thing that is changed: the nearest path above that can be read."""
    while path:
        shown = document["paths"].get(path, {}).get("get")
        if shown is not None:
            return str(shown["operationId"])
        path = path.rpartition("/")[0]
    raise LookupError("nothing shows what is changed")


def _find_example(path: str, name: str) -> str | int | None:
    return _EXAMPLES.get(name) or next((value for end, value in _EXAMPLES.items() if path.endswith(end)), None)


def _link(source: Document, target: str, parameter: Document, expression: str) -> None:
    answer = next(answer for status, answer in source["responses"].items() if status.startswith("2"))
    link = answer.setdefault("links", {}).setdefault(target, {"operationId": target, "parameters": {}})
    link["parameters"][f"{parameter['in']}.{parameter['name']}"] = expression
