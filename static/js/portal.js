/* What the pages gain where script is on; each works without. */

/* Alt+S goes to the search field, as its access key does, which some browsers want Shift with. AltGr, of Ctrl and Alt, is no Alt. */
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.key.toLowerCase() !== "s" || event.target.closest("dialog")) return;
  const field = document.querySelector("[accesskey=s]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

/* The name of the chosen file, beside the button that covers the browser's own words. */
function nameFile(input) {
  const place = input.closest(".file-choice")?.querySelector("[data-file-name]");
  if (place && input.files.length) place.textContent = input.files[0].name;
}

document.addEventListener("input", (event) => {
  if (event.target.type === "file") nameFile(event.target);
});

/* A box for all in a list ticks each of them; it stands for all no longer when one of them is unticked. */
function boxesOf(all) {
  return [...all.form.elements].filter((box) => box.type === "checkbox" && box.name === all.dataset.ticks);
}

function tickAsAll(root) {
  for (const all of root.querySelectorAll("[data-ticks]:checked")) for (const box of boxesOf(all)) box.checked = true;
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.dataset.ticks) for (const each of boxesOf(box)) each.checked = box.checked;
  else if (box.type === "checkbox" && !box.checked) {
    for (const all of box.form?.querySelectorAll("[data-ticks]") ?? []) if (all.dataset.ticks === box.name) all.checked = false;
  }
});

/* How many boxes of a list are ticked, beside the box for all of them. */
function countTicked() {
  for (const place of document.querySelectorAll("[data-ticked]")) {
    const all = place.querySelector("[data-ticks]");
    const boxes = boxesOf(all);
    const ticked = boxes.filter((box) => box.checked).length;
    place.hidden = false;
    all.checked = ticked > 0 && ticked === boxes.length;
    place.querySelector("output").textContent = ticked;
  }
}

document.addEventListener("change", countTicked);

/* Questions that only one choice needs open with it. */
document.addEventListener("change", (event) => {
  const { form, name, value } = event.target;
  const part = form?.querySelector(`details[data-opens-with="${CSS.escape(name)}=${CSS.escape(value)}"]`);
  if (part) part.open = true;
});

/* The second click on a form's button sends nothing; what is sent twice is caught by the server as well. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
});

/* While a form is on its way, what the page asks by itself is no longer heard: an answer that draws the page anew or leads to
   another one would end the way to where the form leads. */
for (const moment of ["htmx:before:request", "htmx:before:response", "htmx:after:request"]) {
  document.addEventListener(moment, (event) => {
    if (document.querySelector("form[data-sent]")) event.preventDefault();
  });
}

/* A page taken from the browser's memory by the back button may be sent anew. */
window.addEventListener("pageshow", () => {
  for (const input of document.querySelectorAll("input[type=file]")) nameFile(input);
  tickAsAll(document);
  countTicked();
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
