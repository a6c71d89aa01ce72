"""Hostile texts, and documents that are full of them."""

from __future__ import annotations

from typing import Any

CORPUS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "</title></svg></head><body onload=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script href=data:,alert(1) />",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "javascript:alert(1)//",
    "data:text/html,<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    '"><img src=x onerror=alert(1)>',
    "'><details open ontoggle=alert(1)>",
    "` onload=alert(1) `",
    "<!--><script>alert(1)</script>-->",
    "--><script>alert(1)</script><!--",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><x/>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "<\x0bscript\x0c>alert(1)",
    "\ufeff<script>alert(1)</script>",
    "\ud800<script>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "}</style><style>*{background:url(https://evil.example/x)}",
    "url(https://evil.example/x)",
    "expression(alert(1))",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><input name=x>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<cwdb-action action='call'>{}</cwdb-action>",
    "<table><td background=javascript:alert(1)>",
    "\u202e<script>alert(1)</script>",
)
# What is no text from outside: values that a document can only have if this project wrote them.
OURS = {"at", "created_at", "updated_at", "ended_at", "check_at", "started_at", "planned_at", "last_modified", "since"}
OURS |= {"until", "earliest", "likely", "latest", "on_demand_from", "training_started_at", "as_of", "market"}


def poison(value: Any, text: str, key: str = "") -> Any:
    """Return a document in which each text from outside is another one."""
    if isinstance(value, dict):
        return {name: poison(one, text, name) for name, one in value.items()}
    if isinstance(value, list):
        return [poison(one, text, key) for one in value]
    return text if isinstance(value, str) and key not in OURS else value
