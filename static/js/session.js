/* Warns before an idle session ends. The server is asked first: the person may have used another tab. */
const dialog = document.querySelector("[data-session-watch]");
const warning = Number(dialog.dataset.warning);
let end = 0;
let timer;

/* Only the server says that the session has ended. A form that was being filled in is sent in vain: the server keeps it for the
   person's next log-in, and nothing of it stays in the browser (docs/adr/0070). */
function leave() {
  const typed = [...document.forms].find((form) => form.querySelector("[name=gor][value=visa]") && wasTyped(form));
  if (typed) return HTMLFormElement.prototype.submit.call(typed);
  location.replace(`${dialog.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`);
}

function wasTyped(form) {
  return [...form.elements].some((field) => {
    if (field.matches("select")) return [...field.options].some((option) => option.selected !== option.defaultSelected);
    if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
    return field.matches("input:not([type=hidden], [type=file]), textarea") && (field.value !== field.defaultValue || form.querySelector("[data-typed]"));
  });
}

async function ask() {
  const answer = await fetch(dialog.dataset.state, { headers: { Accept: "application/json" }, redirect: "manual", cache: "no-store" }).catch(() => null);
  if (!answer || answer.status >= 500) return plan(30); // no network, or a fault: the server decides later
  if (!answer.ok) return leave();
  take(await answer.json());
}

function take(state) {
  end = Date.now() + state.seconds_left * 1000;
  dialog.querySelector("[data-idle]").hidden = !state.extendable;
  dialog.querySelector("[data-absolute]").hidden = state.extendable;
  if (state.seconds_left > warning) {
    if (dialog.open) dialog.close();
    return plan(state.seconds_left - warning);
  }
  if (!dialog.open) {
    dialog.showModal();
    say();
  }
  tick();
}

function plan(seconds) {
  clearTimeout(timer);
  timer = setTimeout(ask, seconds * 1000 + 200);
}

function left() {
  const seconds = Math.max(0, Math.round((end - Date.now()) / 1000));
  return seconds >= 60 ? dialog.dataset.minutes.replace("{n}", Math.ceil(seconds / 60)) : dialog.dataset.seconds.replace("{n}", seconds);
}

function say() {
  dialog.querySelector("[data-said]").textContent = left();
}

function tick() {
  clearTimeout(timer);
  for (const place of dialog.querySelectorAll("[data-left]")) place.textContent = left();
  if (Date.now() >= end) return ask();
  timer = setTimeout(tick, 1000);
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), redirect: "manual" }).catch(() => null);
  if (!answer) return;
  if (!answer.ok) return leave();
  dialog.close();
  take(await answer.json());
});

/* A page that the back button takes out of the browser's memory, and a computer that slept, may show what is over. */
window.addEventListener("pageshow", (event) => event.persisted && ask());
document.addEventListener("visibilitychange", () => document.hidden || ask());
plan(Math.max(0, Number(dialog.dataset.leftNow) - warning));
