// Stands in for what node-fetch brings for older versions of Node, which the bundle does not run on: web streams, Blob
// and FormData are Node's own from 18 on. Its reader of multipart bodies is left out too: nothing here asks for one.
exports.default = globalThis.Blob;
exports.FormData = globalThis.FormData;
exports.__esModule = true;
