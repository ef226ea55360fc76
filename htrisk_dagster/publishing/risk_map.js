// Shows the sentence of the cell under the pointer or the focus, and lets the arrow keys walk the
// cells by rank. Without scripts the same sentences are the squares' own tooltips.
(function () {
  var cells = Array.prototype.slice.call(document.querySelectorAll(".pointers > *"));
  var readout = document.getElementById("readout");
  if (!cells.length) { return; }
  readout.textContent += " With the keyboard: tab to the map, then the arrow keys.";
  function show(cell) { readout.textContent = cell.querySelector("title").textContent; }
  cells.forEach(function (cell, i) {
    cell.setAttribute("tabindex", i ? "-1" : "0");
    cell.addEventListener("pointerenter", function () { show(cell); });
    cell.addEventListener("focus", function () { show(cell); });
    cell.addEventListener("keydown", function (event) {
      var step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      var next = step && cells[i + step];
      if (!next) { return; }
      event.preventDefault();
      cell.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
})();
