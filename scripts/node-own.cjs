// Stands in for what node-fetch brings for older versions of Node, which the bundle does not run on: web streams and Blob
// are Node's own from 18 on. No form is ever sent, and Node's own FormData would load all of undici at each start, so a
// class without instances takes its place. Its reader of multipart bodies is left out too: nothing here asks for one.
exports.default = globalThis.Blob;
exports.FormData = class FormData {};
exports.__esModule = true;
