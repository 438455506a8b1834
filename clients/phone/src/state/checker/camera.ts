/** The camera, and what is read off it: by the browser's own reader where it has one, else by ours. */

export type CameraTrouble = 'refused' | 'none' | 'insecure' | 'lost';

interface Detector {
  detect(source: CanvasImageSource): Promise<{ rawValue: string }[]>;
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

type Reader = (video: HTMLVideoElement) => Promise<string | null>;

/** Pauses between two looks: a code is held up for a second or two, and the battery must last. */
const PAUSE_MS = 120;
/** A code of 37 modules needs no more; an old phone reads this in a blink. */
const WIDEST = 960;

export class Camera {
  /** null: this camera has no lamp */
  torch: boolean | null = null;
  private stream: MediaStream | null = null;
  private running = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    /** every code that is read, also the same one again and again */
    private readonly onCode: (text: string) => void,
    private readonly onTrouble: (trouble: CameraTrouble) => void,
  ) {}

  /** Asks for the camera and reads until it is stopped; whether it runs. */
  async start(): Promise<boolean> {
    this.stop();
    const turn = ++this.running;
    const found = await openStream();
    if (typeof found === 'string') {
      if (turn === this.running) this.onTrouble(found);
      return false;
    }
    if (turn !== this.running) {
      close(found);
      return false;
    }
    this.stream = found;
    const [track] = found.getVideoTracks();
    track?.addEventListener('ended', () => this.lost(turn));
    this.torch = hasTorch(track) ? false : null;
    this.video.srcObject = found;
    await this.video.play().catch(() => undefined);
    void this.look(turn);
    return true;
  }

  stop(): void {
    this.running += 1;
    if (this.stream) close(this.stream);
    [this.stream, this.torch] = [null, null];
    this.video.srcObject = null;
  }

  /** The lamp, where there is one; whether it is lit. */
  async light(on: boolean): Promise<boolean> {
    const [track] = this.stream?.getVideoTracks() ?? [];
    const wish = { advanced: [{ torch: on } as MediaTrackConstraintSet] };
    const done = await track?.applyConstraints(wish).then(
      () => true,
      () => false,
    );
    if (done) this.torch = on;
    return this.torch ?? false;
  }

  private lost(turn: number): void {
    if (turn !== this.running) return;
    this.stop();
    this.onTrouble('lost');
  }

  private async look(turn: number): Promise<void> {
    const read = await bestReader();
    if (!read) return this.lost(turn);
    while (turn === this.running) {
      const from = performance.now();
      if (this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
        const text = await read(this.video).catch(() => null);
        if (text && turn === this.running) this.onCode(text);
      }
      // a slow phone has as much time for its buttons as for its camera
      const pause = Math.max(PAUSE_MS, performance.now() - from);
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

async function openStream(): Promise<MediaStream | CameraTrouble> {
  if (!navigator.mediaDevices?.getUserMedia) return isSecureContext ? 'none' : 'insecure';
  const video = { facingMode: { ideal: 'environment' }, width: { ideal: 1280 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (thrown) {
    const name = thrown instanceof DOMException ? thrown.name : '';
    return name === 'NotAllowedError' || name === 'SecurityError' ? 'refused' : 'none';
  }
}

function close(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function hasTorch(track: MediaStreamTrack | undefined): boolean {
  const able = track?.getCapabilities?.() as { torch?: boolean } | undefined;
  return Boolean(able?.torch);
}

/** Null where neither is here: the part of the page that reads codes could not be loaded. */
async function bestReader(): Promise<Reader | null> {
  const own = await browsersReader().catch(() => null);
  const decode = await import('qr/decode.js').then(
    (found) => found.default,
    () => null,
  );
  if (!decode) return own;
  const ours = canvasReader((image) => decode(image));
  if (!own) return ours;
  // some browsers have the reader's name and not the reader behind it
  return (video) => own(video).catch(() => ours(video));
}

async function browsersReader(): Promise<Reader | null> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  const formats = await BarcodeDetector?.getSupportedFormats();
  if (!BarcodeDetector || !formats?.includes('qr_code')) return null;
  const detector = new BarcodeDetector({ formats: ['qr_code'] });
  return async (video) => (await detector.detect(video))[0]?.rawValue ?? null;
}

function canvasReader(decode: (image: ImageData) => string): Reader {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return (video) => {
    const scale = Math.min(1, WIDEST / Math.max(video.videoWidth, video.videoHeight, 1));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    if (!context || !canvas.width || !canvas.height) return Promise.resolve(null);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    try {
      return Promise.resolve(decode(image));
    } catch {
      return Promise.resolve(null);
    }
  };
}
