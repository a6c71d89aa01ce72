"""The style sheet of all pages: light and dark, narrow and wide, and on paper.

The colours are those of Okabe and Ito, which people with any colour vision tell apart. The style sheets contain none of
the characters that HTML escapes.
"""

from __future__ import annotations

import re

_LIGHT = """
--page:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#5a6675;--line:#dde2e8;--link:#005a9c;
--t:#0072b2;--s:#7fb8dc;--w:#a9b4c0;--i:#d55e00;--u:#009e73;--e:#8b96a3;--od:#b35c00;--od2:#f0b36a;--lost:#2b2b2b;
--lost2:#f3c9ae;--now:#16202c;--next:#a3338a;--net:#d55e00;--pace:#009e73;--warn:#fdf0e6;--good:#00735a;--bad:#a84300;
--canary:#cc79a7
""".strip()
_DARK = """
--page:#0f151c;--card:#182029;--ink:#e6ebf1;--soft:#9fabb9;--line:#2e3945;
--link:#7cc0f5;--t:#3f9fdf;--s:#2d5f82;--w:#56626f;--i:#f0803c;--u:#2bc79a;--e:#6b7785;--od:#e69f00;--od2:#7a4d00;
--lost:#f3c9ae;--lost2:#5a2b10;--now:#e6ebf1;--next:#e08fce;--net:#f0803c;--pace:#2bc79a;--warn:#3a2413;
--good:#2bc79a;--bad:#f0803c;--canary:#e29cc4
""".strip()
_PAGE = """
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1240px;margin:0 auto;padding:24px 16px 48px}
"""
_RULES = """
h1{font-size:22px;line-height:1.3;margin:0;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 12px}
p{margin:0 0 8px}
a{color:var(--link)}
code{font:13px/1.4 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
header,section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:20px;margin-bottom:16px}
.top{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center;margin-bottom:10px}
.lead{font-size:20px;line-height:1.4;margin:0 0 12px;max-width:62ch;text-wrap:pretty}
.status{font-size:13px;font-weight:600;padding:2px 10px;border-radius:99px;border:1.5px solid currentColor}
.Completed{color:var(--good)}.Failed{color:var(--bad)}.InProgress{color:var(--t)}.Pending,.Stopped,.Stopping{color:var(--soft)}
.note,caption,.why{color:var(--soft);font-size:14px}
.why{overflow-wrap:anywhere}
.comes{margin:12px 0 8px;padding-left:12px;border-left:3px solid var(--next)}
.warning{background:var(--warn);border-left:4px solid var(--i);padding:8px 12px;border-radius:4px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:12px 20px;margin:0}
.facts div:has(code){grid-column:1/-1}header svg{margin-bottom:12px}
dt{color:var(--soft);font-size:13px}
dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:0 16px;align-items:start}
.figure{margin-bottom:4px}
.lanes{display:grid;grid-template-columns:86px 1fr;gap:8px}
svg{display:block;overflow:visible}
svg text{font:12px system-ui,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
.names text{fill:var(--ink)}
.grid{stroke:var(--line)}
.t,.s,.u,.l{stroke-width:14px}.w,.i,.e{stroke-width:5px}.c{stroke-width:4px;stroke:var(--canary)}
.dense .t,.dense .s,.dense .u,.dense .l{stroke-width:9px}.dense .w,.dense .i,.dense .e{stroke-width:3px}
.t{stroke:var(--t)}.s{stroke:var(--s)}.w{stroke:var(--w)}.i{stroke:var(--i)}.u{stroke:var(--u)}.e{stroke:var(--e)}
.l{stroke:url(#lost)}.od .t{stroke:url(#od)}.bar.on-demand{fill:url(#od)}.bar.lost{fill:url(#lost)}
.od-back{fill:var(--od2)}.od-line{stroke:var(--od);stroke-width:6}
.lost-back{fill:var(--lost2)}.lost-line{stroke:var(--lost);stroke-width:1;fill:none}
.k{stroke:var(--ink);stroke-width:1.5}.dense .k{stroke-width:1;opacity:.45}
.now{stroke:var(--now);stroke-width:2}
.next{stroke:var(--next);stroke-width:2;stroke-dasharray:5 4}
.due{stroke:var(--i);stroke-width:2.5}
path.path,path.ahead,path.pace,path.net{vector-effect:non-scaling-stroke}
.path{stroke:var(--t);stroke-width:2.5}.ahead{stroke:var(--t);stroke-width:2;stroke-dasharray:3 4}
.pace{stroke:var(--pace);stroke-width:1.5;stroke-dasharray:9 4}
.net{stroke:var(--net);stroke-width:1.5;stroke-dasharray:2 3}
.range{stroke:var(--t);stroke-width:8px;opacity:.35}
.bar{fill:var(--t)}.bar.most,.bar.budget{fill:none;stroke:var(--soft);stroke-width:2}
.bar.budget{stroke-dasharray:5 4}
.done{fill:var(--t)}.todo{fill:var(--line)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:12px 0 0;padding:0;
font-size:13px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;padding-bottom:6px}
th,td{text-align:left;padding:6px 12px 6px 0;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-size:13px;font-weight:600;white-space:nowrap}
td{overflow-wrap:anywhere;min-width:56px;font-variant-numeric:tabular-nums}
tr:last-child td,tr:last-child th{border-bottom:0}
.n,.num td:nth-child(n+5):nth-child(-n+8){text-align:right;white-space:nowrap}
@media (min-width:700px){.decisions td:nth-child(-n+2){white-space:nowrap;padding-right:20px}}
.bars th{font-weight:400;width:42%}.bars td:last-child{width:40%;padding-right:0;vertical-align:middle}
.bars td,.bars th{border:0}
.runs th[scope=row]{font-weight:600;overflow-wrap:anywhere;min-width:110px}.runs .share{min-width:120px}
.runs .status{white-space:nowrap}
details{margin-top:12px}summary{cursor:pointer;color:var(--link);font-size:14px}
.hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}
#chain~ul,#chain~ul ul{list-style:none;margin:0;padding:0}#chain~ul li{margin:6px 0}
#chain~ul ul{padding-left:16px;border-left:1px solid var(--line)}
.filter{display:flex;flex-wrap:wrap;gap:6px 14px;margin-bottom:12px;font-size:14px;align-items:center}
[aria-current]{font-weight:700;color:var(--ink);text-decoration:none}
.bar-top{display:flex;flex-wrap:wrap;gap:8px 20px;justify-content:space-between;align-items:center;margin-bottom:14px}
.links{display:flex;flex-wrap:wrap;gap:8px 18px;align-items:center}
.button{display:inline-block;font:600 14px/1.4 system-ui,sans-serif;padding:6px 14px;border:1.5px solid currentColor;
border-radius:6px;background:var(--card);color:var(--link);text-decoration:none;cursor:pointer}
.button:hover,.button:focus-visible{background:var(--link);color:var(--card)}
.field{display:grid;grid-template-columns:minmax(0,220px) minmax(0,160px);gap:4px 16px;align-items:center}
input{font:inherit;color:inherit;background:var(--page);border:1px solid var(--soft);border-radius:4px;padding:4px 8px}
pre{margin:0;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
[hidden]{display:none}
footer{color:var(--soft);font-size:13px}
"""
_NARROW = """
header,section{padding:14px}.lead{font-size:18px}
.lanes{grid-template-columns:78px 1fr}.facts{grid-template-columns:1fr 1fr;gap:10px 14px}
.bars td:last-child{display:none}
""".strip()
_PAPER = """
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#333;--line:#bbb}
header,section{break-inside:avoid;border:0;padding:8px 0}
.scroll{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")

STYLE = (
    f"\n:root{{color-scheme:light dark;{_LIGHT}}}\n@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"\n*{{box-sizing:border-box}}{_PAGE.rstrip()}{_RULES.rstrip()}"
    f"\n@media (max-width:560px){{main{{padding:12px 8px 32px}}{_NARROW}}}{_PAPER}"
)


_WIDGET = """
button.link{font:inherit;font-weight:inherit;color:var(--link);background:none;border:0;padding:0;text-align:left;
text-decoration:underline;cursor:pointer;overflow-wrap:anywhere}
button.link[aria-current]{font-weight:700;color:var(--ink);text-decoration:none}
.runs td:nth-child(4){min-width:180px}form{margin:0}cwdb-action{display:none}"""
_REFERENCE = re.compile(r"url\(#(\w+)\)")


def confine_style(scope: str, *, dark: bool, narrow: bool) -> str:
    """Return the style sheet of a part of somebody else's page: it holds only within the elements of a class.

    The ids in that part begin with the name of the class. Where a page asks its browser, here it is said whether the
    part is ``dark`` and ``narrow``.
    """
    scheme, colours = ("dark", _DARK) if dark else ("light", _LIGHT)
    base = "background:var(--card);color:var(--ink);font:15px/1.5 system-ui,sans-serif"
    rules = f"*{{box-sizing:border-box}}{_RULES}{_NARROW if narrow else ''}{_WIDGET}"
    rules = _REFERENCE.sub(rf"url(#{scope}-\1) var(--\1)", rules)
    confined = _RULE.sub(lambda rule: f"{_within(scope, rule[1])}{{{rule[2]}}}", rules)
    return f"\n.{scope}{{color-scheme:{scheme};{colours};{base}}}\n{confined}\n"


def _within(scope: str, selectors: str) -> str:
    return ",".join(f".{scope} {one.strip()}" for one in selectors.split(","))
