/** For what appears in place of the control that was used: the keyboard goes on from there. */
export function takeFocus(node: HTMLElement): void {
  node.focus();
}

/** Where the keyboard goes on when the control that was used is gone; else the focus stays where it is. */
export function catchFocus(node: HTMLElement | null): void {
  const { activeElement } = document;
  if (!activeElement || activeElement === document.body) node?.focus({ preventScroll: true });
}
