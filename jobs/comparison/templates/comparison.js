"use strict";
/* The comparison of two evaluations, A and B: the pairs that have changed most. */

const metric = (name) => DATA.metrics.find((one) => one.name === name);
const signed = (number) => (number === null ? "–" : `${number > 0 ? "+" : ""}${figure(number)}`);
const fileName = (uri) => uri.slice(uri.lastIndexOf("/") + 1) || uri;

function change(name, pair) {
  const [a, b] = DATA.values[name].map((column) => column[pair]);
  return a === null || b === null ? null : b - a;
}

function described(pair) {
  const numbers = DATA.pictures[pair] || [];
  const styles = DATA.styles[pair] || [];
  return {
    title: DATA.pair_id[pair],
    left: { number: numbers.at(-2), name: "A" },
    right: { number: numbers.at(-1), name: "B" },
    shape: DATA.width[pair] && DATA.height[pair] ? DATA.width[pair] / DATA.height[pair] : null,
    empty: "The pictures of this pair are not in this file.",
    beside: [
      { number: numbers[0], name: `content: ${fileName(DATA.content[pair])}` },
      ...styles.map((uri, k) => ({ number: numbers[1 + k], name: `style: ${fileName(uri)}` })),
    ],
    facts: [["method", DATA.method[pair]]],
    heads: ["", "A", "B", "B − A"],
    measured: DATA.metrics.map(({ name, title, better }) => [
      `${title}${{ higher: " ↑", lower: " ↓" }[better] || ""}`,
      ...DATA.values[name].map((column) => figure(column[pair])), signed(change(name, pair)),
    ]),
  };
}

function card(pair, list, name) {
  const numbers = DATA.pictures[pair] || [];
  const main = picture(numbers.at(-1), "B");
  main.classList.add("main");
  const sources = make("span", { className: "sources" }, picture(numbers.at(-2), "A"), picture(numbers[0], "content"));
  const gain = change(name, pair) * (metric(name).better === "higher" ? 1 : -1);
  const button = make(
    "button", { type: "button", className: "card" }, main, sources,
    make("span", { className: "caption" }, make("b", { title: DATA.pair_id[pair] }, DATA.pair_id[pair]),
      make("span", { className: gain > 0 ? "up" : "down" }, `${metric(name).title} ${signed(change(name, pair))}`)),
  );
  button.addEventListener("click", () => zoom(list, list.indexOf(pair), described));
  return button;
}

const choices = $("#changes .choice");

function choose(name) {
  for (const button of choices.children) button.setAttribute("aria-pressed", String(button.value === name));
  for (const [way, list] of Object.entries(DATA.changes[name])) {
    const root = document.getElementById(way);
    root.replaceChildren(...list.map((pair) => card(pair, list, name)));
    if (!list.length) root.replaceChildren(make("p", { className: "note" }, "none"));
  }
}

choices.replaceChildren(...Object.keys(DATA.changes).map((name) => {
  const button = make("button", { type: "button", value: name }, metric(name).title);
  button.addEventListener("click", () => choose(name));
  return button;
}));
if (choices.firstChild) choose(choices.firstChild.value);
for (const one of document.querySelectorAll("table.sortable")) sortable(one);
