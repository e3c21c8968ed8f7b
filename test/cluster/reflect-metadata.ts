/**
 * Stands in for the `reflect-metadata` polyfill, which @peculiar/x509 asks its importer to provide: its registry of
 * algorithms registers plain classes only and never finds metadata. Import this before it.
 */
Object.assign(Reflect, {
  getMetadata: () => undefined,
  getOwnMetadata: () => undefined,
  defineMetadata: () => undefined,
});
