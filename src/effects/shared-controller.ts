/** A controller whose signal any number of calls may wait on. */
import { setMaxListeners } from 'node:events';

/** Of others, Node takes the eleventh listener for a leak and says so on stderr. */
export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
