/**
 * Gives `take` the secret of a link (`#name=SECRET`) that is opened while the page is shown: such a
 * link changes only the fragment, so nothing is loaded anew.
 */
export function onFragment(name: string, take: (secret: string) => void): void {
  window.addEventListener('hashchange', () => {
    const secret = takeFragment(name);
    if (secret) take(secret);
  });
}

/**
 * Takes a secret out of the address (`#name=SECRET`) and removes it there, so that it stays
 * neither in the history nor in a shared screen.
 */
export function takeFragment(name: string): string | null {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  if (value !== null) history.replaceState(null, '', location.pathname + location.search);
  return value;
}
