/** For what appears in place of the control that was used: the keyboard goes on from there. */
export function takeFocus(node: HTMLElement): void {
  node.focus();
}
