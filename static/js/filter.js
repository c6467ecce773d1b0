/* Narrows a table to the rows with the typed text while one types. Without script the button beside the field does it. */
for (const field of document.querySelectorAll("[data-filter]")) {
  const table = document.querySelector(field.dataset.filter);
  const status = document.querySelector("[data-filter-status]");
  const button = document.querySelector("[data-filter-button]");
  if (!table) continue;

  const narrow = () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const group of table.querySelectorAll("[data-filter-group]")) {
      const whole = group.dataset.filterGroup.toLowerCase().includes(wanted);
      let any = false;
      for (const row of group.querySelectorAll("[data-filter-row]")) {
        const kept = whole || row.textContent.toLowerCase().includes(wanted) || row.querySelector("input:checked");
        row.hidden = !kept;
        if (kept) {
          any = true;
          shown += 1;
        }
      }
      group.hidden = !any;
    }
    status.textContent = wanted ? `${shown} ${status.dataset.text}` : "";
  };

  field.addEventListener("input", narrow);
  /* A row that the server has left out can only come back from it, so the button still asks there. */
  if (!field.value) button.hidden = true;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && button.hidden) event.preventDefault();
  });
}
