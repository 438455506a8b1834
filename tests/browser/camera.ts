/** A camera that shows what a test holds up to it: a film of one picture, which Chromium plays. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

const [WIDE, HIGH] = [640, 480];
const FRAMES = 5;
const [BLACK, WHITE, GREY] = [16, 235, 128];

export class Camera {
  private readonly folder = mkdtempSync(join(tmpdir(), 'muster-camera-'));
  private readonly film = join(this.folder, 'film.y4m');

  constructor() {
    this.show(null);
  }

  /** What Chromium must be started with. It reads the film anew each time the camera is opened. */
  get flags(): string[] {
    return [
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${this.film}`,
    ];
  }

  /** Holds up a picture as the server draws codes (PNG in base64), or nothing. */
  show(png: string | null): void {
    const luma = Buffer.alloc(WIDE * HIGH, WHITE);
    if (png) draw(luma, png);
    const frame = [Buffer.from('FRAME\n'), luma, Buffer.alloc((WIDE * HIGH) / 2, GREY)];
    const frames = Array.from({ length: FRAMES }, () => frame).flat();
    const head = Buffer.from(`YUV4MPEG2 W${WIDE} H${HIGH} F10:1 Ip A1:1 C420\n`);
    writeFileSync(this.film, Buffer.concat([head, ...frames]));
  }

  end(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Puts a drawing of one bit a pixel into the middle of a frame. */
function draw(luma: Buffer, base64: string): void {
  const png = Buffer.from(base64, 'base64');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  if (png[24] !== 1) throw new Error('Only pictures of one bit a pixel are read here.');
  const row = Math.ceil(width / 8) + 1;
  const bits = inflateSync(dataOf(png));
  const [left, top] = [(WIDE - width) >> 1, (HIGH - height) >> 1];
  for (let y = 0; y < height; y++) {
    const filter = bits[y * row]!;
    // 2: each byte is what it differs by from the one above
    if (filter !== 0 && filter !== 2)
      throw new Error(`Rows of filter ${filter} are not read here.`);
    if (filter === 2)
      for (let n = y * row + 1; n < (y + 1) * row; n++) bits[n]! += y ? bits[n - row]! : 0;
    for (let x = 0; x < width; x++) {
      const lit = (bits[y * row + 1 + (x >> 3)]! >> (7 - (x & 7))) & 1;
      luma[(top + y) * WIDE + left + x] = lit ? WHITE : BLACK;
    }
  }
}

function dataOf(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  return Buffer.concat(parts);
}
