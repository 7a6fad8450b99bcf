/** The style sheet of a report: light or dark as the reader's system, light on paper. */
const light = `--page:#fbfbfa;--card:#ffffff;--ink:#1c1e21;--quiet:#676c75;--rule:#e4e5e8;--strong:#9aa0a8;
--right:#0a8f5b;--c0:#1f6fd6;--c1:#e0771b;--c2:#0f9d83;--c3:#c2408f;--c4:#8a6fd1;--c5:#8b9099;`
const dark = `--page:#15171a;--card:#1d2024;--ink:#e9eaec;--quiet:#9ba1ab;--rule:#31353b;--strong:#6d737d;
--right:#3ecf8e;--c0:#63a4ff;--c1:#ff9d52;--c2:#3fd0b4;--c3:#f07fc2;--c4:#b39dff;--c5:#9aa0aa;`

export const style = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1060px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px;letter-spacing:-.02em}
h2{font-size:19px;margin:44px 0 4px;letter-spacing:-.01em}
h2+p{color:var(--quiet);margin:0 0 12px}
dl.facts{display:flex;flex-wrap:wrap;gap:4px 28px;margin:14px 0 0;padding:0}
dl.facts div{display:flex;gap:6px;min-width:0}
dl.facts dt{color:var(--quiet)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:14px;margin:28px 0 0;padding:0}
.tile{list-style:none;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:28px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{display:block;color:var(--quiet);font-size:13px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:14px;margin-top:14px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px 10px;
break-inside:avoid;min-width:0}
figure.wide{grid-column:1/-1}
figcaption{margin:0 0 8px}
figcaption span{display:block;color:var(--quiet);font-size:13px}
.warnings{background:var(--card);border:1px solid var(--c1);border-radius:10px;margin:14px 0 0;padding:14px 16px 14px 34px}
.warnings li{overflow-wrap:anywhere}
.nothing{color:var(--quiet);text-align:center;padding:48px 0;margin:0}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;fill:var(--ink);
font-variant-numeric:tabular-nums}
svg .quiet{fill:var(--quiet)}
svg .end{text-anchor:end}
svg .middle{text-anchor:middle}
.grid{stroke:var(--rule)}
.axis{stroke:var(--strong)}
.guide{stroke:var(--strong);stroke-dasharray:4 4}
.whisker{stroke:var(--ink);stroke-width:1.5;fill:none}
.stroke{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.fill{fill:currentColor}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px;margin-top:14px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--rule);vertical-align:baseline}
tr:last-child td,tr:last-child th{border-bottom:0}
thead th{color:var(--quiet);font-weight:500;font-size:13px}
th:first-child{padding-left:16px}
tbody th{font-weight:500}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.meaning{color:var(--quiet)}
td small{display:block;color:var(--quiet);font-size:12px;font-weight:400}
td.best{font-weight:700}
.queries{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:14px;margin-top:14px}
.queries.wide{grid-template-columns:1fr}
.result{display:flex;gap:20px;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;
break-inside:avoid;min-width:0}
.query{flex:0 0 104px}
.query.two{flex-basis:216px;display:flex;gap:8px}
.found{flex:1;min-width:0;padding-left:20px;border-left:1px solid var(--rule);
display:flex;flex-wrap:wrap;gap:8px;margin:0;list-style:none;align-content:flex-start}
.found li{list-style:none}
.found.texts{flex-direction:column;gap:4px;list-style:decimal;padding-left:24px;display:block}
.found.texts li{list-style:decimal;margin-bottom:3px}
.found.texts li::marker{color:var(--quiet);font-size:12px}
.card{width:104px;font-size:12px;line-height:1.35}
.card .frame{width:104px;height:104px;border:1px solid var(--rule);border-radius:8px;background:#fff;overflow:hidden;
display:flex;align-items:center;justify-content:center;color:#8b9099}
.card.words .frame{background:none;color:var(--ink);padding:8px;text-align:center;font-size:13px;font-style:italic}
.card img{display:block;width:100%;height:100%;object-fit:contain}
.card .name{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden;margin-top:4px}
.note{color:var(--quiet);font-size:12px;display:block}
.card.right .frame{outline:3px solid var(--right);outline-offset:-1px}
.right .note,.text.right{color:var(--right);font-weight:600}
.text{display:flex;gap:8px;font-size:14px;line-height:1.4}
.text .note{line-height:1.65}
details{margin-top:44px}
summary{cursor:pointer;color:var(--quiet)}
pre{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;
font-size:13px}
figure.wide{overflow-x:auto}
@media (max-width:640px){main{padding:24px 14px}figure.wide svg{min-width:720px}.result{flex-direction:column;gap:12px}}
@media print{:root{color-scheme:light;${light}--page:#fff}body{font-size:12px}main{max-width:none;padding:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.plots,.queries{grid-template-columns:1fr 1fr}
.queries.wide{grid-template-columns:1fr}h2{break-after:avoid}}
`
