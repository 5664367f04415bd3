"use strict";
/* The report of one evaluation. A pair is its number in the columns of DATA. */

const METRICS = DATA.metrics;
const SHOWN = METRICS.filter(({ name }) => DATA.main.includes(name));
const ALL = Array.from({ length: DATA.count }, (_, pair) => pair);

const value = (pair, name) => DATA.values[name][pair];
const judged = (pair) => DATA.status[pair] === "done";
const pictures = (pair) => DATA.pictures[pair];
const kind = (pair) => DATA.kinds[DATA.kind[pair]];
const fileName = (uri) => decodeURIComponentOrSame(uri.slice(uri.lastIndexOf("/") + 1)) || uri;

function decodeURIComponentOrSame(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const names = (pair) => [DATA.uris[DATA.content[pair]], ...DATA.styles[pair].map((code) => DATA.uris[code])];

const dot = (pair) => make("i", { className: `dot series-${DATA.kind[pair] % 8}` });

/* Pictures */

function card(pair, list) {
  const numbers = pictures(pair);
  const main = numbers ? picture(numbers.at(-1), "result") : make("div", { className: "empty" }, judged(pair) ? "not in this file" : "failed");
  main.classList.add("main");
  const sources = numbers && make("span", { className: "sources" }, picture(numbers[0], "content"), picture(numbers[1], "style"));
  const figures = SHOWN.map(({ name, title }) => make("span", {}, `${title} ${figure(value(pair, name))}`));
  const told = DATA.ruin[pair] ? make("span", { className: "ruin" }, `${DATA.ruin[pair]}?`) : null;
  const caption = make(
    "span", { className: "caption" },
    make("b", { title: DATA.pair_id[pair] }, DATA.pair_id[pair]), make("span", {}, dot(pair), kind(pair)),
    ...(judged(pair) ? figures : [make("span", {}, DATA.error_type[pair] || "failed")]), told,
  );
  const button = make("button", { type: "button", className: "card" }, main, sources, caption);
  button.addEventListener("click", () => zoom(list, list.indexOf(pair), described));
  return button;
}

const medians = Object.fromEntries(METRICS.map(({ name }) => [name, null]));

function median(name) {
  if (medians[name] === null) {
    const sorted = DATA.values[name].filter((one) => one !== null).sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    medians[name] = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  return medians[name];
}

function described(pair) {
  const numbers = pictures(pair) || [];
  const [content, ...styles] = names(pair).map(fileName);
  const wide = DATA.width[pair] && DATA.height[pair];
  return {
    title: DATA.pair_id[pair],
    left: { number: numbers[0], name: "content" },
    right: { number: numbers.at(-1), name: "result" },
    shape: wide ? DATA.width[pair] / DATA.height[pair] : null,
    empty: judged(pair) ? "The pictures of this pair are not in this file." : `${DATA.error_type[pair]}: ${DATA.error[pair]}`,
    beside: styles.map((name, k) => ({ number: numbers[1 + k], name })),
    facts: [
      ["row", String(DATA.row[pair])],
      ["method", kind(pair)],
      ["content", content],
      ["style", styles.join(", ")],
      ["size", wide ? `${DATA.width[pair]} × ${DATA.height[pair]}` : ""],
      ["label", DATA.label[pair]],
      ["suspected", DATA.ruin[pair]],
    ],
    heads: ["", "this pair", "median"],
    measured: judged(pair)
      ? METRICS.map(({ name, title, better }) => [
        `${title}${{ higher: " ↑", lower: " ↓" }[better] || ""}`, figure(value(pair, name)), figure(median(name)),
      ])
      : [],
  };
}

function strip(id, list) {
  const root = document.getElementById(id);
  if (root) root.replaceChildren(...list.map((pair) => card(pair, list)));
}

function extremes() {
  const choices = [[DATA.both, "content and style"], ...SHOWN.map(({ name, title }) => [name, title])];
  const root = $("#extremes .choice");
  const choose = (name) => {
    for (const button of root.children) button.setAttribute("aria-pressed", String(button.value === name));
    strip("best", DATA.best[name]);
    strip("worst", DATA.worst[name]);
  };
  root.replaceChildren(...choices.map(([name, words]) => {
    const button = make("button", { type: "button", value: name }, words);
    button.addEventListener("click", () => choose(name));
    return button;
  }));
  choose(DATA.both);
  if (!DATA.best[DATA.both].length) document.getElementById("extremes").hidden = true;
}

/* Filters and orders, for the grid and the table alike */

const STATUS = {
  "": () => true,
  judged,
  ruined: (pair) => Boolean(DATA.ruin[pair]),
  failed: (pair) => !judged(pair),
};

function filters(state, change) {
  const kinds = [["", "all"], ...DATA.kinds.map((name, number) => [String(number), name])];
  const set = (name) => (chosen) => {
    state[name] = chosen;
    change();
  };
  const search = make("input", { type: "search", placeholder: "pair, content or style", ariaLabel: "find" });
  search.addEventListener("input", () => set("text")(search.value.trim().toLowerCase()));
  return [
    DATA.kinds.length > 1 ? select("method", kinds, set("kind")) : null,
    select("status", [["", "all"], ["judged", "judged"], ["ruined", "suspected ruins"], ["failed", "failed"]], set("status")),
    search,
  ].filter(Boolean);
}

function matching(state) {
  const matches = (pair) =>
    (!state.kind || DATA.kind[pair] === Number(state.kind)) &&
    STATUS[state.status](pair) &&
    (!state.text || [DATA.pair_id[pair], ...names(pair)].some((name) => name.toLowerCase().includes(state.text)));
  return ALL.filter(matches);
}

function grid() {
  const state = { kind: "", status: "", text: "", order: "row", down: false, all: false };
  let list = [];
  const root = document.getElementById("grid");
  const turn = pager(document.getElementById("grid-pager"), 24, (first, last) =>
    root.replaceChildren(...list.slice(first, last).map((pair) => card(pair, list))));
  const update = () => {
    list = matching(state).filter((pair) => state.all || pictures(pair));
    if (state.order !== "row") list.sort((a, b) => compare(value(a, state.order), value(b, state.order), state.down));
    else if (state.down) list.reverse();
    turn(list.length);
  };
  const orders = [["row", "row"], ...METRICS.map(({ name, title }) => [name, title])];
  const direction = make("button", { type: "button", ariaLabel: "direction" }, "↑");
  direction.addEventListener("click", () => {
    state.down = !state.down;
    direction.textContent = state.down ? "↓" : "↑";
    update();
  });
  const order = select("order by", orders, (name) => {
    state.order = name;
    update();
  });
  order.append(direction);
  const all = make("input", { type: "checkbox" });
  all.addEventListener("change", () => {
    state.all = all.checked;
    update();
  });
  const form = document.getElementById("grid-controls");
  form.append(...filters(state, update), order, make("label", {}, all, "also without pictures"));
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
}

/* The table of all pairs */

function table() {
  const GROUPS = { main: "the main ones", content: "content", style: "style", colour: "colour", ruin: "ruin", optional: "optional" };
  const state = { kind: "", status: "", text: "", group: "main", order: "row", down: false };
  const [head, body] = [$("#pairs thead"), $("#pairs tbody")];
  let list = [];
  const columns = () => [
    { name: "row", title: "row", of: (pair) => DATA.row[pair] },
    { name: "pair_id", title: "pair", of: (pair) => DATA.pair_id[pair], text: true },
    { name: "kind", title: "method", of: kind, text: true },
    { name: "status", title: "status", of: (pair) => (DATA.ruin[pair] ? `${DATA.ruin[pair]}?` : DATA.status[pair]), text: true },
    ...METRICS.filter(({ group, name }) => (state.group === "main" ? group === "time" || KEY.includes(name) : group === state.group))
      .map(({ name, title }) => ({ name, title, of: (pair) => value(pair, name) })),
  ];
  const KEY = [...DATA.main, "edge_ssim", "content_distance", "mean_std_distance", "colour_distance", "sharpness"];
  const turn = pager(document.getElementById("table-pager"), 50, (first, last) => {
    const shown = columns();
    body.replaceChildren(...list.slice(first, last).map((pair) => {
      const row = make("tr", {}, ...shown.map(({ of, text, name }) =>
        make("td", { className: text ? "clip" : "number" }, name === "row" ? String(of(pair)) : text ? of(pair) : figure(of(pair)))));
      row.cells[2].prepend(dot(pair));
      row.tabIndex = 0;
      const open = () => zoom(list, list.indexOf(pair), described);
      row.addEventListener("click", open);
      row.addEventListener("keydown", ({ key }) => key === "Enter" && open());
      return row;
    }));
  });
  const update = () => {
    const by = columns().find(({ name }) => name === state.order) || columns()[0];
    list = matching(state);
    const keyed = list.map((pair) => [by.of(pair), pair]).sort((a, b) => compare(a[0], b[0], state.down));
    list = keyed.map(([, pair]) => pair);
    turn(list.length);
  };
  const heads = () => {
    head.replaceChildren(make("tr", {}, ...columns().map(({ name, title, text }) => {
      const cell = make("th", { scope: "col", className: text ? "" : "number" }, title);
      if (name === state.order) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      cell.addEventListener("click", () => {
        state.down = name === state.order ? !state.down : false;
        state.order = name;
        heads();
        update();
      });
      keyboard(cell);
      return cell;
    })));
  };
  const groups = Object.entries(GROUPS).filter(([name]) => name === "main" || METRICS.some(({ group }) => group === name));
  const form = document.getElementById("table-controls");
  form.append(...filters(state, update), select("metrics", groups, (group) => {
    state.group = group;
    heads();
    update();
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  heads();
  update();
}

function failures() {
  const body = $("#failed tbody");
  if (!body) return;
  body.replaceChildren(...DATA.failed.map((pair) =>
    make("tr", {}, make("td", { className: "clip", title: DATA.pair_id[pair] }, DATA.pair_id[pair]), make("td", {}, kind(pair)),
      make("td", { className: "words" }, `${DATA.error_type[pair]}: ${DATA.error[pair]}`))));
}

function summaryKind() {
  const box = document.getElementById("summary-kind");
  if (!box) return;
  box.addEventListener("change", () => {
    for (const part of document.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== box.value;
  });
}

for (const one of document.querySelectorAll("table.sortable")) sortable(one);
extremes();
grid();
strip("ruined", DATA.ruined);
failures();
summaryKind();
table();
