// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/report/html_page.h"

namespace lem {

const char kPageStyle[] = R"css(
:root{--ink:#1c2128;--soft:#59636e;--line:#d1d9e0;--paper:#fff;--tint:#f6f8fa;--mark:#0b6e99;--warn:#8a5a00}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#3d444d;--paper:#0d1117;--tint:#161b22;--mark:#58b4dd;--warn:#e0a93f}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;max-width:70rem;padding:1rem}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}h3{font-size:1.05rem;margin:1.2rem 0 .3rem}
a{color:var(--mark)}a:focus-visible,summary:focus-visible,button:focus-visible,input:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.skip{position:absolute;left:-9999px}.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem}
.soft{color:var(--soft)}.badge{border:1px solid var(--warn);color:var(--warn);border-radius:1rem;padding:0 .5rem;font-size:.85rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;margin:.3rem 0}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:middle;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
tr.family td:first-child{border-left:3px solid var(--mark)}
svg .axis{stroke:var(--line)}svg .ref{stroke:var(--soft);stroke-dasharray:2 2}svg .bar{stroke:var(--mark);stroke-width:3}svg .dot{fill:var(--mark)}
svg .frame{fill:none;stroke:var(--line)}svg text{fill:var(--ink);font-size:12px}.plane{max-width:36rem;width:100%}
details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--tint);padding:.6rem;border-radius:.3rem;margin:.3rem 0;font-size:.88rem}
.answers{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:.6rem}
.filter{display:flex;gap:.5rem;flex-wrap:wrap;margin:.5rem 0}.filter input{flex:1 1 12rem;padding:.3rem;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line)}
.filter button{font:inherit;padding:.3rem .8rem}
:target{background:var(--tint)}
@media print{body{max-width:none;font-size:10pt}.filter,.skip,nav{display:none}a{color:inherit;text-decoration:none}details:not([open]){display:none}}
)css";

// Links to items of a closed section open it; the filter hides what does not match. Without it
// everything is still there.
const char kPageScript[] = R"js(
function openTarget(){var t=document.getElementById(decodeURIComponent(location.hash.slice(1)));
for(var e=t;e;e=e.parentElement)if(e.tagName==='DETAILS')e.open=true;if(t)t.scrollIntoView();}
addEventListener('hashchange',openTarget);addEventListener('DOMContentLoaded',openTarget);
document.querySelectorAll('.filter').forEach(function(f){var box=f.parentElement,words=f.querySelector('input'),only='';
function show(){var w=words.value.toLowerCase();box.querySelectorAll('details.item').forEach(function(d){
d.hidden=(w&&!d.textContent.toLowerCase().includes(w))||(only&&!(d.dataset.flip||'').includes(only));});}
words.addEventListener('input',show);f.querySelectorAll('button').forEach(function(b){b.addEventListener('click',function(){
only=b.dataset.only||'';f.querySelectorAll('button').forEach(function(o){o.setAttribute('aria-pressed',o===b)});show();});});});
)js";

}  // namespace lem
