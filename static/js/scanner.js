/* A card scanner is a keyboard that is quicker than people and ends with Enter or Tab. What it reads is searched for; it carries
   nothing out (docs/adr/0284). */
const GAP = 50; // milliseconds between two keys of a scanner
const LEAST = 8;
const ENDS = ["Enter", "Tab"];
const CHOICE = 300;

let burst = "";
let last = 0;
let before; // the field that had the focus, with its content before the burst
let ending;
let choosing;
let searching = false;

function remember(field) {
  const { value, selectedIndex } = field;
  return () => {
    if (field.matches("select")) field.selectedIndex = selectedIndex;
    else if (field.matches("input:not([type=checkbox], [type=radio], [type=file]), textarea")) field.value = value;
    else return;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
}

function search() {
  const form = document.querySelector("[data-scan-search]");
  const text = burst;
  burst = "";
  if (!form || text.length < LEAST) return;
  searching = true;
  document.querySelector("dialog[open]")?.close();
  form.elements.text.value = text;
  form.requestSubmit();
}

/* A field that takes serials gets the scan in place of what it holds. */
function fill(field) {
  field.value = burst;
  burst = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function take(event, field) {
  burst += event.key;
  if (burst.length < LEAST) return;
  if (field) {
    clearTimeout(ending);
    ending = setTimeout(fill, 3 * GAP, field);
    return;
  }
  if (burst.length === LEAST) before();
  event.preventDefault();
  clearTimeout(ending);
  ending = setTimeout(search, 3 * GAP);
}

/* A digit picks the choice that shows it, if no key follows: the first digit of a scan picks nothing. */
function choose(event) {
  if (!/^[1-9]$/.test(event.key) || event.target.closest("input:not([type=radio]), textarea, select, dialog")) return;
  const choice = document.querySelector(`input[type=radio][data-key="${event.key}"]:not(:disabled)`);
  if (!choice) return;
  choosing = setTimeout(() => {
    choice.checked = true;
    choice.focus();
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  }, CHOICE);
}

/* Ctrl+Enter, which no scanner sends as delivered, presses the named button: of the form one is in, or the page's only one. */
function press(target) {
  const form = target.closest("main form");
  const buttons = [...document.querySelectorAll("main button[value=utfor]")].filter((button) => !form || button.form === form);
  if (form ? buttons.length : buttons.length === 1) buttons.at(-1).click();
}

function key(event) {
  if (event.key === "Shift") return;
  clearTimeout(choosing);
  const field = event.target.closest("[data-scan]");
  const scanned = burst.length >= LEAST;
  const quick = !event.repeat && event.timeStamp - last <= (scanned ? 3 * GAP : GAP);
  last = event.timeStamp;
  if (searching || (scanned && ENDS.includes(event.key))) {
    clearTimeout(ending);
    if (field && !searching) {
      fill(field);
      if (event.key === "Enter") return;
      event.preventDefault();
      field.form.requestSubmit(field.form.querySelector("[type=submit]"));
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!searching) search();
    return;
  }
  if (!quick) burst = "";
  if (event.ctrlKey && event.key === "Enter") press(event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length > 1) burst = "";
  else {
    if (!burst) before = remember(event.target);
    take(event, field);
    if (burst.length === 1) choose(event);
  }
}

document.addEventListener("keydown", key, { capture: true });
window.addEventListener("pageshow", () => {
  searching = false;
});

/* Enter in a field of a form that changes something presses its first button, which only shows the page again. With script it
   shows already, and a chosen file would be lost. */
document.addEventListener("submit", (event) => event.submitter?.value === "visa" && event.preventDefault(), { capture: true });
