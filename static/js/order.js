/* A chosen file is fetched at once, so that the photo is seen where it is ordered. The button does it without script. */
document.addEventListener(
  "change",
  (event) => {
    const { target } = event;
    if (!target.dataset.fetch || !target.files.length) return;
    event.stopPropagation(); // the question around it would send the other answers once more
    target.form.requestSubmit(document.getElementById(target.dataset.fetch));
  },
  { capture: true },
);

/* The page that comes back after a choice says what is chosen, also where it offers something else than before. Questions that came
   in above push down what has the focus. A digit that says that the card is lost has gone on to the next question before the page
   asks for the card's digits, so the focus goes back to them. */
let asks = Boolean(document.getElementById("id_confirm"));
document.addEventListener("htmx:after:swap", () => {
  for (const radio of document.querySelectorAll("#bestallning [type=radio]")) radio.checked = radio.defaultChecked;
  const confirm = document.getElementById("id_confirm");
  const goneOn = confirm && confirm.compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (goneOn && !asks && document.activeElement.type === "radio") confirm.focus();
  asks = Boolean(confirm);
  document.activeElement.closest("#bestallning label, #bestallning input")?.scrollIntoView({ block: "nearest" });
});
