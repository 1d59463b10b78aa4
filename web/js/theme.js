// Runs before the first paint: the look that was chosen here, else that of the system.
(() => {
  const chosen = localStorage.getItem("showdown.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
