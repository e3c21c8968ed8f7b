/**
 * The SBOM of the bundle: CycloneDX 1.6 as JSON. It lists what esbuild really bundled, not what npm installed, and is the
 * same for the same bundle: it has neither a time nor a serial number.
 */
import { ComponentType, HashAlgorithm } from '@cyclonedx/cyclonedx-library/Enums';
import {
  Bom,
  Component,
  HashDictionary,
  LicenseExpression,
  LicenseRepository,
  Property,
  PropertyRepository,
  SpdxLicense,
} from '@cyclonedx/cyclonedx-library/Models';
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize';
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec';
import { createHash } from 'node:crypto';
import { PackageURL } from 'packageurl-js';
import type { BundledPackage } from './bundled-packages.ts';

export interface SbomInput {
  readonly version: string;
  readonly bundle: Uint8Array;
  readonly packages: readonly BundledPackage[];
}

export function sbom({ bundle, packages, version }: SbomInput): string {
  const application = new Component(ComponentType.Application, 'machine-id.cjs', {
    bomRef: 'machine-id.cjs',
    version,
    licenses: licences('Apache-2.0'),
    hashes: new HashDictionary([[HashAlgorithm['SHA-256'], createHash('sha256').update(bundle).digest('hex')]]),
  });
  const bom = new Bom();
  bom.metadata.component = application;
  for (const one of packages) {
    const component = componentOf(one);
    bom.components.add(component);
    application.dependencies.add(component.bomRef);
  }
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function componentOf({ bytes, integrity, licence, name, version }: BundledPackage): Component {
  const [, group, short = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  const purl = new PackageURL('npm', group, short, version).toString();
  return new Component(ComponentType.Library, short, {
    bomRef: purl,
    ...(group === undefined ? {} : { group }),
    version,
    purl,
    licenses: licences(licence),
    hashes: new HashDictionary([[HashAlgorithm['SHA-512'], sha512Of(integrity)]]),
    properties: new PropertyRepository([new Property('machine-id:bytes-in-bundle', String(bytes))]),
  });
}

function licences(expression: string): LicenseRepository {
  const isOne = /^[\w.-]+$/.test(expression);
  return new LicenseRepository([isOne ? new SpdxLicense(expression) : new LicenseExpression(expression)]);
}

/** @param integrity as in `package-lock.json`, in base64 */
function sha512Of(integrity: string): string {
  const [, base64 = ''] = /^sha512-([\w+/]+=*)$/.exec(integrity) ?? [];
  const digest = Buffer.from(base64, 'base64');
  if (digest.length !== 64) throw new Error(`expected one SHA-512 digest, got "${integrity}"`);
  return digest.toString('hex');
}
