// Callbacks that need no server: colour scheme, permalinks, the day's controls, focus on a new page.
(function () {
  "use strict";
  var KEY = "htrisk-scheme";

  function saved() {
    try { return localStorage.getItem(KEY); } catch (error) { return null; }
  }

  function remember(scheme) {
    try { localStorage.setItem(KEY, scheme); } catch (error) { /* private window: forgotten at its end */ }
    // AG Grid looks at this attribute.
    document.documentElement.setAttribute("data-ag-theme-mode", scheme);
    document.documentElement.setAttribute("data-scheme", scheme);
    return scheme;
  }

  function inWords(day) {
    return new Date(day + "T12:00:00Z").toLocaleDateString("en-GB",
      { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  }

  function permalink(changes) {
    var query = new URLSearchParams(location.search);
    Object.keys(changes).forEach(function (key) {
      var value = changes[key];
      if (value === null || value === undefined || value === "") { query.delete(key); }
      else { query.set(key, value); }
    });
    var text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? "?" + text : ""));
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    htrisk: {
      scheme: function (clicks) {
        var system = window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
        var now = saved() || system;
        return remember(clicks ? (now === "dark" ? "light" : "dark") : now);
      },
      openNavigation: function (opened, path, navbar) {
        var moved = window.dash_clientside.callback_context.triggered.some(function (t) {
          return t.prop_id.indexOf("address") === 0; });
        var open = opened && !moved;
        return [Object.assign({}, navbar, { collapsed: { mobile: !open } }), open];
      },
      // Which of the day's controls moved decides the day; all of them then show it.
      day: function (index, earlier, later, picked, days, stages) {
        var by = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || "";
        var at = index;
        if (by.indexOf("day-earlier") === 0) { at = index - 1; }
        if (by.indexOf("day-later") === 0) { at = index + 1; }
        if (by.indexOf("day-picked") === 0 && picked) {
          at = days.findIndex(function (day) { return day >= picked.slice(0, 10); });
          if (at < 0) { at = days.length - 1; }
        }
        at = Math.min(days.length - 1, Math.max(0, at));
        var title = inWords(days[at]) + (stages[at] === "published" ? "" : " · " + stages[at].toUpperCase());
        return [at, days[at], days[at], title, at === 0, at === days.length - 1];
      },
      map: function (day, view, withCases, cell) {
        permalink({ date: day, view: view === "risk" ? null : view, cases: withCases ? "1" : null, cell: cell });
        window.htrisk_map.show(day, view, withCases, cell);
        return window.dash_clientside.no_update;
      },
      zoom: function () {
        var by = window.dash_clientside.callback_context.triggered;
        if (!by.length || !by[0].value) { return window.dash_clientside.no_update; }
        window.htrisk_map.zoom({ "zoom-in": 0.6, "zoom-out": 1 / 0.6, "zoom-all": 0 }[by[0].prop_id.split(".")[0]]);
        return window.dash_clientside.no_update;
      },
      // The address keeps a choice under the last word of its control's name.
      remember: function () {
        var changes = {};
        window.dash_clientside.callback_context.inputs_list.forEach(function (input) {
          changes[input.id.split("-").pop()] = input.value;
        });
        permalink(changes);
        return window.dash_clientside.no_update;
      },
      // A plot in three dimensions needs WebGL; without it the flat one stays.
      solid: function (kind) {
        var canvas = document.createElement("canvas");
        if (kind === "3-D" && !(canvas.getContext("webgl2") || canvas.getContext("webgl"))) {
          window.dash_clientside.set_props("case-kind", { value: "2-D", data: ["2-D"] });
        }
        return window.dash_clientside.no_update;
      },
      copyLink: function (clicks) {
        if (!clicks) { return "Copy link"; }
        var text = location.href;
        if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(text); }
        return "Link copied";
      },
      arrived: function (title) {
        document.title = title;
        var heading = document.querySelector("main h1");
        if (heading && window.htrisk_seen) { heading.focus({ preventScroll: true }); window.scrollTo(0, 0); }
        window.htrisk_seen = true;
        return window.dash_clientside.no_update;
      }
    }
  });
})();
