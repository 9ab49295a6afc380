for (const heading of document.querySelectorAll("table.sortable th")) {
  heading.firstChild.addEventListener("click", () => {
    const ascending = heading.ariaSort !== "ascending";
    for (const other of heading.parentNode.children) other.ariaSort = null;
    heading.ariaSort = ascending ? "ascending" : "descending";
    const body = heading.closest("table").tBodies[0];
    const key = (row) => {
      const cell = row.cells[heading.cellIndex], value = cell.dataset.value;
      return value === undefined ? cell.textContent : value === "" ? NaN : Number(value);
    };
    const compare = (a, b) => {
      if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b));
      return a - b;
    };
    const rows = Array.from(body.rows).map((row) => [key(row), row]);
    rows.sort((a, b) => {
      const missing = [a, b].map(([value]) => typeof value === "number" && isNaN(value));
      return missing[0] || missing[1] ? missing[0] - missing[1] : ascending ? compare(a[0], b[0]) : compare(b[0], a[0]);
    });
    body.append(...rows.map(([, row]) => row));
  });
}
