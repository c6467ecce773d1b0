// The handle comes in the fragment, which browsers send to no server. It goes on in a form's body and leaves the address.
const form = document.querySelector("form[data-handle]");

function take() {
  const handle = location.hash.slice(1);
  if (!form || !/^[a-z]{3}\./.test(handle)) return;
  history.replaceState(null, "", location.pathname);
  form.elements.handle.value = handle;
  form.requestSubmit();
}

// One press is one act: the server takes a second one well, but the holder should see that the first is under way.
for (const each of document.forms) {
  each.addEventListener("submit", (event) => {
    if (each.dataset.sent) {
      event.preventDefault();
      return;
    }
    each.dataset.sent = "yes";
    document.querySelector("[data-working]").textContent = "Vänta, kortet och portalen arbetar …";
  });
}

window.addEventListener("pageshow", () => {
  for (const each of document.forms) delete each.dataset.sent;
  document.querySelector("[data-working]").textContent = "";
});
window.addEventListener("hashchange", take);
take();
