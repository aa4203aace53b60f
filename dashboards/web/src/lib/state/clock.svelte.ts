// The time now, ticking once a second while the page is visible, for "12 s ago".

class Clock {
  now = $state(Date.now());

  start(): () => void {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') this.now = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }
}

export const clock = new Clock();
