import { read, type Api } from '@muster/shared/api/client.ts';
import type { PublicConfig, WebPush } from '@muster/shared/api/types.ts';

/** The server's key for Web Push, or null where this browser or server has no push. */
export async function readPushKey(api: Api): Promise<string | null> {
  if (!('PushManager' in window) || !('serviceWorker' in navigator)) return null;
  const config = await read<PublicConfig>(api.GET('/v1/config'));
  return config.vapid_public_key;
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
