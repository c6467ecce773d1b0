/* Whom a search found goes out of sight while another text stands in the field: the role would not be theirs. */
const field = document.querySelector("[data-searched]");
const found = document.querySelector("[data-found]");

field?.addEventListener("input", () => {
  if (found) found.hidden = field.value.trim() !== field.defaultValue.trim();
});
