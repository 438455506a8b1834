interface Battery extends EventTarget {
  level: number;
}

let battery: Battery | null = null;

/** Begins to follow the battery where the browser tells of it (Chromium). */
export function followBattery(): void {
  const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };
  void getBattery?.call(navigator).then(
    (found) => (battery = found),
    () => undefined,
  );
}

/** How full it is, in percent; undefined: not known. */
export function batteryLevel(): number | undefined {
  return battery ? Math.round(battery.level * 100) : undefined;
}
