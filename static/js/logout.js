/* The log-out goes on to the identity provider by itself; without script by the button. */
document.querySelector("form[data-log-out]")?.submit();
