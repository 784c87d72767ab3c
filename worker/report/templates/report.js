
"use strict";
// Everything shown is put in as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("submissions");
  const body = table.tBodies[0];
  const panels = new Map(); // of rows that were opened
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  let most = 500; // rows on the screen, until all are asked for
  const keys = JSON.parse(byId("keys").textContent);
  const rows = Array.from(body.rows, (element, index) => ({
    element,
    index,
    keys: keys[index],
    name: element.cells[0].querySelector("bdi").textContent,
    verdict: element.cells[1].textContent,
    text: folded(element.cells[0].textContent + " " + element.cells[1].textContent),
  }));

  function folded(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  }

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children.filter(Boolean));
    return element;
  }

  // Sorting

  function compared(key, sign) {
    return (a, b) => {
      const unlike = key === "name" ? sign * collator.compare(a.name, b.name) : byKey(a.keys[key], b.keys[key], sign);
      return unlike || a.index - b.index;
    };
  }

  function byKey(a, b, sign) {
    return a === null || b === null ? (a === null) - (b === null) : sign * (a - b);
  }

  function sort(button) {
    const heading = button.closest("th");
    const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", order);
    rows.sort(compared(button.dataset.key, order === "ascending" ? 1 : -1));
    body.replaceChildren(); // taking rows out all at once is quick, one by one it is not
    body.append(...rows.flatMap((row) => [row.element, panels.get(row.element)].filter(Boolean)));
    filter();
  }

  // Searching

  function filter() {
    const words = folded(byId("search").value).split(/\s+/);
    const verdict = byId("verdict").value;
    let found = 0;
    for (const row of rows) {
      const wanted = (!verdict || row.verdict === verdict) && words.every((word) => row.text.includes(word));
      found += wanted;
      show(row.element, wanted, wanted && found > most);
    }
    tell(found);
  }

  // Rows beyond the most are there on paper: the screen is what many are slow on.
  function show(row, wanted, beyond) {
    row.hidden = !wanted;
    row.classList.toggle("beyond", beyond);
    const panel = panels.get(row);
    if (!panel) return;
    panel.hidden = !wanted || !isOpen(row);
    panel.classList.toggle("beyond", beyond);
  }

  function tell(found) {
    const count = (number) => number.toLocaleString("en");
    const first = found > most ? `, the first ${count(most)} shown` : "";
    byId("shown").textContent = `${count(found)} of ${count(rows.length)}${first}`;
    byId("all").hidden = found <= most;
  }

  // Details

  function isOpen(row) {
    return row.querySelector("button.open").getAttribute("aria-expanded") === "true";
  }

  function toggle(button) {
    const row = button.closest("tr");
    const open = !isOpen(row);
    if (open && !panels.has(row)) panels.set(row, panel(row, button));
    button.setAttribute("aria-expanded", String(open));
    panels.get(row).hidden = !open;
  }

  function panel(row, button) {
    const number = button.dataset.details;
    const data = byId("details-" + number);
    const cell = make("td", "", data ? told(JSON.parse(data.textContent)) : "The page is not loaded to its end yet.");
    cell.colSpan = row.cells.length;
    const element = make("tr", "panel", cell);
    element.id = "panel-" + number;
    button.setAttribute("aria-controls", element.id);
    row.after(element);
    return element;
  }

  function told(details) {
    const all = make("div", "", ...about(details));
    let failed = 0;
    for (const one of details.cases) {
      failed += one.verdict !== "accepted";
      all.append(caseOf(one, one.verdict !== "accepted" && failed <= 3));
    }
    return all;
  }

  function caseOf(one, open) {
    const line = [
      make("span", "name", make("bdi", "", one.name)),
      one.hidden && make("span", "tag", "hidden"),
      make("span", "v v-" + one.verdict, one.verdict.replaceAll("_", " ")),
      make("span", "points", one.points),
    ];
    if (!one.facts) return make("div", "case", make("div", "bare", ...line));
    const element = make("details", "case", make("summary", "", ...line), make("div", "", ...about(one)));
    element.open = open;
    return element;
  }

  function about(part) {
    return [
      part.facts.length && make("p", "facts", part.facts.join(" · ")),
      part.limit && make("p", "limit", part.limit),
      part.message && make("pre", "message", part.message),
      part.diff && make("pre", "diff", ...part.diff.map(line)),
      part.diff_cut && make("p", "cut", "Cut: the difference goes on."),
      ...stream(part.stderr, "Error output"),
      ...stream(part.stdout, "Output"),
    ].filter(Boolean);
  }

  function line([kind, before, marked, after]) {
    const names = { "-": "minus", "+": "plus", "@": "heading" };
    const sign = make("span", "sign", kind === "-" || kind === "+" ? kind : " ");
    return make("span", "line " + (names[kind] || "same"), sign, before, marked && make("mark", "", marked), after + "\n");
  }

  function stream(shown, title) {
    return shown ? [make("h3", "", title), make("pre", "", shown.text), shown.cut && make("p", "cut", shown.cut)] : [];
  }

  function showAll() {
    const next = rows.filter((row) => row.element.classList.contains("beyond"))[0];
    most = Infinity;
    filter();
    if (next) (next.element.querySelector("button.open") || byId("search")).focus();
  }

  // Keys and clicks

  function step(button, key) {
    const all = Array.from(document.querySelectorAll("button.open")).filter((other) => !other.closest("tr").hidden);
    const next = all[all.indexOf(button) + (key === "ArrowDown" ? 1 : -1)];
    if (next) next.focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.dataset.key) sort(button);
    if (button && button.dataset.details) toggle(button);
    if (button && button.id === "all") showAll();
  });
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (target.matches("button.open") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      step(target, event.key);
    } else if (event.key === "/" && !target.matches("input, select") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      byId("search").focus();
    }
  });
  byId("search").addEventListener("input", filter);
  byId("verdict").addEventListener("input", filter);
  document.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector(".controls").hidden = false;
  document.documentElement.classList.add("scripted");
  filter();
})();
