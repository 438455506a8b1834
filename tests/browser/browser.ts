/** A browser, pages that report what goes wrong in them, and checks every page must pass. */
import chromiumOfNpm from '@sparticuz/chromium';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect } from 'vitest';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  // as every desk's browser has it: no sound before somebody has touched the page
  '--autoplay-policy=document-user-activation-required',
];
/** what is later than this does not come; no test is decided by it */
const LONGEST_MS = 60_000;
const DEBIANS = '/usr/bin/chromium';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function openBrowser(...more: string[]): Promise<Browser> {
  const executablePath = existsSync(DEBIANS) ? DEBIANS : await chromiumOfNpm.executablePath();
  return chromium.launch({ executablePath, args: [...FLAGS, ...more] });
}

export interface Screen {
  context: BrowserContext;
  page: Page;
  /** uncaught errors and breaches of the Content-Security-Policy */
  faults: string[];
}

interface ScreenOptions {
  width: number;
  height: number;
  locale?: string;
  dark?: boolean;
  /** tests that come between page and server need the page to speak for itself */
  withoutWorker?: boolean;
}

const screens: BrowserContext[] = [];

/** After each test: a page that is left open goes on asking the server, and the next test waits. */
export async function closeScreens(): Promise<void> {
  await Promise.all(screens.splice(0).map((context) => context.close()));
}

export async function openScreen(browser: Browser, options: ScreenOptions): Promise<Screen> {
  const context = await browser.newContext({
    viewport: { width: options.width, height: options.height },
    locale: options.locale ?? 'en',
    colorScheme: options.dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    serviceWorkers: options.withoutWorker ? 'block' : 'allow',
  });
  screens.push(context);
  context.setDefaultTimeout(LONGEST_MS);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  return { context, page, faults };
}

export const PHONE = { width: 360, height: 780 };
export const DESK = { width: 1920, height: 1080 };

/** What axe-core finds, each with the places it is found in. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // evaluated by the debugger, because the page itself rightly refuses foreign scripts
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

/** All that an eye can see on the page, a line an element; without the words of `but`. */
export function appearance(page: Page, but: string): Promise<string[]> {
  return page.evaluate((except) => {
    const look = ['color', 'backgroundColor', 'borderTopColor', 'outline', 'opacity', 'visibility'];
    scrollTo(0, 0);
    return [...document.body.querySelectorAll<HTMLInputElement>('*')].map((element) => {
      const style = getComputedStyle(element) as unknown as Record<string, string>;
      const seen = [...look, 'fontSize', 'fontWeight', 'textDecoration'].map((name) => style[name]);
      if (element.closest(except)) return [element.tagName, ...seen].join(' ');
      const { x, y, width, height } = element.getBoundingClientRect();
      const place = [x, y, width, height].map(Math.round);
      const words = [...element.childNodes].map((node) =>
        node.nodeType === 3 ? node.nodeValue : '',
      );
      const field = [element.value, element.checked];
      return [element.tagName, ...place, ...seen, ...field, words.join('').trim()].join(' ');
    });
  }, but);
}

/** The same, once nothing moves any more. */
export async function steady(page: Page, but: string): Promise<string[]> {
  let now: string[] = [];
  const same = async () => {
    const before = now.join();
    now = await appearance(page, but);
    return now.join() === before;
  };
  await expect.poll(same, { interval: 500 }).toBe(true);
  return now;
}

/** By how much the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

/** No sound before a click. The browser takes a test's own looks at a page for touches, now and then. */
export function untouched(): void {
  let touched = false;
  addEventListener('click', ({ isTrusted }) => (touched ||= isTrusted), true);
  window.AudioContext = class extends AudioContext {
    override get state(): AudioContextState {
      return touched ? super.state : 'suspended';
    }
    override resume(): Promise<void> {
      return touched ? super.resume() : new Promise(() => undefined);
    }
  };
}
