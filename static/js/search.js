/* The search field: what is already there is replaced by the next scan, and digits are checked before they are sent. */
const field = document.querySelector("#id_text");
const feedback = document.querySelector("[data-search-feedback]");

if (document.activeElement !== field) field.addEventListener("focus", () => field.select(), { once: true });
else if (field.value === field.defaultValue) field.select(); // who was quicker than this script keeps what is written

/** True if the last of ten digits is the check digit of the others (Luhn). */
function fits(digits) {
  let total = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const doubled = Number(digits[i]) * (i % 2 === 0 ? 2 : 1);
    total += doubled > 9 ? doubled - 9 : doubled;
  }
  return total % 10 === 0;
}

function advice(text) {
  if (!/^[\d\s+-]*$/.test(text)) return "";
  const digits = text.replace(/\D/g, "");
  if (digits.length === 10 || digits.length === 12) return fits(digits.slice(-10)) ? "" : feedback.dataset.checkDigit;
  return digits.length > 12 && digits.length !== 19 ? `${digits.length} ${feedback.dataset.count}` : "";
}

field.addEventListener("input", () => {
  const said = advice(field.value);
  if (feedback.textContent !== said) feedback.textContent = said;
});
