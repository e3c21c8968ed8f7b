/** The style sheet of the page about a run: narrow and wide, light and dark, and print. */

/** Variables: background, card, text, faint text, lines, bad, good; colors, margins and row height of the timeline. */
const COLORS = `
:root{--g:#f5f6f8;--k:#fff;--t:#1b2330;--f:#566072;--l:#dde2ea;--b:#b4202f;--o:#0a6b3d;--left:200px;--right:80px;--row:28px}
.job{--c:#6b7686}.cluster{--c:#0b7a75}.output{--c:#5a4fcf}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--g:#11151b;--k:#191f28;--t:#e7ebf1;--f:#a0abbc;--l:#2d3644;--b:#ff8e98;--o:#7fe0ab}.job{--c:#8b97a9}.cluster{--c:#2fb0a5}.output{--c:#9a90ff}}
.failed{--c:var(--b)}`;

const TEXT = `
*{box-sizing:border-box;margin:0}
body{background:var(--g);color:var(--t);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:960px;margin:auto;padding:28px 12px}
h1{font-size:26px;line-height:1.3;margin:10px 0 18px}
h2{font-size:17px;margin-bottom:8px}
h3{font-size:15px;margin:18px 0 4px}
section{background:var(--k);border:1px solid var(--l);border-radius:10px;padding:16px;margin-bottom:16px}
p{white-space:pre-wrap;margin-bottom:14px}
.state{border:1px solid;border-radius:99px;padding:2px 12px;color:var(--o)}
.state,th,small,footer,svg,i{font-size:13px}
b.bad,.failure h2{color:var(--b)}
.failure{border-left:4px solid var(--b)}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
tr+tr{border-top:1px solid var(--l)}
th,td{padding:6px 0;text-align:left;vertical-align:top;font-weight:400}
th,small,footer{color:var(--f)}
th{width:96px;padding-right:8px}
.times :is(th,td){width:17%;padding-right:0;text-align:right}
.times :first-child{width:auto;text-align:left}
.times tr+tr th{color:var(--t);font-size:15px}`;

const PICTURE = `
svg{display:block;overflow:visible;margin-left:var(--left);width:calc(100% - var(--left) - var(--right));height:calc(var(--n)*var(--row) + 32px);fill:var(--t)}
g{transform:translateY(calc(var(--i)*var(--row)))}
.bar{y:5px;height:12px;rx:3px;fill:var(--c)}
.name{text-anchor:end;transform:translate(-14px,16px)}
.took{transform:translate(14px,16px)}
.unfinished{opacity:.5}
.grid{fill:var(--l);width:1px;height:calc(100% - 26px)}
.tick{fill:var(--f);transform:translateY(-8px)}
i{font-style:normal;margin-right:18px}
i::before{content:"";display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px;background:var(--c)}
@media(max-width:700px){:root{--left:0px;--right:0px;--row:42px}.bar{y:20px}.name,.took{text-anchor:start;transform:translateY(14px)}.took{text-anchor:end}}
@media print{:root{--g:#fff}*{print-color-adjust:exact}tr,svg{break-inside:avoid}}`;

export const PAGE_STYLE = COLORS + TEXT + PICTURE;
