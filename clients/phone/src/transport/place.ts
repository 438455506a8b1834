import type { Place } from '@muster/shared/api/types.ts';

export type PlaceFailure = 'failed' | 'refused';

/** Reads the position once. Only ever called because the user tapped for it. */
export function readPlace(): Promise<Place | PlaceFailure> {
  return new Promise((resolve) => {
    if (!('geolocation' in navigator)) return resolve('failed');
    navigator.geolocation.getCurrentPosition(
      ({ coords }) =>
        resolve({ lat: coords.latitude, lon: coords.longitude, accuracy: coords.accuracy }),
      (error) => resolve(error.code === error.PERMISSION_DENIED ? 'refused' : 'failed'),
      { enableHighAccuracy: true, timeout: 20_000, maximumAge: 60_000 },
    );
  });
}
