/** The version of this program, put in by the build. */

declare const __VERSION__: string | undefined;

/** `0.0.0-source` when the sources run without having been built. */
export const VERSION: string = typeof __VERSION__ === 'undefined' ? '0.0.0-source' : __VERSION__;
