/* A page that answers a form has no copy in the browser, so Back to it would ask to send the form again (ERR_CACHE_MISS). Its
   entry in the history becomes a plain visit: of the same address, or from an error page of the page with the form
   (docs/design.md#forms). Nothing typed goes into the history. */
const form = document.referrer;
const before = document.documentElement.dataset.posted === "before" && form.startsWith(`${location.origin}/`);
history.replaceState(null, "", before ? form : location.href);
