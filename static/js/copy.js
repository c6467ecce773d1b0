/* Copy buttons are shown where the clipboard can be written. */
function offerCopying(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.parentElement.querySelector("[data-copy-text]").textContent.trim());
  const text = button.querySelector("span");
  const before = text.textContent;
  text.textContent = button.dataset.copied;
  text.setAttribute("role", "status");
  setTimeout(() => {
    text.textContent = before;
    text.removeAttribute("role");
  }, 2000);
});

offerCopying(document);
document.addEventListener("htmx:after:swap", () => offerCopying(document));
