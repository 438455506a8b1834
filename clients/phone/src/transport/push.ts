import { read, type Api } from '@muster/shared/api/client.ts';
import type { WebPush } from '@muster/shared/api/types.ts';

/** Whether this browser has push at all. */
export function mayPush(): boolean {
  return 'PushManager' in window && 'serviceWorker' in navigator;
}

/** Asks for permission and hands the subscription to the server. */
export async function subscribe(api: Api, key: string): Promise<NotificationPermission> {
  const permission = await Notification.requestPermission();
  if (permission !== 'granted') return permission;
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: key,
  });
  const body = { kind: 'webpush', subscription: subscription.toJSON() } as WebPush;
  await read(api.PUT('/v1/self/push', { body }));
  return permission;
}
