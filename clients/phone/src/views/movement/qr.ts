import { encodeQR } from 'qr';

/** Light round a code, in modules, that a camera finds it by. */
const QUIET = 4;
/** Each module is drawn so large that the picture stays sharp on a dense screen. */
const SCALE = 16;

/** Draws a code dark on white, whatever the page's colours are. */
export function drawCode(canvas: HTMLCanvasElement, code: string): void {
  const modules = encodeQR(code, 'raw', { ecc: 'medium', border: QUIET });
  const pen = canvas.getContext('2d');
  canvas.width = canvas.height = modules.length * SCALE;
  if (!pen) return;
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = '#000';
  for (const [y, row] of modules.entries())
    for (const [x, dark] of row.entries())
      if (dark) pen.fillRect(x * SCALE, y * SCALE, SCALE, SCALE);
}
