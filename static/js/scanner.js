/* A card scanner is a keyboard that is quicker than people and ends with Enter or Tab. What it reads is searched for, or compared
   in the page's check field; it carries nothing out (docs/adr/0284). */
const GAP = 35; // milliseconds between two keys of a scanner
const LEAST = 8;
const ENDS = ["Enter", "Tab"];
const HAND = 100; // no scanner is this slow, and few hands are quicker with two digits of their own
const CHOICE = 300;
const HESITATION = 300; // a scan that comes so soon after another key is the rest of one that was held up
const SERIAL = /^\d{19}$/; // of a card; two parts that make one were one scan, however long it was held up
const WRITTEN = "input:not([type=checkbox], [type=radio], [type=file], [type=submit], [type=button], [type=hidden]), textarea";

let burst = "";
let last = -Infinity;
let pause = 0; // between the burst's first key and the one before it
let before; // the field that had the focus, with its content before the burst
let ending;
let picked; // name and value of the choice whose digit was pressed, until it is clear that no scan goes on
let picking;
let hurried = 0; // keys in the field for a card's last digits that came like a scanner's
let searching = false;

function remember(field) {
  const { value, selectedIndex } = field;
  return () => {
    if (field.matches("select")) field.selectedIndex = selectedIndex;
    else if (field.matches(WRITTEN)) field.value = value;
    else return;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
}

/* A scan outside a field for scans goes to the page's check field, or is searched for. */
function search() {
  const form = document.querySelector("[data-scan-search]");
  const check = document.querySelector("[data-check]");
  const text = burst;
  burst = "";
  if (text.length < LEAST || !(check ?? form)) return;
  document.querySelector("dialog[open]")?.close();
  if (check) return put(check, text);
  searching = true;
  form.elements.text.value = text;
  form.requestSubmit();
}

function put(field, text) {
  fill(field, text);
  field.form.requestSubmit([...field.form.elements].find((button) => button.type === "submit"));
}

/* A field that takes serials gets the scan in place of what it holds, unless that is the scan's beginning. */
function fill(field, text = pause < HESITATION || SERIAL.test(field.value) ? field.value : burst) {
  field.value = text;
  burst = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/* A text area for many scans gets each on a line of its own. */
function line(event, area, quick) {
  burst = "";
  if (event.ctrlKey && event.key === "Enter") press(area);
  if (event.key !== "Tab" || !quick) return;
  event.preventDefault();
  area.setRangeText("\n", area.selectionStart, area.selectionEnd, "end");
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

/* A digit picks the choice that shows it, while the focus is in the group of choices. It waits, because the first digit of a scan
   picks nothing. */
function choose(event, target) {
  const choice = /^[1-9]$/.test(event.key) && target.closest("fieldset")?.querySelector(`input[type=radio][data-key="${event.key}"]:not(:disabled)`);
  if (!choice || event.repeat || choice.name !== target.name) return;
  picked = { name: choice.name, value: choice.value };
  picking = setTimeout(pick, CHOICE, true);
}

/* The choice as it stands now: the server's answer to the one before may have replaced it since its digit was pressed. */
function standing({ name, value }) {
  return [...document.getElementsByName(name)].find((field) => field.type === "radio" && field.value === value && !field.disabled);
}

function pick(goesOn) {
  clearTimeout(picking);
  const choice = picked && standing(picked);
  picked = null;
  if (!choice) return;
  choice.focus();
  choice.click();
  if (!goesOn || choice.parentElement.querySelector("[type=file]")) return; // the file that it asks for comes before the next group
  const next = following(choice);
  const review = [...choice.form.elements].find((button) => button.matches("[data-review]"));
  if (review && (!next || next.checked)) choice.form.requestSubmit(review); // each question has its answer
  else next?.focus();
}

/* A question whose only choice is made asks for nothing. */
function answered(field) {
  return field.type === "radio" && field.checked && field.form.elements[field.name] === field;
}

/* The next group or field to write in. A button, a link, a box and a file are never gone to: a scanner's Enter may come. */
function following(choice) {
  const group = choice.closest("fieldset");
  const fields = [...choice.form.elements].filter(
    (field) => field.matches(`${WRITTEN}, select, [type=radio]`) && !field.disabled && !answered(field),
  );
  const next = fields.find(
    (field) => group.compareDocumentPosition(field) === Node.DOCUMENT_POSITION_FOLLOWING && field.checkVisibility(),
  );
  return fields.find((field) => next?.type === "radio" && field.name === next.name && field.checked) ?? next;
}

/* Ctrl+Enter, which no scanner sends as delivered, presses the named button: of the form one is in, of the act line, or the page's
   only one. */
function press(target) {
  const form = document.querySelector("main").contains(target) && (target.form ?? target.closest("form"));
  const buttons = [...document.querySelectorAll("main button[value=utfor]:not(dialog *)")].filter((button) => !form || button.form === form);
  const act = buttons.filter((button) => button.closest(".act-line"));
  if (form ? buttons.length : buttons.length === 1) buttons.at(-1).click();
  else if (act.length === 1) act[0].click();
}

/* A page that asks for a last yes names a key that no scanner sends. It presses the button, unless one writes. */
function affirm(event, target) {
  const button = document.querySelector("main button[data-act-key]");
  if (event.key !== button?.dataset.actKey || event.repeat || target.matches(WRITTEN) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  button.click();
}

/* Enter after a card's last digits, typed by hand, presses the button: the server compares them with the card. */
function confirm(event, target, quick) {
  if (event.key.length === 1) hurried = target.value ? hurried + quick : 0;
  if (event.key !== "Enter" || event.ctrlKey || quick || hurried > 1) return;
  event.preventDefault();
  press(target);
}

function key(event) {
  if (event.key === "Shift") return;
  const gap = event.timeStamp - last;
  last = event.timeStamp;
  if (gap < HAND) clearTimeout(picking);
  else if (picked) pick(/^\d$/.test(event.key));
  picked = null;
  const target = document.activeElement ?? event.target; // a digit that was just picked has moved the focus
  if (target.matches("[data-scans]") && !searching) return line(event, target, !event.repeat && gap <= GAP);
  const field = target.closest("[data-scan]");
  const scanned = burst.length >= LEAST;
  const quick = !event.repeat && gap <= (scanned ? 3 * GAP : GAP);
  if (searching || (scanned && ENDS.includes(event.key))) {
    clearTimeout(ending);
    if (field && !searching) {
      if (event.key === "Enter") return fill(field);
      event.preventDefault();
      put(field);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!searching) search();
    return;
  }
  if (!quick) burst = "";
  if (!quick && !event.ctrlKey && !event.altKey && !event.metaKey) affirm(event, target);
  if (target.matches("[data-confirm]")) confirm(event, target, quick);
  if (event.ctrlKey && event.key === "Enter") press(target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length > 1) burst = "";
  else {
    if (!burst) [before, pause] = [remember(target), gap];
    take(event, field);
    if (burst.length === 1) choose(event, target);
  }
}

document.addEventListener("keydown", key, { capture: true });
window.addEventListener("pageshow", () => {
  searching = false;
});

/* Enter in a field of a form that changes something presses its first button, which only shows the page again. With script it
   shows already, and a chosen file would be lost. */
document.addEventListener("submit", (event) => event.submitter?.value === "visa" && event.preventDefault(), { capture: true });
