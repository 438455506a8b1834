/** Which page is shown: one's own, a warden's people, or a checker's. A notification may ask for one. */
export type Page = 'me' | 'people' | 'check';

/** The page a notification opened the app with. */
export function startPage(): Page {
  return pageOf(location.hash.slice(1)) ?? 'me';
}

/** Follows notifications that are opened later; returns how to stop. */
export function onPage(show: (page: Page) => void): () => void {
  const told = ({ data }: MessageEvent<{ page?: string } | null>) => {
    const page = pageOf(data?.page);
    if (page) show(page);
  };
  navigator.serviceWorker?.addEventListener('message', told);
  return () => navigator.serviceWorker?.removeEventListener('message', told);
}

function pageOf(name: string | undefined): Page | null {
  return name === 'me' || name === 'people' || name === 'check' ? name : null;
}
