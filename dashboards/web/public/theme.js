// Sets the chosen theme before the first paint; without a choice the system's preference holds.
(function () {
  try {
    var theme = localStorage.getItem('tokenwatch.theme');
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  } catch (_) {
    // Storage is blocked: the system's preference holds.
  }
})();
