// Tables: a heading sorts, filters hide rows, a case opens its picture. Without it the page reads and prints the same.
document.querySelectorAll("th.sortable").forEach(function (header) {
  (header.querySelector("button") || header).addEventListener("click", function () {
    var rising = header.getAttribute("aria-sort") !== "ascending";
    var body = header.closest("table").tBodies[0];
    var compare = function (a, b) {
      var x = a.key, y = b.key;
      if (x === "" || y === "") return (x === "") - (y === "");
      var order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return rising ? order : -order;
    };
    var keyed = Array.from(body.rows, function (row) {
      var text = row.cells[header.cellIndex].textContent.trim();
      return { row: row, key: text === "" || isNaN(text) ? text : Number(text) };
    });
    var sorted = document.createDocumentFragment();
    keyed.sort(compare).forEach(function (each) { sorted.appendChild(each.row); });
    body.appendChild(sorted);
    header.parentNode.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    header.setAttribute("aria-sort", rising ? "ascending" : "descending");
  });
});

document.querySelectorAll(".filters").forEach(function (filters) {
  var rows = Array.from(document.getElementById(filters.dataset.table).tBodies[0].rows);
  var controls = Array.from(filters.querySelectorAll("[data-filter]"));
  var columns = { label: 2, decision: 3 };
  var passes = function (row, name, value) {
    if (name === "text") return (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(value.toLowerCase());
    if (name === "shown") return row.dataset.shown.split(" ").includes(value);
    return (name in columns ? row.cells[columns[name]].textContent : row.dataset[name]) === value;
  };
  var apply = function () {
    var asked = controls.filter(function (control) { return control.value !== ""; });
    var shown = 0;
    rows.forEach(function (row) {
      row.hidden = !asked.every(function (control) { return passes(row, control.dataset.filter, control.value); });
      shown += !row.hidden;
    });
    filters.querySelector("output").textContent = (asked.length ? shown + " of " : "") + rows.length + " cases";
  };
  controls.forEach(function (control) { control.addEventListener("input", apply); });
  document.querySelectorAll("a.row").forEach(function (link) {
    link.addEventListener("click", function () {
      controls.forEach(function (control) { control.value = control.dataset.filter === "text" ? link.dataset.case : ""; });
      apply();
    });
  });
});

document.querySelectorAll("table").forEach(function (table) {
  table.addEventListener("click", function (event) {
    var link = event.target.closest("a.picture");
    var dialog = document.getElementById("picture");
    if (!link || !dialog.showModal || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    dialog.querySelector("img").src = link.href;
    dialog.querySelector("img").alt = dialog.querySelector("p").textContent = link.textContent;
    dialog.showModal();
  });
});
