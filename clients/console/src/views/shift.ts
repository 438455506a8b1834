/**
 * What comes in over the page pushes it down: the field being typed in stays in sight, and what
 * opens over everything (a dialog's ground) leaves this bar uncovered.
 */
export function barHeight(bar: HTMLElement) {
  const root = document.documentElement;
  const watcher = new ResizeObserver(() => {
    root.style.setProperty('--over', `${bar.offsetHeight}px`);
    root.style.scrollPaddingBlockStart = `${bar.offsetHeight}px`;
    const typing = document.activeElement;
    if (typing?.matches('input, select, textarea')) typing.scrollIntoView({ block: 'nearest' });
  });
  watcher.observe(bar);
  return {
    destroy() {
      watcher.disconnect();
      root.style.removeProperty('--over');
      root.style.scrollPaddingBlockStart = '';
    },
  };
}
