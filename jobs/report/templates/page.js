"use strict";
/* What the pages share: pictures that are embedded in them, tables that can be sorted, and one pair seen large.
   Whatever comes from the data becomes text, never markup. */

const DATA = JSON.parse(document.getElementById("data").textContent);

const $ = (selector, root = document) => root.querySelector(selector);

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function figure(value) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(4)));
}

const count = (number) => number.toLocaleString("en");

/* Pictures: number k has a thumbnail in the element t<k> and, if there was room, a larger one in z<k>. */

function source(number, large = false) {
  const element = (large && document.getElementById(`z${number}`)) || document.getElementById(`t${number}`);
  return element && `data:image/webp;base64,${element.textContent}`;
}

function picture(number, name, large = false) {
  const url = number === undefined ? null : source(number, large);
  if (!url) return make("div", { className: "empty" }, number === undefined ? "not in this file" : "cannot be read");
  return make("img", { src: url, alt: name, decoding: "async", loading: "lazy" });
}

/* Tables */

function sortable(table) {
  const body = table.tBodies[0];
  table.tHead.addEventListener("click", ({ target }) => {
    const head = target.closest("th");
    if (!head) return;
    const at = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") !== "descending" && (head.hasAttribute("aria-sort") || head.matches(".number"));
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.children[at];
      if (cell.dataset.value === undefined) return cell.textContent.trim();
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    };
    body.append(...[...body.rows].map((row) => [key(row), row]).sort((a, b) => compare(a[0], b[0], down)).map(([, row]) => row));
  });
  for (const head of table.tHead.rows[0].cells) keyboard(head);
}

function keyboard(head) {
  head.tabIndex = 0;
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      head.click();
    }
  });
}

/* Nulls are last in either direction. */
function compare(a, b, down) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return down ? -order : order;
}

function pager(root, size, show) {
  let page = 0;
  let length = 0;
  const words = make("span");
  const back = make("button", { type: "button" }, "← previous");
  const next = make("button", { type: "button" }, "next →");
  root.replaceChildren(back, words, next);
  const go = (to) => {
    const pages = Math.max(1, Math.ceil(length / size));
    page = Math.min(Math.max(to, 0), pages - 1);
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
    const first = page * size;
    const last = Math.min(first + size, length);
    words.textContent = length ? `${count(first + 1)}–${count(last)} of ${count(length)}` : "none";
    show(first, last);
  };
  back.addEventListener("click", () => go(page - 1));
  next.addEventListener("click", () => go(page + 1));
  return (newLength) => {
    length = newLength;
    go(0);
  };
}

function select(label, options, change) {
  const box = make("select", {}, ...options.map(([value, words]) => make("option", { value }, words)));
  box.addEventListener("change", () => change(box.value));
  return make("label", {}, label, box);
}

/* One pair seen large: two pictures with a divide that moves, what else belongs to it beside them. */

const zoom = (() => {
  const dialog = $("#zoom");
  const frame = $(".frame", dialog);
  const stage = $(".stage", dialog);
  const [before, after, handle] = [".before", ".after", ".handle"].map((selector) => $(selector, dialog));
  let pairs = [];
  let at = 0;
  let describe = null;
  let shape = null;

  function divide(share) {
    const percent = Math.min(Math.max(share, 0), 1) * 100;
    before.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
    handle.style.left = `${percent}%`;
    handle.setAttribute("aria-valuenow", String(Math.round(percent)));
  }

  function fit() {
    if (!shape || !dialog.open) return;
    const narrow = window.innerWidth <= 760;
    const height = window.innerHeight * (narrow ? 0.55 : 0.8);
    const clear = Math.max(2 * after.naturalWidth, 480); // larger it would be a blur
    const width = Math.min(stage.clientWidth, height * shape, clear);
    frame.style.width = `${width}px`;
    frame.style.height = `${width / shape}px`;
  }

  function show() {
    const pair = describe(pairs[at]);
    $("h2", dialog).textContent = pair.title;
    $("h2", dialog).title = pair.title;
    $(".counter", dialog).textContent = `${count(at + 1)} of ${count(pairs.length)}`;
    const [left, right] = [pair.left, pair.right].map((side) => side.number !== undefined && source(side.number, true));
    const only = right || left;
    frame.hidden = !only;
    $(".empty", stage).hidden = Boolean(only);
    $(".empty", stage).textContent = pair.empty;
    shape = null;
    if (only) {
      after.onload = () => {
        if (!pair.shape) shape = after.naturalWidth / after.naturalHeight;
        fit();
      };
      shape = pair.shape || null;
      after.src = only;
      before.src = left || only;
      [after.alt, before.alt] = [pair.right.name, pair.left.name];
    }
    const both = Boolean(left && right);
    for (const element of [before, handle, $(".tag.left", frame)]) element.hidden = !both;
    $(".tag.left", frame).textContent = pair.left.name;
    $(".tag.right", frame).textContent = right ? pair.right.name : pair.left.name;
    $(".beside", dialog).replaceChildren(
      ...pair.beside.map((one) => make("figure", {}, picture(one.number, one.name, true), make("figcaption", { title: one.name }, one.name))),
    );
    $(".facts", dialog).replaceChildren(
      ...pair.facts.filter(([, words]) => words).flatMap(([name, words]) => [make("dt", {}, name), make("dd", {}, words)]),
    );
    $(".measured thead", dialog).replaceChildren(
      make("tr", {}, ...(pair.measured.length ? pair.heads : []).map((words) => make("th", { scope: "col" }, words))),
    );
    $(".measured tbody", dialog).replaceChildren(
      ...pair.measured.map(([name, ...cells]) =>
        make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell, i) => make("td", { className: i ? "aside" : "" }, cell)))),
    );
    divide(0.5);
    fit();
  }

  function go(step) {
    at = (at + step + pairs.length) % pairs.length;
    show();
  }

  let dragged = false;
  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    divide((event.clientX - box.left) / box.width);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    dragged = true;
    frame.setPointerCapture(event.pointerId);
    follow(event);
  });
  frame.addEventListener("pointermove", (event) => dragged && follow(event));
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => (dragged = false));

  dialog.addEventListener("keydown", (event) => {
    const now = Number(handle.getAttribute("aria-valuenow")) / 100;
    const moves = {
      ArrowLeft: () => go(-1), ArrowRight: () => go(1), ArrowUp: () => divide(now + 0.05), ArrowDown: () => divide(now - 0.05),
      Home: () => divide(0), End: () => divide(1),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest("[data-close]")) dialog.close();
    const step = target.closest("[data-go]");
    if (step) go(Number(step.dataset.go));
  });
  window.addEventListener("resize", fit);

  return (list, first, how) => {
    [pairs, at, describe] = [list, first, how];
    dialog.showModal();
    show();
  };
})();
