// The risk map: squares or areas, outlines and legend as SVG, stepped through days without asking the server.
// A month of risk comes in one answer (month_of_risk.py tells its bytes). Dash owns the controls and
// calls `show`; this file owns what is inside #risk-map and tells Dash of the cell that was chosen.
(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg";
  var SPREADS = [1.25, 1.5, 2, 3, Infinity];
  var SPREAD_WORDS = ["models agree within 1.25 times", "to 1.5 times", "to 2 times", "to 3 times",
    "more than 3 times apart"];
  var geometry = null, months = {}, cases = null, state = {}, nodes = {}, box = null, cursor = -1;

  function get(path, binary) {
    return fetch(path, { headers: { Accept: binary ? "application/octet-stream" : "application/json" } })
      .then(function (answer) {
        if (!answer.ok) { throw new Error(path + " answered " + answer.status); }
        return binary ? answer.arrayBuffer() : answer.json();
      });
  }

  function parse(buffer) {
    var length = new DataView(buffer).getUint32(0, true);
    var head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    var at = 4 + length, n = head.days.length * head.cells;
    function take(Kind) { var part = new Kind(buffer, at, n); at += part.byteLength; return part; }
    return { days: head.days, stages: head.stages, cells: head.cells, risk: take(Float32Array), expected: take(Float32Array),
      spread: take(Float32Array), rank: take(Uint16Array), upper: take(Uint8Array) };
  }

  function month(day) {
    var key = day.slice(0, 7);
    if (!months[key]) {
      months[key] = get("/data/risk/" + key, true).then(parse);
      months[key].catch(function () { delete months[key]; });
    }
    return months[key];
  }

  function make(name, attributes, parent) {
    var node = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    if (parent) { parent.appendChild(node); }
    return node;
  }

  function build(host) {
    host.replaceChildren();
    box = [-14, -14, geometry.width + 28, geometry.height + 28];
    var svg = make("svg", { viewBox: box.join(" "), tabindex: "0", role: "application",
      "aria-label": "Risk map. Arrow keys move from cell to cell, Enter chooses one.",
      "aria-describedby": "map-readout" }, host);
    var defs = make("defs", {}, svg);
    var hatch = make("pattern", { id: "no-data", width: 4, height: 4, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)" }, defs);
    make("rect", { width: 4, height: 4, "class": "hatch-ground" }, hatch);
    make("path", { d: "M0 0V4", "class": "hatch-line" }, hatch);
    var squares = make("g", { "class": "cells" }, svg);
    nodes = { svg: svg, cells: geometry.left.map(function (left, i) {
      var node = geometry.paths ? make("path", { d: geometry.paths[i] }, squares)
        : make("rect", { x: left, y: geometry.top[i], width: 10, height: 10 }, squares);
      node.cell = i;
      return node;
    }) };
    var outlines = make("g", { "class": "outlines", "aria-hidden": "true" }, svg);
    geometry.boroughs.forEach(function (b) { make("path", { d: b.path, "class": "outline" }, outlines); });
    nodes.names = geometry.boroughs.map(function (b) {
      var group = make("g", { "class": "borough-label" }, svg);
      make("text", { x: b.x, y: b.y }, group).textContent = b.name;
      return { name: b.name, cases: make("text", { x: b.x, y: b.y, dy: "1.2em", "class": "cases" }, group) };
    });
    ["chosen", "cursor"].forEach(function (name) {
      nodes[name] = make(geometry.paths ? "path" : "rect", { width: 10, height: 10, "class": name,
        visibility: "hidden" }, svg);
    });
    scaleBar(svg);
    // A picture of the map goes on without its page: the stage stands on the sheet itself.
    nodes.stage = make("text", { x: 6, y: 34, "class": "stage" }, svg);
    at = {};
    geometry.col.forEach(function (col, i) { at[col + "," + geometry.row[i]] = i; });
    listen(svg);
  }

  var at = {};

  function scaleBar(svg) {
    var km = [0.5, 1, 2, 5, 10, 20, 50].filter(function (k) {
      return geometry.cell_km && k / geometry.cell_km * 10 <= geometry.width / 5; }).pop();
    if (!km) { return; }
    var length = km / geometry.cell_km * 10, x = geometry.width - length, y = geometry.height;
    var bar = make("g", { "class": "scale-bar" }, svg);
    make("path", { d: "M" + x + " " + (y - 5) + "v5h" + length + "v-5" }, bar);
    make("text", { x: x + length / 2, y: y - 8 }, bar).textContent = km + " km";
  }

  function listen(svg) {
    var from = null, moved = false;
    svg.addEventListener("pointermove", function (event) {
      if (from) { drag(event); return; }
      if (event.target.cell !== undefined) { point(event.target.cell); }
    });
    svg.addEventListener("pointerleave", function () { if (document.activeElement !== svg) { rest(); } });
    svg.addEventListener("pointerdown", function (event) {
      moved = false;
      if (box[2] < geometry.width) { from = { x: event.clientX, y: event.clientY, box: box.slice() }; }
    });
    window.addEventListener("pointerup", function () { from = null; });
    function drag(event) {
      var scale = box[2] / svg.clientWidth;
      moved = moved || Math.abs(event.clientX - from.x) + Math.abs(event.clientY - from.y) > 4;
      box[0] = from.box[0] - (event.clientX - from.x) * scale;
      box[1] = from.box[1] - (event.clientY - from.y) * scale;
      frame();
    }
    svg.addEventListener("click", function (event) {
      if (!moved && event.target.cell !== undefined) { point(event.target.cell); choose(event.target.cell); }
    });
    svg.addEventListener("focus", function () {
      if (cursor < 0) { point(state.cell >= 0 ? state.cell : highest()); } });
    svg.addEventListener("keydown", function (event) {
      var step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(cursor); }
      if (!step || cursor < 0) { return; }
      event.preventDefault();
      var col = geometry.col[cursor], row = geometry.row[cursor];
      // Water lies between boroughs: look on in the same direction.
      for (var i = 1; i < 60; i += 1) {
        var next = at[(col + i * step[0]) + "," + (row + i * step[1])];
        if (next !== undefined) { point(next); return; }
      }
    });
  }

  function frame() { nodes.svg.setAttribute("viewBox", box.join(" ")); }

  function zoom(factor) {
    if (!factor) { box = [-14, -14, geometry.width + 28, geometry.height + 28]; frame(); return; }
    var width = Math.min(geometry.width + 28, Math.max(geometry.width / 12, box[2] * factor));
    var height = width * (geometry.height + 28) / (geometry.width + 28);
    var x = box[0] + box[2] / 2, y = box[1] + box[3] / 2;
    if (factor < 1 && state.cell >= 0) { x = geometry.left[state.cell] + 5; y = geometry.top[state.cell] + 5; }
    box = [x - width / 2, y - height / 2, width, height];
    frame();
  }

  function place(node, cell) {
    if (geometry.paths) { node.setAttribute("d", geometry.paths[cell]); }
    node.setAttribute("x", geometry.left[cell]);
    node.setAttribute("y", geometry.top[cell]);
    node.setAttribute("visibility", "visible");
  }

  function figures(value) {
    return value === 0 ? "0" : Number(value.toPrecision(2)).toString();
  }

  function sentence(cell) {
    var data = state.data, k = state.index * data.cells + cell, spread = data.spread[k];
    return "Rank " + data.rank[k].toLocaleString("en") + " of " + data.cells.toLocaleString("en") +
      (geometry.paths ? " · area " : " · map square " + geometry.sheet[cell] + ", precinct ") +
      geometry.precinct[cell] +
      (geometry.borough[cell] >= 0 ? ", " + geometry.boroughs[geometry.borough[cell]].name : "") +
      " · risk " + figures(100 * data.risk[k]) + "% · expected " + figures(data.expected[k]) +
      " reported incidents" + (isNaN(spread) ? "" : " · models " + spread.toFixed(2) + " times apart");
  }

  function point(cell) {
    cursor = cell;
    place(nodes.cursor, cell);
    say(sentence(cell));
  }

  function rest() {
    cursor = -1;
    nodes.cursor.setAttribute("visibility", "hidden");
    say("Point at " + (geometry.paths ? "an area" : "a square") + " to read its forecast, or tab to the map and use the arrow keys.");
  }

  function say(text) {
    var out = document.getElementById("map-readout");
    if (out) { out.textContent = text; }
  }

  function highest() {
    for (var i = 0; i < state.data.cells; i += 1) {
      if (state.data.rank[state.index * state.data.cells + i] === 1) { return i; }
    }
    return 0;
  }

  function choose(cell) {
    if (cell >= 0) { window.dash_clientside.set_props("chosen-cell", { data: cell }); }
  }

  // Upper ends of the classes as shares of the cells, a style each: the bands of the risk table, which come
  // with the geometry, and four parts of the baseline.
  function shares() {
    return geometry.shares.concat(geometry.shares[2] < 0.1 ? [0.1, 0.25, 0.5, 1] : [0.5, 0.65, 0.85, 1]);
  }

  function classWords() {
    return shares().map(function (share, i) {
      var end = +(100 * share).toPrecision(3) + "%";
      return i === 0 ? "very high: top " + end + (geometry.paths ? " of areas" : " of cells")
        : (["high", "elevated"][i - 1] || "baseline") + (share < 1 ? ": to " + end : ": the rest");
    });
  }

  function classOf(value, ends) {
    if (isNaN(value)) { return -1; }
    var i = 0;
    while (value > ends[i]) { i += 1; }
    return i;
  }

  function paint() {
    var data = state.data, n = data.cells, start = state.index * n, view = state.view, k, kind;
    var ends = shares().map(function (share) { return Math.ceil(share * n - 1e-9); });
    var counts = [0, 0, 0, 0, 0, 0, 0], low = counts.map(function () { return Infinity; });
    var spreads = [0, 0, 0, 0, 0, 0];
    for (var i = 0; i < n; i += 1) {
      k = start + i;
      var risk = classOf(data.rank[k], ends), spread = classOf(data.spread[k], SPREADS);
      counts[risk] += 1;
      low[risk] = Math.min(low[risk], data.risk[k]);
      spreads[spread < 0 ? 5 : spread] += 1;
      kind = view === "uncertainty" ? (spread < 0 ? "none" : "u" + spread) : "r" + risk;
      if (view === "faded") { kind += spread < 0 ? " f4" : " f" + spread; }
      if (nodes.cells[i].kind !== kind) {
        nodes.cells[i].setAttribute("class", kind);
        nodes.cells[i].kind = kind;
      }
    }
    legend(counts, low, spreads);
    if (state.cell >= 0 && state.cell < n) { place(nodes.chosen, state.cell); }
    else { nodes.chosen.setAttribute("visibility", "hidden"); }
    if (cursor >= 0) { say(sentence(cursor)); } else { rest(); }
    label();
    var stage = data.stages[state.index];
    nodes.stage.textContent = stage === "published" ? "" : stage.toUpperCase();
    nodes.svg.setAttribute("data-day", state.day);
    nodes.svg.setAttribute("data-view", view);
  }

  function legend(counts, low, spreads) {
    var host = document.getElementById("map-legend");
    if (!host) { return; }
    var rows = state.view === "uncertainty"
      ? SPREAD_WORDS.map(function (words, i) { return ["u" + i, words, spreads[i]]; })
          .concat(spreads[5] ? [["none", "no data on the models", spreads[5]]] : [])
      : classWords().map(function (words, i) {
          return ["r" + i, words + (counts[i] ? ", risk from " + figures(100 * low[i]) + "%" : ""), counts[i]];
        });
    host.replaceChildren.apply(host, rows.map(function (row) {
      var item = document.createElement("li"), swatch = document.createElementNS(SVG, "svg");
      swatch.setAttribute("viewBox", "0 0 10 10");
      swatch.setAttribute("aria-hidden", "true");
      make("rect", { width: 10, height: 10, "class": row[0] }, swatch);
      item.append(swatch, row[1] + " (" + row[2].toLocaleString("en") + ")");
      return item;
    }));
    var note = document.getElementById("map-note");
    note.textContent = state.view === "faded"
      ? "The paler a place, the further the models disagree on it: a strong colour is a high rank that most models share."
      : state.view === "uncertainty"
        ? "Upper quartile of the models' forecasts over the lower. Where models agree they can still be wrong together."
        : "Colours are ranks of the day: each day has the same number of places of each colour, whatever the risk.";
  }

  function label() {
    nodes.names.forEach(function (node) {
      var found = state.cases && cases && (cases[node.name.toLowerCase()] || {})[state.day.slice(0, 7)];
      node.cases.textContent = !state.cases ? "" : found === undefined || !cases ? "no data"
        : found[0] === null ? "cases hidden (k = 11)" : found[0] + " verified cases, " + found[1];
    });
  }

  function show(day, view, withCases, cell) {
    var host = document.getElementById("risk-map");
    if (!host || !day) { return; }
    var wanted = [geometry || get("/data/drawing"), month(day)];
    if (withCases && !cases) { wanted.push(get("/data/verified_cases")); }
    state.asked = day + view + withCases;
    var asked = state.asked;
    Promise.all(wanted).then(function (found) {
      geometry = found[0];
      cases = found[2] || cases;
      if (!host.firstChild || !nodes.svg || !host.contains(nodes.svg)) { build(host); cursor = -1; }
      // Another day was asked for while this one was on its way.
      if (asked !== state.asked) { return; }
      var index = found[1].days.indexOf(day);
      Object.assign(state, { day: day, view: view, cases: withCases, data: found[1], index: index,
        cell: cell === null || cell === undefined ? -1 : cell });
      if (index < 0) { say("There is no risk map of " + day + "."); return; }
      host.removeAttribute("aria-busy");
      paint();
    }).catch(function (error) { say("The map cannot be drawn: " + error.message + ". Load the page again."); });
  }

  window.htrisk_map = { show: show, zoom: zoom };
})();
