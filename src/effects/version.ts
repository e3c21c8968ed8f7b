/** The version of this program, put in by the build, and the name by which servers know it. */

declare const __VERSION__: string | undefined;

/** `0.0.0-source` when the sources run without having been built. */
export const VERSION: string = typeof __VERSION__ === 'undefined' ? '0.0.0-source' : __VERSION__;

/** Sent with every gRPC call and HTTP request, so that administrators find this program in their logs. */
export const USER_AGENT = `machine-id/${VERSION}`;
