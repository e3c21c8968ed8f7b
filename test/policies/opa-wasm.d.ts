/** The part of the package that the tests use; its own types say `any`. */
declare module '@open-policy-agent/opa-wasm' {
  export interface LoadedPolicy {
    setData(data: object): void;
    evaluate(input: object, entrypoint: string): unknown;
  }
  export function loadPolicy(wasm: Uint8Array): Promise<LoadedPolicy>;
}
