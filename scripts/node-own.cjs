// Replaces what node-fetch bundles for versions of Node before 18, on which the bundle does not run: Node has web streams and
// Blob itself. FormData is an empty class, because no form is ever sent and Node's own would load all of undici at each
// start. The readers of multipart bodies and of data: URLs are left out, because they are never used.
exports.default = globalThis.Blob;
exports.FormData = class FormData {};
exports.__esModule = true;
